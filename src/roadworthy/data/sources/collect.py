"""From the files of a collection to images of a task: which, under which label, by which name."""

import hashlib
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from roadworthy.data.images import SUFFIXES
from roadworthy.data.labels import Labels
from roadworthy.errors import DataError
from roadworthy.params import Card, Label

# Folders named when no file of a collection was taken.
SHOWN = 20


@dataclass(frozen=True)
class Collected:
    """The images that a collection brings."""

    card: Card
    root: Path
    """Where the collection's files are."""
    places: dict[PurePosixPath, PurePosixPath]
    """Path in the collection to path below the source's folder."""
    counts: dict[str, int]
    """Images per label."""
    unlabelled: tuple[PurePosixPath, ...]
    """Images that the card takes, and that have no label; they are left out."""


def is_image(path: PurePosixPath) -> bool:
    """Whether a file of a collection is an image by its name."""
    # `__MACOSX/._x.jpg` is what a Mac packs beside `x.jpg`.
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in path.parts)
    return path.suffix.lower() in SUFFIXES and not hidden


def label_of(card: Card, path: PurePosixPath) -> str | None:
    """The label by the first pattern that matches; case does not count, and `*` passes slashes.

    A pattern that begins with `*/` also matches at the top of the collection.
    """
    text = f"/{path}".casefold()
    for pattern, label in card.labels.items():
        if any(fnmatchcase(name, pattern.casefold()) for name in (text, text[1:])):
            return label
    return None


def collect(card: Card, root: Path, rule: Label) -> Collected:
    """Choose and name the images below `root`, and count them.

    Args:
        rule: how the task reads labels.

    Raises:
        DataError: there are none, a label is no class of the task, or the counts are not those that
            the card expects.
    """
    _check_labels(card, rule)
    images = _images(root)
    files = [path for path in images if not card.labels or label_of(card, path) is not None]
    # Read from the collection's own folder: the name of the source must not become a label.
    labels = Labels.of(rule, root)
    found = {path: label_of(card, path) or labels.read(root / path).label for path in files}
    labelled = {path: label for path, label in found.items() if label is not None}
    if not labelled:
        raise DataError(_nothing(card, images, rule))
    places = _place(labelled) if card.labels else {path: path for path in labelled}
    collected = Collected(
        card, root, places, Counter(labelled.values()), tuple(found.keys() - labelled.keys())
    )
    _check_counts(collected)
    return collected


def put(collected: Collected, target: Path, place: Callable[[Path, Path], None]) -> None:
    """Bring the images below `target`, each by `place(source, target)`."""
    for path, name in collected.places.items():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        place(collected.root / path, target / name)


def _images(root: Path) -> list[PurePosixPath]:
    found = []
    for parent, _, names in os.walk(root):
        below = Path(parent).relative_to(root)
        paths = (PurePosixPath(below.as_posix(), name) for name in names)
        found += [path for path in paths if is_image(path) and (root / path).is_file()]
    return sorted(found)


def _place(labelled: dict[PurePosixPath, str]) -> dict[PurePosixPath, PurePosixPath]:
    """`LABEL/NAME`; files that would meet there all carry a mark of their own path."""
    meeting = Counter(f"{label}/{path.name}".casefold() for path, label in labelled.items())
    return {
        path: PurePosixPath(
            label, _marked(path) if meeting[f"{label}/{path.name}".casefold()] > 1 else path.name
        )
        for path, label in labelled.items()
    }


def _marked(path: PurePosixPath) -> str:
    mark = hashlib.sha256(str(path).encode()).hexdigest()[:8]
    return f"{path.stem}.{mark}{path.suffix}"


def _check_labels(card: Card, rule: Label) -> None:
    nowhere = Path("no-such-folder")
    labels = Labels.of(rule, nowhere)
    for label in {label for label in card.labels.values() if label is not None}:
        if labels.read(nowhere / label / ".jpg").label is None:
            raise DataError(
                f"the card {card.name!r} gives the label {label!r}, and the task knows "
                f"{', '.join(rule.classes or ['none'])}: correct `labels` of the card"
            )


def _check_counts(collected: Collected) -> None:
    card, counts = collected.card, {"images": len(collected.places), **collected.counts}
    wrong = [
        f"{expected} {label} and found {counts.get(label, 0)}"
        for label, expected in card.expect.items()
        if counts.get(label, 0) != expected
    ]
    if wrong:
        raise DataError(
            f"the card {card.name!r} expects {'; '.join(wrong)}. Nothing was changed. Either the "
            f"collection is another than the card was written for, or `expect` is wrong there"
        )


def _nothing(card: Card, images: list[PurePosixPath], rule: Label) -> str:
    folders = Counter(str(path.parent) for path in images)
    shown = ", ".join(f"{name} ({count})" for name, count in folders.most_common(SHOWN))
    how = ", ".join(card.labels) if card.labels else f"labels from {' or '.join(rule.source)}"
    return (
        f"the card {card.name!r} goes by {how}, and that gives no image a label. The collection has "
        f"images in: {shown or 'no folder'}. Correct `labels` of the card"
    )
