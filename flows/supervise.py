"""Stands between a flow and what it starts, so that nothing of it outlives the flow.

    python flows/supervise.py [--leave] COMMAND ...

Its standard input is a pipe that the flow holds open. When that closes, because the flow was
killed, hung up or wants an end, all descendants of the command are stopped: also those that have
left its group, or whose parent has died (Linux gives them to us: PR_SET_CHILD_SUBREAPER).

A program of its own, which imports nothing of ours: it starts in a moment.
"""

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence

import psutil

# A training needs a moment to close its run; what stays after that is stopped harder.
STOPPING = ((signal.SIGINT, 15.0), (signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0))
# What `timeout` and shells say of a command that was stopped.
STOPPED = 128 + signal.SIGTERM
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
HEARD = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main(command: list[str]) -> int:
    """Run the command until it ends, or until standard input does; gives the exit status.

    `--leave`: what a command has started when it ends well may stay, such as a service.
    """
    leave = command[0] == "--leave"
    command = command[leave:]
    _control(PR_SET_CHILD_SUBREAPER, 1)
    wake, woken = os.pipe()
    for number in (*HEARD, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    # Signals only wake the waiting below, which then looks what there is.
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    child = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, start_new_session=True, preexec_fn=_die_with_us
    )
    while child.poll() is None:
        if _told_to_stop(wake):
            stop(child, STOPPING)
            return STOPPED
    if child.returncode or not leave:
        stop(child, STOPPING[1:])
    return child.returncode if child.returncode >= 0 else 128 - child.returncode


def stop(child: "subprocess.Popen[bytes]", stopping: Sequence[tuple[int, float]]) -> None:
    """End all descendants of this process; returns when they are gone."""
    for number, seconds in stopping:
        deadline = time.monotonic() + seconds
        told: set[psutil.Process] = set()
        while (left := _left(child)) and time.monotonic() < deadline:
            # Also who was born meanwhile.
            for process in left - told:
                _tell(process, number)
            told |= left
            time.sleep(0.05)
        if not left:
            break


def _told_to_stop(wake: int) -> bool:
    """Wait for something to happen; whether it was the end of the flow, or a signal to us."""
    ready, _, _ = select.select([sys.stdin.fileno(), wake], [], [])
    if wake in ready and set(os.read(wake, 100)) & set(HEARD):
        return True
    return sys.stdin.fileno() in ready and not os.read(sys.stdin.fileno(), 100)


def _left(child: "subprocess.Popen[bytes]") -> set[psutil.Process]:
    """Descendants that are alive."""
    child.poll()
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass  # orphans that were given to us
    except ChildProcessError:
        pass
    found = set()
    for process in psutil.Process().children(recursive=True):
        try:
            if process.status() != psutil.STATUS_ZOMBIE:
                found.add(process)
        except psutil.NoSuchProcess:
            pass
    return found


def _tell(process: psutil.Process, number: int) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(number)


def _die_with_us() -> None:
    _control(PR_SET_PDEATHSIG, signal.SIGKILL)


def _control(what: int, value: int) -> None:
    """prctl(2); elsewhere than on Linux the pipe alone has to do."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(what, value, 0, 0, 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
