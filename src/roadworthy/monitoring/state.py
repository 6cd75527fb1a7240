"""What was judged and started so far: lines of JSON that are added and never changed.

A judgement is a look; whether something was started is a line of its own, so that a person who looks
does not keep the night's run from acting.
"""

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

NAME = "history.jsonl"


@dataclass(frozen=True, kw_only=True)
class Judged:
    """One judgement."""

    until: datetime
    since: datetime
    version: int | None
    digest: str
    images: int
    enough: bool
    drifted: bool
    wants: str
    new_labels: int
    tests: Mapping[str, bool | None]
    """By name, whether it was an alarm; None: not tested."""


@dataclass(frozen=True, kw_only=True)
class Started:
    """Something that a judgement led to."""

    until: datetime
    """Of the judgement."""
    what: str
    """`retrain` or `labels`."""


@dataclass(frozen=True)
class History:
    """Both, in the order of the moments that were judged."""

    judged: tuple[Judged, ...] = ()
    """Of several about one moment the last counts."""
    started: tuple[Started, ...] = ()


def read(folder: Path) -> History:
    """The history in `folder`; a torn line is skipped, a missing file is no history."""
    judged: dict[datetime, Judged] = {}
    started: dict[tuple[datetime, str], Started] = {}
    for entry in _entries(folder / NAME):
        with contextlib.suppress(KeyError, TypeError, ValueError):
            entry["until"] = datetime.fromisoformat(entry["until"])
            if "what" in entry:
                mark = Started(**entry)
                started[mark.until, mark.what] = mark
            else:
                entry["since"] = datetime.fromisoformat(entry["since"])
                judged[entry["until"]] = Judged(**entry)
    return History(
        tuple(judged[key] for key in sorted(judged)),
        tuple(started[key] for key in sorted(started)),
    )


def append(folder: Path, entry: Judged | Started) -> None:
    """Add a line; returns when the disk has it. A line torn by an earlier kill stays alone.

    Raises:
        OSError: the disk is full or the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    line = json.dumps(asdict(entry), default=datetime.isoformat) + "\n"
    with (folder / NAME).open("a+b") as file:
        size = file.seek(0, os.SEEK_END)
        if size:
            file.seek(size - 1)
            line = line if file.read(1) == b"\n" else f"\n{line}"
        file.write(line.encode())
        file.flush()
        os.fsync(file.fileno())


def _entries(path: Path) -> Iterator[dict[str, Any]]:
    if not path.is_file():
        return
    for line in path.read_bytes().splitlines():
        with contextlib.suppress(ValueError):
            entry = json.loads(line)
            if isinstance(entry, dict):
                yield entry
