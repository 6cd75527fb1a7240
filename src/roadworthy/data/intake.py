"""What of a folder of images is new to a task, what it has already, and what cannot come in."""

import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from roadworthy.data.files import File, find
from roadworthy.data.images import decode
from roadworthy.data.labels import Labels
from roadworthy.data.makes import fold
from roadworthy.errors import DataError
from roadworthy.params import TaskPlan

Progress = Callable[[int, int], None]
# Names in a message.
SHOWN = 10
# Pixels that are enough to see whether an image is whole; a large JPEG is decoded faster so.
LEAST = 32


@dataclass(frozen=True)
class Found:
    """An image of the folder, or of the task."""

    path: Path
    place: str
    """Where it is or will be, below the task's images."""
    label: str | None
    sha256: str = ""
    reason: str = ""
    """Why it cannot be read; empty: it can."""
    size: int = 0
    """Bytes."""


@dataclass(frozen=True)
class Intake:
    """The images of a folder, sorted out."""

    new: tuple[Found, ...]
    copies: tuple[Found, ...]
    """The task, or the folder itself, has the same bytes under the same label or the same name."""
    relabelled: tuple[str, ...]
    """Of those, the ones that the task has under another label, in words."""
    unlabelled: tuple[Found, ...]
    unreadable: tuple[Found, ...]
    missing: tuple[str, ...]
    """Rows of a `labels.csv` that name no file."""


def sort_out(
    source: Path,
    plan: TaskPlan,
    *,
    table: Path | None = None,
    fresh: bool = False,
    keep_unlabelled: bool = False,
    progress: Progress = lambda done, total: None,
) -> Intake:
    """Compare the images of `source` with those of a task; changes nothing.

    They are to come into a folder of the same name below the task's.

    Args:
        table: stands for the folder's own `labels.csv`.
        fresh: the task's present images do not count.
        keep_unlabelled: images without a label may come in as well.

    Raises:
        DataError: no images; a wrong `labels.csv`; the same bytes under two labels; a name that
            another image has.
    """
    labels = Labels.of(plan.label, source.parent, only=source.name, given=table)
    found = [_found(file, source.parent, labels) for file in find(source)[0]]
    present = [] if fresh else _present(plan)
    # Only a file of the same size can hold the same bytes.
    sizes = {image.size for image in found}
    alike = [image for image in present if image.size in sizes]
    total = len(found) + len(alike)
    known = _mapped(_digested, alike, lambda done: progress(done, total))
    # What the task has need not be decoded again.
    read = partial(_read, known={image.sha256 for image in known}, plan=plan)
    incoming = _mapped(read, found, lambda done: progress(len(alike) + done, total))
    wanted = [i for i in incoming if not i.reason and (i.label or keep_unlabelled)]
    new, copies = _separate(wanted, known)
    _refuse_taken(new, plan.images if not fresh else None)
    return Intake(
        tuple(new),
        tuple(copies),
        _relabelled(copies, known),
        tuple(i for i in incoming if not i.label and not i.reason),
        tuple(i for i in incoming if i.reason),
        labels.missing,
    )


def listed(lines: Sequence[str], indent: str = "  ") -> str:
    """One line each, of many only the first."""
    more = [f"and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    text = "\n".join(indent + line for line in [*lines[:SHOWN], *more])
    # A name may hold bytes that are no text.
    return text.encode("utf-8", "backslashreplace").decode()


def _present(plan: TaskPlan) -> list[Found]:
    try:
        files = find(plan.images)[0]
    except DataError:  # the task has no images yet
        return []
    labels = Labels.of(plan.label, plan.images)
    return [_found(file, plan.images, labels) for file in files if not file.fault]


def _found(file: File, root: Path, labels: Labels) -> Found:
    place = file.path.relative_to(root).as_posix()
    return Found(file.path, place, labels.read(file.path).label, "", file.fault or "", file.size)


def _mapped(
    function: Callable[[Found], Found], images: list[Found], progress: Callable[[int], None]
) -> list[Found]:
    """By threads, in order: what takes time here lets other threads run."""
    done: list[Found] = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for image in pool.map(function, images):
            done.append(image)
            progress(len(done))
    return done


def _read(image: Found, known: Container[str], plan: TaskPlan) -> Found:
    """With its digest, or why it cannot be read."""
    if image.reason:
        return image
    try:
        data = image.path.read_bytes()
        sha256 = hashlib.sha256(data).hexdigest()
        if sha256 not in known:
            decode(data, plan.index.max_pixels, at_least=LEAST)
    except OSError as error:
        return replace(image, reason=f"cannot be read: {error.strerror}")
    except DataError as error:
        return replace(image, reason=str(error))
    return replace(image, sha256=sha256)


def _digested(image: Found) -> Found:
    return replace(image, sha256=hashlib.sha256(image.path.read_bytes()).hexdigest())


def _separate(
    incoming: Iterable[Found], present: Iterable[Found]
) -> tuple[list[Found], list[Found]]:
    """What is new, and what is an exact copy under the same label."""
    known: dict[str, list[Found]] = defaultdict(list)
    for image in present:
        known[image.sha256].append(image)
    new, copies, conflicts = [], [], []
    for image in incoming:
        twins = known[image.sha256]
        labelled = [twin for twin in twins if twin.label]
        # Under its own name it is the image that was added: its label may have been corrected since.
        here = any(twin.place == image.place for twin in twins)
        alike = (twins and image.label is None) or any(_same(image, twin) for twin in labelled)
        if here or alike:
            copies.append(image)
        elif labelled:
            conflicts.append((image, labelled[0]))
        else:
            new.append(image)
            twins.append(image)
    if conflicts:
        raise DataError(_contradiction(conflicts))
    return new, copies


def _relabelled(copies: Iterable[Found], present: Iterable[Found]) -> tuple[str, ...]:
    here = {image.place: image for image in present}
    pairs = ((image, here[image.place]) for image in copies if image.place in here)
    return tuple(
        f"{image.path} ({image.label}) is {twin.label or 'without a label'} in the task"
        for image, twin in pairs
        if not _same(image, twin)
    )


def _same(image: Found, twin: Found) -> bool:
    return fold(image.label or "") == fold(twin.label or "")


def _contradiction(conflicts: list[tuple[Found, Found]]) -> str:
    lines = [f"{i.path} ({i.label}) is {t.path} ({t.label})" for i, t in conflicts]
    return (
        f"the same content has two labels ({len(conflicts)} times); nothing was changed:\n"
        f"{listed(lines)}\ncorrect the label, or take one of the two away"
    )


def _refuse_taken(new: Iterable[Found], images: Path | None) -> None:
    taken = [f"{i.path}: {images / i.place}" for i in new if images and (images / i.place).exists()]
    if taken:
        raise DataError(
            f"another image has the name ({len(taken)} times); nothing was changed:\n{listed(taken)}\n"
            f"rename the folder or the files"
        )
