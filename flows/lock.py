"""One walk at a time in a checkout: a lock that waits, says who holds it, and dies with its holder.

The lock is the kernel's (flock), so a killed walk holds nothing. Beside it lies a note about the
holder, for people: it is believed only while the lock is held.
"""

import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from roadworthy import layout
from roadworthy.errors import RoadworthyError

LOCK = Path(".cache") / "retrain.lock"
POLL_SECONDS = 0.5
EVERY_SECONDS = 60.0
"""Between two words about whom we wait for."""


class LockedError(RoadworthyError):
    """Somebody else is at work here, and was for as long as we could wait."""


@dataclass(frozen=True)
class Holder:
    """Who holds a lock."""

    name: str
    """Of the flow run, or the command."""
    pid: int
    host: str
    since: str
    """UTC, ISO 8601."""
    run_id: str | None = None
    """Of the flow run."""
    url: str | None = None
    """Its page."""

    def __str__(self) -> str:
        page = f", {self.url}" if self.url else ""
        return f"{self.name} (process {self.pid} on {self.host}, since {self.since}{page})"


def me(name: str, run_id: str | None = None, url: str | None = None) -> Holder:
    """This process."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return Holder(name, os.getpid(), socket.gethostname(), now, run_id, url)


@contextmanager
def alone(
    holder: Holder, minutes: float, report: Callable[[str], None], path: Path = LOCK
) -> Iterator[Holder | None]:
    """Hold the lock; gives the holder before us if it died with the lock in its hands.

    Args:
        holder: us, for those who wait.
        minutes: how long to wait for others.
        report: gets a line at once, and every minute, about who is waited for.

    Raises:
        LockedError: they are at work for longer than that; the message says who.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    wait(lambda: None if _taken(lock) else (_noted(path) or "somebody"), minutes, report)
    try:
        before = _noted(path)
        _note(path, holder)
        yield before
        _note(path, None)
    except Exception:
        # It has ended, in its own words; who was killed leaves the note.
        _note(path, None)
        raise
    finally:
        lock.release()


def wait(
    blocker: Callable[[], object | None], minutes: float, report: Callable[[str], None]
) -> None:
    """Wait until nothing blocks.

    Args:
        blocker: gives who blocks, None for nobody.

    Raises:
        LockedError: somebody did for all that time.
    """
    begun = time.monotonic()
    told = -EVERY_SECONDS
    while (who := blocker()) is not None:
        waited = time.monotonic() - begun
        if waited >= minutes * 60:
            raise LockedError(
                f"waited {waited / 60:.1f} minutes for {who}: start again when it has ended, "
                "or set retrain.wait_minutes"
            )
        if waited - told >= EVERY_SECONDS:
            report(f"waiting for {who}, {waited:.0f} s of at most {minutes * 60:.0f} s")
            told = waited
        time.sleep(POLL_SECONDS)


def alive(pid: int, before: float) -> bool:
    """Whether the process that had this number at that time (seconds since 1970) still runs."""
    try:
        found = psutil.Process(pid)
        return found.create_time() <= before and found.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True


def _taken(lock: FileLock) -> bool:
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    return True


def _noted(path: Path) -> Holder | None:
    try:
        return Holder(**json.loads(path.with_suffix(".json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _note(path: Path, holder: Holder | None) -> None:
    note = path.with_suffix(".json")
    if holder is None:
        note.unlink(missing_ok=True)
    else:
        layout.write_json(note, asdict(holder))
