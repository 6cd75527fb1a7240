"""Progress of long work: a bar on a terminal, one plain line now and then elsewhere."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

# Seconds between two plain lines.
INTERVAL = 10.0


class Report(Protocol):
    """Called with how much is done, of how much, and what else to show."""

    def __call__(self, done: int, total: int, note: str = "") -> None:
        """Show it."""


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
    columns = (*left, TextColumn("{task.fields[note]}"), Remaining())
    with Progress(*columns, console=Console(stderr=True)) as shown:
        task = shown.add_task(title, total=None, note="")

        def report(done: int, total: int, note: str = "") -> None:
            shown.update(task, completed=done, total=total, note=note)

        yield report


def _plain(title: str) -> Report:
    start = last = time.monotonic()

    def report(done: int, total: int, note: str = "") -> None:
        nonlocal last
        now = time.monotonic()
        if done < total and now - last < INTERVAL:
            return
        last = now
        rate = done / max(now - start, 1e-9)
        print(
            f"{title}: {done}/{total} ({rate:.0f}/s) {note}".rstrip(), file=sys.stderr, flush=True
        )

    return report
