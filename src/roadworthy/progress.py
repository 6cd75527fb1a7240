"""Progress of long work: a bar on a terminal, one plain line now and then elsewhere."""

import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

# Seconds between two plain lines.
INTERVAL = 10.0
# Seconds between two updates of a bar.
REFRESH = 0.2


class Report(Protocol):
    """Called with how much is done, of how much, and what else to show."""

    def __call__(self, done: int, total: int, note: str | Callable[[], str] = "") -> None:
        """Show it; a note that is a function is called only when it will be seen."""


@contextmanager
def bar(title: str) -> Iterator[Report]:
    """Show work called `title`; the block calls what it is given."""
    if sys.stderr.isatty():
        with _terminal_bar(title) as report:
            yield report
    else:
        yield _plain(title)


@contextmanager
def _terminal_bar(title: str) -> Iterator[Report]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    left = (TextColumn("{task.description:<20}"), BarColumn(), MofNCompleteColumn())
    right = (TextColumn("{task.fields[rate]}"), TextColumn("{task.fields[note]}"), Remaining())
    with Progress(*left, *right, console=Console(stderr=True)) as shown:
        task = shown.add_task(title, total=None, note="", rate="")
        speed = _Speed()
        seen = -math.inf

        def report(done: int, total: int, note: str | Callable[[], str] = "") -> None:
            nonlocal seen
            speed.count(done)
            # A note may wait for a device: not more than a few times a second.
            if time.monotonic() - seen < REFRESH and done < total:
                return
            seen = time.monotonic()
            shown.update(
                task, completed=done, total=total, note=_text(note), rate=f"{speed.rate:.0f}/s"
            )

        yield report


def _plain(title: str) -> Report:
    speed = _Speed()
    last = time.monotonic()

    def report(done: int, total: int, note: str | Callable[[], str] = "") -> None:
        nonlocal last
        speed.count(done)
        now = time.monotonic()
        if done < total and now - last < INTERVAL:
            return
        last = now
        line = f"{title}: {done}/{total}{_pace(speed.rate, total - done)} {_text(note)}"
        print(line.rstrip(), file=sys.stderr, flush=True)

    return report


class _Speed:
    """How much is done in a second; what was done before the first count does not enter."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._before: int | None = None
        self.rate = 0.0

    def count(self, done: int) -> None:
        """So much is done by now."""
        if self._before is None or done < self._before:
            # A resumed training begins in the middle; its first step says where. Less than that is
            # another piece of work.
            self._before, self._start = done, time.monotonic()
        self.rate = (done - self._before) / max(time.monotonic() - self._start, 1e-9)


def _pace(rate: float, left: int) -> str:
    """How fast, and how long it takes yet; nothing where it is not known."""
    if not rate:
        return ""
    return f" ({rate:.0f}/s, {_clock(left / rate)} left)" if left > 0 else f" ({rate:.0f}/s)"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _text(note: str | Callable[[], str]) -> str:
    return note if isinstance(note, str) else note()
