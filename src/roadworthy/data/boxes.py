"""Boxes of what is to be found in scenes, from a `boxes.csv` or from YOLO text files.

CSV: columns image (or path), x_center, y_center, width, height (or x, y, w, h) and, if wanted, label
(or class); images are named relative to the CSV's folder or to `images/` in it. YOLO: a text file of
lines `class x y w h` beside the image, or in `labels/` where the image is in `images/`; the names of
the classes are in a `classes.txt`, or under `names` in a `data.yaml`, there or above.
"""

import csv
import io
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pandas as pd
import yaml

from roadworthy.data.images import SUFFIXES
from roadworthy.errors import DataError

TABLE = "boxes.csv"
CLASSES = "classes.txt"
YAML = "data.yaml"
COLUMNS = ("path", "label", "x", "y", "w", "h")
# Other names of the columns.
SPELLINGS = {
    "image": "path",
    "class": "label",
    "x_center": "x",
    "y_center": "y",
    "width": "w",
    "height": "h",
}
# How far a box may stick out of its image, as people draw and tools round.
TOLERANCE = 0.01
Row = tuple[str, str | None, float, float, float, float]


@dataclass(frozen=True)
class Boxes:
    """What was read, and what was not."""

    rows: pd.DataFrame
    """Columns path (as in the manifest), label (missing: none given), x, y (centre), w, h, all
    relative to the image, 0 to 1; sorted by path, in the order of the file."""
    faults: pd.DataFrame
    """Columns file, line, reason: one row per line that was refused."""


class _FaultError(Exception):
    """Why a line is no box."""


def read(root: Path) -> Boxes:
    """Read the boxes of all images below `root`.

    Raises:
        DataError: a file as a whole cannot be read; the message names it and the line.
    """
    images = _images(root)
    rows: list[Row] = []
    seen: set[Row] = set()
    faults: list[tuple[str, int, str]] = []
    for file, line, parse in [*_from_tables(root, images), *_from_yolo(root, images)]:
        try:
            row = _checked(parse())
            if row in seen:
                raise _FaultError("the same box is there already")
            seen.add(row)
            rows.append(row)
        except _FaultError as fault:
            faults.append((file.as_posix(), line, str(fault)))
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    table = table.astype({"path": "string", "label": "string", **dict.fromkeys("xywh", "float64")})
    order = table.sort_values("path", kind="stable", ignore_index=True)
    return Boxes(order, pd.DataFrame(faults, columns=["file", "line", "reason"]))


def text_files(image: Path) -> tuple[Path, ...]:
    """Where YOLO's text file of an image may be: beside it, or in `labels/` for one in `images/`."""
    beside = image.with_suffix(".txt")
    parts = list(beside.parts)
    if "images" not in parts[:-1]:
        return (beside,)
    place = len(parts) - 1 - parts[::-1].index("images", 1)
    return beside, Path(*parts[:place], "labels", *parts[place + 1 :])


def _images(root: Path) -> dict[str, Path]:
    found = (p for p in root.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
    return {path.as_posix(): path for path in found}


Lines = Iterator[tuple[Path, int, Callable[[], Row]]]


def _from_tables(root: Path, images: dict[str, Path]) -> Lines:
    for file in sorted(root.rglob(TABLE)):
        reader = csv.reader(io.StringIO(_text(file), newline=""), strict=True)
        try:
            names = [SPELLINGS.get(n, n) for n in (v.strip().lower() for v in next(reader, []))]
            if missing := {"path", "x", "y", "w", "h"} - set(names):
                raise DataError(f"{file}, line 1: has no column {', '.join(sorted(missing))}")
            for values in filter(None, reader):
                yield file, reader.line_num, _of_table(file, names, values, images)
        except csv.Error as error:
            raise DataError(f"{file}, line {reader.line_num}: is not CSV: {error}") from None


def _of_table(
    file: Path, names: list[str], values: list[str], images: dict[str, Path]
) -> Callable[[], Row]:
    def parse() -> Row:
        if len(values) != len(names):
            raise _FaultError(f"{len(values)} values, where the first line has {len(names)}")
        row = dict(zip(names, values, strict=True))
        named = PurePosixPath(row["path"].strip())
        for folder in (file.parent, file.parent / "images"):
            if (path := (folder / named).as_posix()) in images and ".." not in named.parts:
                return path, row.get("label", "").strip() or None, *_numbers(row[c] for c in "xywh")
        raise _FaultError(f"there is no image {row['path']}")

    return parse


def _from_yolo(root: Path, images: dict[str, Path]) -> Lines:
    by_text = {text: path for path, image in images.items() for text in text_files(image)}
    for file in sorted(root.rglob("*.txt")):
        if file.name == CLASSES or not (file in by_text or _is_yolo(file, root)):
            continue
        classes = _class_names(file, root)
        for line, text in enumerate(_text(file).splitlines(), 1):
            if text.strip():
                yield file, line, _of_yolo(text.split(), by_text.get(file), classes)


def _of_yolo(values: list[str], image: str | None, classes: dict[int, str]) -> Callable[[], Row]:
    def parse() -> Row:
        if image is None:
            raise _FaultError("there is no image of this name")
        if len(values) != 5:
            raise _FaultError(f"{len(values)} values, where a box has 5: class, x, y, w, h")
        number = values[0]
        if not number.isdecimal() or (classes and int(number) not in classes):
            raise _FaultError(f"there is no class {number}")
        return image, classes.get(int(number), number), *_numbers(iter(values[1:]))

    return parse


def _is_yolo(file: Path, root: Path) -> bool:
    """A text file without an image is taken for a lost one's only where those are, or by its form."""
    first = next(iter(_text(file).splitlines()), "").split()
    return "labels" in file.relative_to(root).parts or (
        len(first) == 5 and all(map(_is_number, first))
    )


def _class_names(file: Path, root: Path) -> dict[int, str]:
    folder = file.parent
    while True:
        if (listed := folder / CLASSES).is_file():
            return dict(enumerate(map(str.strip, _text(listed).splitlines())))
        if (described := folder / YAML).is_file():
            return _names_in(described)
        if folder in (root, folder.parent):
            return {}
        folder = folder.parent


def _names_in(file: Path) -> dict[int, str]:
    try:
        names = yaml.safe_load(_text(file))["names"]
        pairs = names.items() if isinstance(names, dict) else enumerate(names)
        return {int(number): str(name) for number, name in pairs}
    except (yaml.YAMLError, KeyError, TypeError, ValueError):
        raise DataError(f"{file} has no list of class names under `names`") from None


def _numbers(values: Iterator[str]) -> tuple[float, float, float, float]:
    try:
        x, y, w, h = map(float, values)
    except ValueError as error:
        raise _FaultError(str(error)) from None
    return x, y, w, h


def _checked(row: Row) -> Row:
    x, y, w, h = box = row[2:]
    if not all(map(math.isfinite, box)):
        raise _FaultError("a value is not a finite number")
    if w <= 0 or h <= 0:
        raise _FaultError("the box has no area")
    if not all(0 <= value <= 1 for value in box):
        raise _FaultError("a value is not between 0 and 1 (boxes are relative to the image)")
    edges = (x - w / 2, y - h / 2, 1 - x - w / 2, 1 - y - h / 2)
    if min(edges) < -TOLERANCE:
        raise _FaultError("the box sticks out of the image")
    return row


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{file} is not UTF-8: save it as UTF-8") from None
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror}") from None
