"""The manifest: one row per image file, with all that later stages want to know of it.

Columns: path (posix, relative to the project), label, source, group, sha256, phash (64 bits, hex),
width, height, aspect, mode (of the file), format, bytes, brightness and contrast (mean and standard
deviation of the grey image at 64 x 64, 0 to 1), red, green, blue (means, 0 to 1), border_red,
border_green, border_blue (means of the outermost pixels), sharpness (variance of the Laplacian of
the grey image), readable, reason (why a row cannot be used).

Beside it a thumbnail per row, which later checks look at instead of opening every file again.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from roadworthy.data import reading
from roadworthy.data.files import File, find
from roadworthy.data.labels import Labels
from roadworthy.data.remembered import Remembered
from roadworthy.params import TaskPlan

Progress = Callable[[int, int], None]
# Files between two savings of what was read.
BATCH = 10_000
TEXT = ("path", "label", "source", "group", "sha256", "phash", "mode", "format", "reason")


@dataclass(frozen=True)
class Manifest:
    """All images of a task."""

    rows: pd.DataFrame
    thumbnails: np.ndarray
    """uint8 (rows, 32, 32, 3); black where a file cannot be read."""
    read: int
    """How many files were opened; the others are unchanged since the last time."""
    left_out: tuple[Path, ...]
    """Files that are not named like images."""


def build(
    plan: TaskPlan, memory: Path | None = None, progress: Progress = lambda done, total: None
) -> Manifest:
    """Describe every image of a task, sorted by path.

    Args:
        memory: a file in which descriptions are kept from one call to the next. A file of the same
            path, size and time of change is not opened again, one of the same content not decoded.

    Raises:
        DataError: the folder is missing or holds no images, or a `labels.csv` is wrong.
    """
    files, left_out = find(plan.images)
    described, read = _described(files, memory, plan, progress)
    rows = described.rows.drop(columns="changed")
    _label(rows, files, plan)
    return Manifest(rows, described.thumbnails, read, left_out)


def _described(
    files: list[File], memory: Path | None, plan: TaskPlan, progress: Progress
) -> tuple[Remembered, int]:
    """Rows and thumbnails of all files, and how many were opened."""
    known = Remembered.load(memory, reading.key(plan.index))
    parts, read = [], 0
    for start in range(0, len(files), BATCH):
        part, opened = reading.describe_all(
            files[start : start + BATCH],
            known,
            plan.index,
            lambda done, _, start=start: progress(start + done, len(files)),  # type: ignore[misc]
        )
        parts.append(part)
        read += opened
        if memory and opened:  # what is killed now need not be read again
            known.joined(parts).save(memory)
    return known.only(parts), read


def _label(rows: pd.DataFrame, files: list[File], plan: TaskPlan) -> None:
    """Insert what is told by where a file lies and how it is called."""
    labels = Labels.of(plan.label, plan.images)
    pattern = re.compile(plan.split.group) if plan.split.group else None
    answers = [labels.read(file.path) for file in files]
    rows.insert(1, "label", [answer.label for answer in answers])
    rows.insert(2, "source", [_source(file.path, plan.images) for file in files])
    groups = [a.group or _group(f.path.name, pattern) for a, f in zip(answers, files, strict=True)]
    rows.insert(3, "group", groups)
    out = np.array([answer.taken_out for answer in answers]) & rows["reason"].isna()
    rows.loc[out, "reason"] = "taken out by a labels.csv"
    for column in TEXT:
        rows[column] = rows[column].astype("string")


def _source(path: Path, root: Path) -> str:
    """The first folder below the task's, where there is one more above the image's own."""
    parts = path.parts[len(root.parts) :]
    return parts[0] if len(parts) > 2 else root.name


def _group(name: str, pattern: re.Pattern[str] | None) -> str | None:
    found = pattern.search(name) if pattern else None
    return found.group(0) if found else None
