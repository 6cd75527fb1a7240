"""add: images of one's own into a task, as a new version of the data."""

import os
import shutil
from collections import Counter
from pathlib import Path

from roadworthy import params
from roadworthy.data import version
from roadworthy.data.labels import read_label
from roadworthy.data.manifest import find_images
from roadworthy.errors import DataError
from roadworthy.progress import bar


def run(source: Path, task: str, replace: bool) -> None:
    """Copy a folder of images below the task's, and record the new version.

    Labels are read from the copy as the task's `label` says. The folder's own structure is kept.

    Args:
        replace: take the task's present images out of the new version; earlier versions keep them.

    Raises:
        DataError: no image there has a label of this task, or its name is taken; nothing changed.
    """
    plan = params.load().task(task)
    name = source.resolve().name
    target = plan.images / name
    if version.DATA not in plan.images.parents:
        raise DataError(f"tasks.{task}.images is {plan.images}, which is not below {version.DATA}/")
    if target.exists() and not replace:
        raise DataError(f"{target} is there already: rename {source}, or use --replace")
    found = find_images(source)
    labels = Counter(
        read_label(Path(name) / p.relative_to(source), plan.label, Path()) for p in found
    )
    missing = labels.pop(None, 0)
    if not labels:
        raise DataError(
            f"no image in {source} has a label of task {task!r}: it reads labels from "
            f"{' or '.join(plan.label.source)}, and knows {', '.join(plan.label.classes or ['any'])}"
        )
    if version.RECORD.is_file():
        version.ensure(_refuse)
    temporary = version.DATA.with_name(f".{task}.adding")
    shutil.rmtree(temporary, ignore_errors=True)
    _copy(found, source, temporary / name)
    if replace and plan.images.exists():
        shutil.rmtree(plan.images)
    plan.images.mkdir(parents=True, exist_ok=True)
    os.replace(temporary / name, target)
    temporary.rmdir()
    accepted = version.accept()
    print(f"{task}: added {len(found)} images as data version {accepted}")
    for label, count in sorted(labels.items()):
        print(f"  {count:6} {label}")
    if missing:
        print(f"  {missing:6} without a label; validate will set them aside")
    print(f"next: dvc repro export@{task} && roadworthy promote --task {task}; commit data.dvc")


def _copy(found: list[Path], source: Path, target: Path) -> None:
    with bar(f"copy {source.name}") as progress:
        for done, path in enumerate(found, 1):
            place = target / path.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)
            progress(done, len(found))


def _refuse(folder: Path, seed: int, scale: float) -> None:
    raise DataError(f"{folder} is missing: run `roadworthy setup` first")
