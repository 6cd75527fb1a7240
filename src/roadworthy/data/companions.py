"""What comes along with images into a task: labels.csv, boxes.csv, YOLO's text and class files."""

import csv
import os
from collections.abc import Iterable
from pathlib import Path

from roadworthy.data import boxes, labels, staging
from roadworthy.errors import DataError

Table = tuple[list[str], list[dict[str, str]]]


def bring(source: Path, target: Path, images: Iterable[Path], table: Path | None = None) -> None:
    """Copy or merge what belongs to images that were copied from `source` to `target`.

    Of the tables come the rows of images that are in `target`; rows that it has already stay.

    Args:
        images: the copied ones, below `source`.
        table: stands for the folder's own `labels.csv`.

    Raises:
        DataError: the two folders number their classes differently.
    """
    tables = {path.relative_to(source): path for path in _named(source, labels.TABLE, boxes.TABLE)}
    if table:
        tables[Path(labels.TABLE)] = table
    for place, path in tables.items():
        _merge(path, target / place)
    for image in images:
        for text in boxes.text_files(image):
            if text.is_file() and text.is_relative_to(source):
                _copy(text, target / text.relative_to(source))
    for path in _named(source, boxes.CLASSES, boxes.YAML):
        place = target / path.relative_to(source)
        if place.is_file() and place.read_bytes() != path.read_bytes():
            raise DataError(
                f"{path} is not the same as the {path.name} of the images that are there"
            )
        _copy(path, place)


def _named(folder: Path, *names: str) -> list[Path]:
    return sorted(path for name in names for path in folder.rglob(name) if path.is_file())


def _copy(path: Path, place: Path) -> None:
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        staging.copy(path, place)


def _merge(path: Path, place: Path) -> None:
    header, rows = _read(path)
    old_header, old_rows = _read(place) if place.is_file() else ([], [])
    key = "image" if "image" in header else "path"
    known = {row.get(key) for row in old_rows}
    new = [row for row in rows if row[key] not in known and _has(place.parent, row[key])]
    if new:
        names = list(dict.fromkeys([*old_header, *header]))
        place.parent.mkdir(parents=True, exist_ok=True)
        # Never written into: the file may be a link that an earlier version has as well.
        temporary = place.with_name(f".{place.name}.tmp")
        with temporary.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, names, restval="", lineterminator="\n")
            writer.writeheader()
            writer.writerows([*old_rows, *new])
        os.replace(temporary, place)


def _has(folder: Path, name: str) -> bool:
    name = name.strip()
    return (folder / name).is_file() or (folder / "images" / name).is_file()


def _read(path: Path) -> Table:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file)
        header = [name.strip().lower() for name in next(reader, [])]
        return header, [dict(zip(header, row, strict=False)) for row in reader if row]
