"""Images that would teach most, laid out so that a person fills in one column and gives them back."""

import csv
import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from roadworthy.data import labels, seen
from roadworthy.layout import replacing
from roadworthy.monitoring.outcome import Asked
from roadworthy.monitoring.reference import Reference
from roadworthy.monitoring.teaching import most_teaching
from roadworthy.serving.pictures import FOLDER
from roadworthy.serving.record import Record

KEPT = 10
"""Folders of questions that stay, where nobody has answered them."""
COLUMNS = ("path", "label", "answered", "probability")
ENDINGS = {
    "JPEG": ".jpg",
    "MPO": ".jpg",
    "PNG": ".png",
    "WEBP": ".webp",
    "BMP": ".bmp",
    "GIF": ".gif",
    "TIFF": ".tif",
}


def most_wanted(
    records: Sequence[Record],
    probabilities: np.ndarray,
    reference: Reference,
    known: frozenset[str],
    made_with: np.ndarray | None,
    count: int,
    seed: int = 0,
) -> list[Record]:
    """The images to ask about, best first.

    Args:
        probabilities: of `records`, (N, C).
        known: SHA-256 of images whose label people have told.
        made_with: fronts of the SHA-256 of images that the model was made with.
        count: how many at most.
    """
    digests = [one.sha256 for one in records]
    old = np.array([one in known for one in digests], bool)
    if made_with is not None and len(digests):
        old |= seen.among(digests, made_with)
    places = np.flatnonzero(~old)
    left = [records[int(place)] for place in places]
    rows = [one.embedding for one in left]
    given = [row.astype(np.float32) for row in rows if row is not None]
    if not given or len(given) < len(rows):
        # Without embeddings nothing is known of how they differ: those it is least sure of.
        order = np.argsort(probabilities[places].max(axis=1, initial=0), kind="stable")[:count]
    else:
        learned = reference.embeddings
        order = most_teaching(np.stack(given), probabilities[places], count, learned, seed)
    return [left[int(place)] for place in order]


def ask(folder: Path, records: Sequence[Record], log: Path, until: datetime) -> tuple[Asked, ...]:
    """Lay the images out in a folder of their own below `folder`, with a `labels.csv` to fill in.

    A folder that is there stays as it is: somebody may be at work in it.

    Args:
        log: folder of the prediction log, which has the images where the service keeps them.
        until: names the folder.
    """
    target = folder / f"{until.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    kept = {one.id: log / FOLDER / one.sha256 for one in records}
    kept = {name: path for name, path in kept.items() if path.is_file()}
    if kept and not target.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(target) as made:
            _lay_out(made, records, kept)
        _forget(folder)
    return tuple(_asked(one, target) for one in records)


def _lay_out(folder: Path, records: Sequence[Record], kept: Mapping[str, Path]) -> None:
    found = []
    for one in records:
        # The log makes room for newer images meanwhile.
        if one.id in kept and _copied(kept[one.id], folder / _name(one)):
            found.append((_name(one), "", one.label, f"{one.probability:.4f}"))
    with (folder / labels.TABLE).open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([COLUMNS, *found])


def _copied(path: Path, target: Path) -> bool:
    try:
        shutil.copyfile(path, target)
    except FileNotFoundError:
        return False
    return True


def _asked(one: Record, target: Path) -> Asked:
    file = target / _name(one)
    return Asked(
        id=one.id,
        sha256=one.sha256,
        answered=one.label,
        probability=one.probability,
        at=one.at,
        file=file if file.is_file() else None,
    )


def _name(one: Record) -> str:
    return f"{one.sha256[:16]}{ENDINGS.get(one.format, '.img')}"


def _forget(folder: Path) -> None:
    """Delete the oldest questions to which nobody has given an answer."""
    questions = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    for path in questions[:-KEPT]:
        if not _answered(path / labels.TABLE):
            shutil.rmtree(path, ignore_errors=True)


def _answered(table: Path) -> bool:
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            return any((row.get("label") or "").strip() for row in csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error):
        return True  # who knows
