"""What can happen to a walk while it runs: each kind of failure is one function of `KINDS`.

A kind gets a `Walking` and does its harm when `moment` seconds have passed; it returns when the walk
has ended, and has put right what a person would put right (room on the disk, a server that is back).
"""

import contextlib
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from servers import Server

COMMAND = (sys.executable, "-m", "flows.retrain", "--no-package")
MARK = "ROADWORTHY_WALK"
# A walk that was told to stop, or whose disk is full, ends by itself within this.
ENDS_SECONDS = 900.0
# What a person needs to bring a server back; some walks hold out that long, others have ended.
OUTAGE_SECONDS = 15.0


class HungError(AssertionError):
    """A walk that does not end."""


@dataclass
class Walking:
    """A walk, and what it depends on."""

    folder: Path
    environment: dict[str, str]
    said: Path
    """A file that gets what it says."""
    moment: float
    """Seconds from its start to the harm."""
    draw: random.Random
    prefect: Server
    mlflow: Server | None = None
    disk: Path | None = None
    """The disk that the project has for itself; None where it has none."""
    command: tuple[str, ...] = COMMAND
    process: "subprocess.Popen[bytes]" = field(init=False)
    late: float | None = field(init=False, default=None)
    """Seconds after which it had ended by itself, before the moment came."""

    def start(self) -> None:
        """Begin to walk."""
        self._begun = time.monotonic()
        with self.said.open("wb") as out:
            self.process = subprocess.Popen(
                # Whoever starts a daemon in the background passes ignored signals on.
                ["env", "--default-signal=INT,QUIT,TERM,HUP", *self.command],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_for_moment(self) -> bool:
        """Whether the walk has ended before the moment came."""
        ended = self.wait(self.moment)
        if ended:
            self.late = time.monotonic() - self._begun
        return ended

    def wait(self, seconds: float) -> bool:
        """Whether it has ended within so many seconds."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def end(self, seconds: float = ENDS_SECONDS) -> None:
        """Wait for its end, and for the end of all that it has started.

        Raises:
            HungError: it did not end, or left something running; all of it is killed now.
        """
        deadline = time.monotonic() + seconds
        ended = self.wait(seconds)
        while (left := orphans(self.folder)) and time.monotonic() < deadline:
            time.sleep(0.2)
        kill([psutil.Process(self.process.pid)] if not ended else left)
        if not ended or left:
            self.process.wait()
            raise HungError(f"{'orphans' if ended else 'it hung'}: {left}\n{tail(self.said)}")


def orphans(folder: Path) -> list[psutil.Process]:
    """Living processes that a walk of this folder has started."""
    return [process for process in psutil.process_iter() if _mark(process) == str(folder)]


def kill(processes: list[psutil.Process]) -> None:
    """End them and all below them, at one moment."""
    every = set(processes)
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            every |= set(process.children(recursive=True))
    # Stopped first, so that none of them sees another one die.
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for process in every:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)


def tail(path: Path, lines: int = 15) -> str:
    """The last lines of a file."""
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])


def _mark(process: psutil.Process) -> str | None:
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        found: dict[str, str] = process.environ()
    except (psutil.Error, OSError):
        return None
    return found.get(MARK)


def power_cut(walk: Walking) -> None:
    """SIGKILL to all of its processes at once."""
    if not walk.wait_for_moment():
        kill([psutil.Process(walk.process.pid), *orphans(walk.folder)])
    walk.end()


def killed(walk: Walking) -> None:
    """SIGKILL to the flow alone, as for want of memory: what it runs must not outlive it."""
    if not walk.wait_for_moment():
        walk.process.kill()
    walk.end()


def told_to_stop(walk: Walking) -> None:
    """SIGTERM to the flow, as Prefect cancels."""
    if not walk.wait_for_moment():
        walk.process.terminate()
    walk.end()


def stage_killed(walk: Walking) -> None:
    """SIGKILL to one of the processes that it has started."""
    if not walk.wait_for_moment() and (below := sorted(orphans(walk.folder), key=_age)):
        kill_one = walk.draw.choice(below)
        with contextlib.suppress(psutil.NoSuchProcess):
            kill_one.kill()
    walk.end()


def full_disk(walk: Walking) -> None:
    """No room any more, but for a few kilobytes; there is some again when the walk has ended.

    Where the project has no disk for itself, no file can grow above a few kilobytes.
    """
    room = 1024 * walk.draw.choice((0, 4, 40, 400))
    ended = walk.wait_for_moment()
    if ended or walk.disk is None:
        for process in [] if ended else [psutil.Process(walk.process.pid), *orphans(walk.folder)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.rlimit(psutil.RLIMIT_FSIZE, (room, room))
        walk.end()
        return
    ballast = walk.disk / "ballast"
    try:
        _fill(ballast, room)
        walk.end()
    finally:
        ballast.unlink(missing_ok=True)


def locked_store(walk: Walking) -> None:
    """Another program holds MLflow's SQLite file for a while."""
    if not walk.wait_for_moment():
        store = sqlite3.connect(walk.folder / "mlruns/mlflow.db", timeout=30)
        try:
            store.execute("BEGIN EXCLUSIVE")
            walk.wait(OUTAGE_SECONDS)
        finally:
            store.rollback()
            store.close()
    walk.end()


def dead_mlflow(walk: Walking) -> None:
    """The tracking server is killed, and comes back a little later."""
    assert walk.mlflow is not None
    _outage(walk, walk.mlflow)


def dead_prefect(walk: Walking) -> None:
    """Prefect's server is killed, and comes back a little later."""
    _outage(walk, walk.prefect)


def damaged_cache(walk: Walking) -> None:
    """A byte is turned around in a file of DVC's cache or of the results; some results are gone."""
    if not walk.wait_for_moment():
        _damage(walk)
    walk.end()


def _outage(walk: Walking, server: Server) -> None:
    try:
        if not walk.wait_for_moment():
            server.kill()
            walk.wait(OUTAGE_SECONDS)
    finally:
        server.start()
    walk.end()


def _damage(walk: Walking) -> None:
    places = (".dvc/cache/files", "artifacts", "checkpoints", ".dvc/tmp")
    files = [
        path
        for place in places
        for path in sorted((walk.folder / place).rglob("*"))
        if path.is_file() and path.stat().st_size
    ]
    path = walk.draw.choice(files)
    try:
        content = bytearray(path.read_bytes())
        content[walk.draw.randrange(len(content))] ^= 0xFF
        # DVC's cache is read-only, which stops no failing disk.
        path.chmod(0o644)
        path.write_bytes(content)
        with walk.said.open("a") as out:
            print(f"DAMAGED {path.relative_to(walk.folder)}", file=out)
    except (OSError, ValueError):
        pass  # the walk has just replaced it


def _fill(ballast: Path, room: int) -> None:
    """Write until nothing fits any more, then give so many bytes back."""
    with ballast.open("wb", buffering=0) as out:
        with contextlib.suppress(OSError):
            while True:
                out.write(bytes(1 << 16))
        out.truncate(max(0, ballast.stat().st_size - room))


def _age(process: psutil.Process) -> tuple[float, int]:
    try:
        return process.create_time(), process.pid
    except psutil.NoSuchProcess:
        return 0.0, process.pid


KINDS: dict[str, Callable[[Walking], None]] = {
    "power cut": power_cut,
    "killed": killed,
    "told to stop": told_to_stop,
    "stage killed": stage_killed,
    "full disk": full_disk,
    "locked store": locked_store,
    "dead MLflow": dead_mlflow,
    "dead Prefect": dead_prefect,
    "damaged cache": damaged_cache,
}
