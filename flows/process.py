"""Run a command whose lines are seen as they come, and of which nothing outlives us.

Not even when we are killed: between us and it stands `supervise.py`, which see.
"""

import os
import queue
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

SUPERVISE = Path(__file__).with_name("supervise.py")
LAST_LINES = 12
MARK = "ROADWORTHY_WALK"
"""In the environment of everything that a walk starts: the folder it walks in."""
# How long lines are waited for that a background process may still write.
DRAIN_SECONDS = 1.0
POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    status: int
    last: str
    """Its last lines."""
    late: bool = False
    """It was stopped, because its time was up."""


def run(
    command: Sequence[str],
    report: Callable[[str], None],
    seconds: float | None = None,
    leave: bool = False,
    stopped: Callable[[], bool] = lambda: False,
) -> Ended:
    """Run a command in this folder; when this is interrupted, the command is stopped first.

    Args:
        report: gets every line of output when it appears.
        seconds: after which it is stopped.
        leave: what it started may stay when it has ended well.
        stopped: asked now and then; True ends it. Only the main thread is interrupted by signals.

    Raises:
        OSError: it cannot be started.
    """
    process = subprocess.Popen(
        [sys.executable, str(SUPERVISE), *(["--leave"] if leave else []), *command],
        env=_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        # What Ctrl-C sends to us shall not reach it: we stop it, in order.
        start_new_session=True,
    )
    last: deque[str] = deque(maxlen=LAST_LINES)
    deadline = None if seconds is None else time.monotonic() + seconds
    late = False
    try:
        for line in _lines(process, deadline, stopped):
            if text := line.rstrip():
                last.append(text)
                report(text)
        late = process.poll() is None
    finally:
        stop(process)
    return Ended(process.returncode, "\n".join(last), late)


def stop(process: "subprocess.Popen[str]") -> None:
    """End what `supervise.py` runs; returns when all of it is gone."""
    assert process.stdin is not None
    process.stdin.close()
    process.wait()


def _lines(
    process: "subprocess.Popen[str]", deadline: float | None, stopped: Callable[[], bool]
) -> Iterator[str]:
    """Lines until the process has ended, or its time is up."""
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(process, lines), daemon=True).start()
    closed = False
    while (deadline is None or time.monotonic() < deadline) and not stopped():
        ended = process.poll() is not None
        if ended and closed:
            return
        try:
            line = lines.get(timeout=DRAIN_SECONDS if ended else POLL_SECONDS)
        except queue.Empty:
            if ended:
                return
            continue
        if line is None:
            closed = True
        else:
            yield line


def _read(process: "subprocess.Popen[str]", lines: "queue.SimpleQueue[str | None]") -> None:
    assert process.stdout is not None
    with process.stdout as out:
        for line in out:
            lines.put(line)
    lines.put(None)


def _environment() -> dict[str, str]:
    """The stages say `python`, which shall be this one."""
    here = str(Path(sys.executable).parent)
    path = os.pathsep.join([here, os.environ.get("PATH", os.defpath)])
    return {**os.environ, "PATH": path, "PYTHONUNBUFFERED": "1", MARK: str(Path.cwd())}
