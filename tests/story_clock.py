"""A wall clock that a story sets: all programs that are started with it read the story's time.

A few lines of C, loaded before everything else (LD_PRELOAD), add a shift to what the system says; the
shift is in a file, so that a server that runs all the week is taken along. How long something takes
stays true, and so do the times of files.
"""

import os
import shutil
import struct
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_suffix(".c")


class Clock:
    """The clock of one story.

    Args:
        folder: for the library and the file with the shift.
    """

    def __init__(self, folder: Path) -> None:
        compiler = shutil.which("cc")
        if compiler is None:
            reason = "no C compiler: apt-get install gcc libc6-dev"
            pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
        self._library, self._file = folder / "clock.so", folder / "clock.shift"
        command = [compiler, "-O2", "-Wall", "-shared", "-fPIC", "-o", str(self._library)]
        subprocess.run([*command, str(SOURCE), "-ldl"], check=True)
        self._shift(0)

    @property
    def variables(self) -> dict[str, str]:
        """The environment of who lives in the story."""
        return {"LD_PRELOAD": str(self._library), "CLOCK_SHIFT": str(self._file)}

    def set(self, moment: datetime) -> None:
        """It is this moment now; it goes on from there."""
        self._shift(round(moment.timestamp() - time.time()))

    def now(self) -> datetime:
        """What it says."""
        (shift,) = struct.unpack("=q", self._file.read_bytes())
        return datetime.fromtimestamp(time.time() + shift, UTC)

    def _shift(self, seconds: int) -> None:
        # In place: the programs of the story have this very file before them.
        with self._file.open("r+b" if self._file.exists() else "wb") as out:
            out.write(struct.pack("=q", seconds))
