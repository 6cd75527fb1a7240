"""How many requests came and how many were refused, a line a minute beside the prediction log.

Prometheus has the same figures, but not everybody runs it; and who judges the traffic of last
Tuesday needs them beside what was answered on last Tuesday.
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any

from roadworthy.serving.attempts import Attempts
from roadworthy.serving.journal import Lines, paths
from roadworthy.serving.metrics import OTHER, REASONS
from roadworthy.serving.record import now
from roadworthy.serving.records import opened
from roadworthy.serving.settings import Settings

NAME = "requests"
SECONDS = 60.0
LARGEST = 2_000_000
"""Bytes of a file: about a week of full minutes."""


@dataclass(frozen=True, kw_only=True)
class Minute:
    """What one process was asked in a minute or so, by route."""

    since: str
    until: str
    """UTC, ISO 8601."""
    requests: Mapping[str, int]
    """Answered or refused; what is no route of ours is `other`."""
    refused: Mapping[str, Mapping[str, int]]
    """Of these, by the word of the refusal."""


KNOWN = tuple(one.name for one in fields(Minute))


class Tally:
    """Counts from any thread, and has one of its own that writes. Minutes without a request cost no line.

    Args:
        settings: with `log` set.
        seconds: from line to line.

    Raises:
        ParamsError: the folder cannot be written.
    """

    def __init__(self, settings: Settings, seconds: float = SECONDS) -> None:
        smaller = settings.model_copy(update={"log_bytes": min(settings.log_bytes, LARGEST)})
        self._journal = opened(smaller, NAME)
        self._write = Attempts("the tally of requests")
        self._seconds = seconds
        self._since = now()
        self._counts: Counter[tuple[str, str]] = Counter()
        self._lock, self._ended = Lock(), Event()
        self._writer = Thread(target=self._run, name="tally", daemon=True)
        self._writer.start()

    def count(self, route: str | None, word: str | None = None) -> None:
        """One request; never waits for the disk.

        Args:
            route: its path, None where there is none.
            word: of the refusal, None where it was answered.
        """
        known = "" if word is None else word if word in REASONS else OTHER
        with self._lock:
            self._counts[route or OTHER, known] += 1

    def close(self) -> None:
        """Write what was counted."""
        self._ended.set()
        self._writer.join()
        self._flush()
        self._journal.close()

    def _run(self) -> None:
        while not self._ended.wait(self._seconds):
            self._flush()

    def _flush(self) -> None:
        """On a disk that is full the counts are kept for the next line."""
        with self._lock:
            counts, since = self._counts, self._since
            self._counts, self._since = Counter(), now()
        line = to_line(minute(counts, since, self._since))
        if counts and not self._write(lambda: self._journal.append([line])):
            with self._lock:
                self._counts.update(counts)
                self._since = since


def minute(counts: Mapping[tuple[str, str], int], since: str, until: str) -> Minute:
    """A line of what was counted by route and word; the word of an answered request is empty."""
    requests: dict[str, int] = {}
    refused: dict[str, dict[str, int]] = {}
    for (route, word), count in counts.items():
        requests[route] = requests.get(route, 0) + count
        if word:
            refused.setdefault(route, {})[word] = count
    return Minute(since=since, until=until, requests=requests, refused=refused)


def to_line(one: Minute) -> bytes:
    """JSON with a newline."""
    return json.dumps(asdict(one), separators=(",", ":")).encode() + b"\n"


def read_requests(folder: Path) -> Lines[Minute]:
    """The lines of all processes in the folder of a prediction log, file by file."""
    return Lines(paths(folder, NAME), _from_line)


def _from_line(line: bytes) -> Minute:
    entry: dict[str, Any] = json.loads(line)
    return Minute(**{name: entry[name] for name in KNOWN})
