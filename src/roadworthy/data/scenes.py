"""Whole pictures with boxes of what is to be found in them, and the split of each.

A scene keeps its split for life: its content decides, or the group that its path names (`split.group`,
frames of one clip). More scenes never move one, and an exact copy is where the first one is.
"""

import re
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pandas as pd

from roadworthy.data import boxes, images
from roadworthy.data.ledger import SPLITS
from roadworthy.errors import DataError
from roadworthy.params import Split


@dataclass(frozen=True)
class Scenes:
    """What a folder of scenes holds."""

    rows: pd.DataFrame
    """Columns path, sha256, width, height, things (number of boxes), split; sorted by path."""
    boxes: pd.DataFrame
    """Columns path, label, x, y (centre), w, h, relative to the picture, see `data.boxes`."""


def read(root: Path, shares: Split, max_pixels: int) -> Scenes:
    """List the scenes below `root`.

    Raises:
        DataError: the folder is missing, a picture or a box cannot be used, or a split has no scene
            with a thing in it.
    """
    if not root.is_dir():
        raise DataError(f"{root} is missing: `scenes` in params.yaml names a folder of pictures")
    found = boxes.read(root)
    if len(found.faults):
        file, line, reason = found.faults.iloc[0]
        raise DataError(f"{file}, line {line}: {reason} ({len(found.faults)} such lines in all)")
    things = found.rows["path"].value_counts()
    files = sorted(
        p for p in root.rglob("*") if p.suffix.lower() in images.SUFFIXES and p.is_file()
    )
    rows = [_row(path, int(things.get(path.as_posix(), 0)), shares, max_pixels) for path in files]
    table = pd.DataFrame(rows, columns=["path", "sha256", "width", "height", "things", "split"])
    if lacking := sorted(set(SPLITS) - set(table.loc[table["things"] > 0, "split"])):
        raise DataError(
            f"{root} has no scene with a box in {', '.join(lacking)}: add scenes and their boxes.csv"
        )
    return Scenes(table, found.rows)


def _row(path: Path, things: int, shares: Split, max_pixels: int) -> tuple[object, ...]:
    content = path.read_bytes()
    try:
        width, height = images.open_image(content, max_pixels).size
    except DataError as error:
        raise DataError(f"scene {path}: {error}") from None
    digest = sha256(content).hexdigest()
    group = re.search(shares.group, path.as_posix()) if shares.group else None
    # Pictures of one group share the split that its name gives.
    name = sha256(group[0].encode()).hexdigest() if group else digest
    return path.as_posix(), digest, width, height, things, split_of(name, shares)


def split_of(digest: str, shares: Split) -> str:
    """`train`, `val` or `test`, by a SHA-256."""
    place = int(digest[:16], 16) / 16**16
    if place < shares.test:
        return "test"
    return "val" if place < shares.test + shares.val else "train"
