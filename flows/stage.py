"""One stage of the road, through DVC: its lines as they come, its failure in words, no orphans."""

import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from roadworthy.errors import RoadworthyError

SHARED = frozenset({"plan", "pretrain"})
"""Stages that are one for all tasks."""
LAST_LINES = 12
BUSY = ("is busy, it is being blocked by", "Unable to acquire lock")
# Training needs a moment to close its run; what stays after that is stopped harder.
STOPPING = ((signal.SIGINT, 20.0), (signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0))


class StageError(RoadworthyError):
    """A stage ended with an error; the message has the last lines of `dvc repro`."""


class StageBusyError(StageError):
    """Somebody else runs `dvc repro` in this project: wait and try again."""


def targets(stage: str, tasks: Sequence[str]) -> list[str]:
    """What `dvc repro` is asked for."""
    return [stage] if stage in SHARED else [f"{stage}@{task}" for task in tasks]


def repro(stage: str, tasks: Sequence[str], report: Callable[[str], None]) -> None:
    """Run a stage for some tasks in this folder; what is not stale is not run.

    Args:
        report: gets every line of output when it appears.

    Raises:
        StageBusyError: another `dvc repro` holds the lock.
        StageError: the stage ended with an error.
    """
    command = [sys.executable, "-m", "dvc", "repro", *targets(stage, tasks)]
    process = subprocess.Popen(
        command,
        env=_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        # A group of its own, so that DVC and the training under it can be stopped together.
        start_new_session=True,
    )
    last: deque[str] = deque(maxlen=LAST_LINES)
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if text := line.rstrip():
                last.append(text)
                report(text)
        status = process.wait()
    except BaseException:
        # SIGINT to DVC alone, or SIGTERM to anything, leaves the training running.
        stop(process)
        raise
    finally:
        if process.stdout is not None:
            process.stdout.close()
    if status != 0:
        raise _failure(stage, status, "\n".join(last))


def stop(process: subprocess.Popen[str]) -> None:
    """End every process of the group that `process` leads; returns when all are gone."""
    for number, seconds in STOPPING:
        if not _signal(process.pid, number):
            break
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and _alive(process):
            time.sleep(0.05)
    process.wait()


def _failure(stage: str, status: int, output: str) -> StageError:
    if any(words in output for words in BUSY):
        return StageBusyError(f"{stage}: another `dvc repro` is running in this project\n{output}")
    return StageError(f"{stage} failed: `dvc repro` ended with {status}\n{output}")


def _alive(process: subprocess.Popen[str]) -> bool:
    process.poll()  # a leader nobody waited for would keep its group alive
    return _signal(process.pid, 0)


def _signal(group: int, number: int) -> bool:
    """Whether there was somebody to send it to."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    return True


def _environment() -> dict[str, str]:
    """The stages say `python`, which shall be this one."""
    here = str(Path(sys.executable).parent)
    path = os.pathsep.join([here, os.environ.get("PATH", os.defpath)])
    return {**os.environ, "PATH": path, "PYTHONUNBUFFERED": "1"}
