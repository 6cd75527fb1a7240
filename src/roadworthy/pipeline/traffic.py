"""A task's latest traffic out of the prediction log, in one pass over files of any size."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from roadworthy.monitoring.evidence import Live
from roadworthy.monitoring.reference import STATISTICS
from roadworthy.serving.feedback import read_feedback
from roadworthy.serving.journal import Lines, paths
from roadworthy.serving.record import NAME, Record, from_line
from roadworthy.serving.tally import read_requests

ASKING = frozenset({"/predict", "/inspect", "/explain"})
"""Routes that bring images."""
OPERATIONAL = frozenset(
    {"busy", "overloaded", "rate_limited", "no_key", "wrong_key", "internal", "too_slow"}
    | {"bad_length", "method", "not_found", "unknown_task", "no_task", "urls_off"}
)
"""Refusals that say nothing about the images: Prometheus alerts are for them."""


@dataclass(frozen=True)
class Traffic:
    """The window that is judged."""

    records: tuple[Record, ...]
    """The latest images, oldest first, each content once."""
    right: np.ndarray
    """Of the latest answers that people have judged, whether they were right: bool (M,)."""
    told: frozenset[str]
    """SHA-256 of images whose label people have told."""
    since: datetime
    until: datetime
    requests: int
    """Of all tasks, in that time, but those refused for other reasons than what was sent."""
    refusals: Mapping[str, int]
    """Of these, by word."""

    def live(self, labels: tuple[str, ...]) -> Live:
        """As the tests take it.

        Args:
            labels: in the order of the bundle's probabilities.
        """
        rows = self.records
        statistics = {
            name: np.array([one.statistics.get(name, np.nan) for one in rows], np.float64)
            for name in STATISTICS
        }
        known = [one.embedding for one in rows if one.embedding is not None]
        return Live(
            statistics={k: v for k, v in statistics.items() if np.isfinite(v).all()},
            probabilities=np.array(
                [[one.probabilities.get(label, 0.0) for label in labels] for one in rows]
            ).reshape(len(rows), len(labels)),
            embeddings=np.stack(known).astype(np.float32)
            if rows and len(known) == len(rows)
            else None,
            requests=self.requests,
            refused=sum(self.refusals.values()),
            right=self.right,
        )


def read_traffic(log: Path, task: str, digest: str, until: datetime, window: int) -> Traffic:
    """The latest `window` images up to `until` that the bundle `digest` answered for callers.

    Memory is that of the window, not of the log. Answers of other versions are no evidence about this
    one; a copy of an image is the image.
    """
    told = {
        one.id: one.label
        for one in read_feedback(log)
        if one.task == task and _when(one.at) <= until
    }
    images = _Latest(window)
    judged = _Latest(window)
    for record in _answers(log, task, digest):
        if record.shadow or _when(record.at) > until:
            continue
        images.add(record)
        if record.id in told:
            judged.add(record)
    records, answered = images.kept(), judged.kept()
    since = _when(records[0].at) if records else until
    requests, refusals = _refusals(log, since, until)
    return Traffic(
        records=records,
        right=np.array([told[one.id] == one.label for one in answered], bool),
        told=frozenset(one.sha256 for one in answered),
        since=since,
        until=until,
        requests=requests,
        refusals=refusals,
    )


def answered_last(log: Path, task: str, until: datetime) -> str | None:
    """Digest of the bundle whose answer for a caller is the last one up to `until`."""
    last = _Latest(1)
    for record in _answers(log, task):
        if not record.shadow and _when(record.at) <= until:
            last.add(record)
    return next((one.digest for one in last.kept()), None)


class _Latest:
    """The latest records, each content once."""

    def __init__(self, size: int) -> None:
        self._size = size
        self.slack = 100
        """Records that are held beyond twice as many."""
        self._found: dict[str, Record] = {}

    def add(self, record: Record) -> None:
        before = self._found.get(record.sha256)
        if before is None or before.at <= record.at:
            self._found[record.sha256] = record
        # Files of several processes overlap in time, so that the last one read is not the latest.
        if len(self._found) > 2 * self._size + self.slack:
            self._found = {one.sha256: one for one in self.kept()}

    def kept(self) -> tuple[Record, ...]:
        ordered = sorted(self._found.values(), key=lambda one: (_when(one.at), one.id))
        return tuple(ordered[-self._size :])


def _answers(log: Path, task: str, digest: str = "") -> Lines[Record]:
    """Lines of other tasks and versions are not parsed: that is what takes time."""
    wanted = [f'"task":{json.dumps(task)}'.encode()]
    wanted += [f'"digest":{json.dumps(digest)}'.encode()] if digest else []

    def parse(line: bytes) -> Record:
        if not all(text in line for text in wanted):
            raise ValueError
        return from_line(line)

    return Lines(paths(log, NAME), parse)


def _refusals(log: Path, since: datetime, until: datetime) -> tuple[int, dict[str, int]]:
    """Requests for images in that time, and of these the refused, by word."""
    requests = 0
    words: Counter[str] = Counter()
    for minute in read_requests(log):
        if _when(minute.until) < since or _when(minute.since) > until:
            continue
        requests += sum(minute.requests.get(route, 0) for route in ASKING)
        for route in ASKING:
            words.update(minute.refused.get(route, {}))
    beside = sum(words.pop(word, 0) for word in OPERATIONAL)
    return requests - beside, dict(words)


def _when(text: str) -> datetime:
    return datetime.fromisoformat(text)
