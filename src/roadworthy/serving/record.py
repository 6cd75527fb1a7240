"""One answer about one image, as it is kept: a line of JSON."""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from roadworthy.data.images import Decoded
from roadworthy.data.statistics import measure
from roadworthy.monitoring.reference import STATISTICS
from roadworthy.serving.journal import Lines, paths

NAME = "predictions"
DIGITS = 6


def now() -> str:
    """UTC, ISO 8601 with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is kept of an image, whoever is asked about it."""

    statistics: Mapping[str, float]
    """`monitoring.reference.STATISTICS`, measured as `index` does."""
    width: int
    height: int
    """Of the upright image in full size, pixels."""
    format: str
    """Pillow's name: JPEG, PNG ..."""
    bytes: int
    sha256: str
    """Of the file."""


@dataclass(frozen=True, kw_only=True)
class Record(Facts):
    """One answer about one image."""

    id: str
    """Names the image in this request (32 hex digits); `/feedback` refers to it."""
    request_id: str
    task: str
    version: int
    digest: str
    """Of the bundle."""
    label: str
    probability: float
    sure: bool
    probabilities: Mapping[str, float]
    """Calibrated, of every label."""
    embedding: np.ndarray | None = None
    """What the head gets: float16 (D,); of any float that is given a copy is made."""
    shadow: bool = False
    """An answer of a challenger that the caller did not see."""
    at: str = field(default_factory=now)
    """UTC, ISO 8601."""

    def __post_init__(self) -> None:
        """Keep a copy of the embedding, not the array of the whole batch."""
        if self.embedding is not None:
            with np.errstate(over="ignore"):
                object.__setattr__(self, "embedding", self.embedding.astype(np.float16))


KNOWN = tuple(one.name for one in fields(Record))


def facts(content: bytes, decoded: Decoded) -> Facts:
    """What is kept of an image. About a millisecond: to be called where it was decoded."""
    measured = measure(decoded)
    return Facts(
        statistics={name: round(measured[name], DIGITS) for name in STATISTICS},
        width=decoded.width,
        height=decoded.height,
        format=decoded.format,
        bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
    )


def to_line(record: Record) -> bytes:
    """JSON with a newline; the embedding as base64 of little-endian float16.

    Raises:
        ValueError: a number is not finite.
    """
    entry = {name: getattr(record, name) for name in KNOWN}
    entry["probability"] = round(record.probability, DIGITS)
    entry["probabilities"] = {k: round(v, DIGITS) for k, v in record.probabilities.items()}
    if record.embedding is not None:
        packed = record.embedding.astype("<f2", copy=False).tobytes()
        entry["embedding"] = base64.b64encode(packed).decode()
    return json.dumps(entry, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def from_line(line: bytes) -> Record:
    """What `to_line` wrote; fields of later versions are left out.

    Raises:
        ValueError, KeyError, TypeError: the line is torn or none of ours.
    """
    entry: dict[str, Any] = json.loads(line)
    found = {name: entry[name] for name in KNOWN}
    if found["embedding"] is not None:
        packed = base64.b64decode(found["embedding"], validate=True)
        found["embedding"] = np.frombuffer(packed, "<f2")
    return Record(**found)


def read(folder: Path) -> Lines[Record]:
    """All records in the folder of a prediction log, file by file, one in memory at a time.

    Those of one process come in the order of their answers. `read(...).torn` counts the lines that
    could not be read so far; a log that is being written may be read.
    """
    return Lines(paths(folder, NAME), from_line)
