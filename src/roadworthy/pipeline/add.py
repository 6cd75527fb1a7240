"""add: images of one's own into a task, as a new version of the data."""

import shutil
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from roadworthy import params
from roadworthy.data import boxes, companions, staging, version
from roadworthy.data.intake import Found, Intake, listed, sort_out
from roadworthy.errors import DataError
from roadworthy.params import TaskPlan
from roadworthy.progress import bar


def run(
    source: Path,
    task: str,
    replace: bool = False,
    labels: Path | None = None,
    keep_unlabelled: bool = False,
    dry_run: bool = False,
) -> None:
    """Copy the new images of a folder below the task's, and record the new version.

    The folder's own structure is kept, below a folder of its name: added again, it brings what has
    come to it since. With the images come `labels.csv`, `boxes.csv` and YOLO's text files. Labels
    are read as the task's `label` says. A kill leaves the version that was.

    Args:
        replace: take the task's present images out of the new version; earlier versions keep them.
        labels: a CSV that stands for the folder's `labels.csv`.
        keep_unlabelled: copy images without a label as well; `validate` will set them aside.
        dry_run: say what would be done.

    Raises:
        DataError: no image has a label of this task; the same image has two labels; a name is
            taken. Nothing was changed.
    """
    plan = params.load().task(task)
    source = source.resolve()
    _check_places(source, labels, plan)
    if staging.RECORD.is_file():
        version.ensure()
    with bar(f"read {source.name}") as progress:
        intake = sort_out(
            source,
            plan,
            table=labels,
            fresh=replace,
            keep_unlabelled=keep_unlabelled,
            progress=progress,
        )
    if not intake.new and not intake.copies:
        raise DataError(_nothing(intake, source, plan))
    _report(intake, source, task)
    if dry_run or not intake.new:
        print("nothing was changed" if dry_run else f"{task} has all of it already")
        return
    accepted = version.change(partial(_bring_in, intake, source, plan, labels, replace))
    print(f"data version {accepted}: {accepted.message}")
    print(f"next: dvc repro export@{task} && roadworthy promote --task {task}; commit data.dvc")


def _check_places(source: Path, labels: Path | None, plan: TaskPlan) -> None:
    data = staging.DATA.resolve()
    if staging.DATA not in plan.images.parents:
        where = f"tasks.{plan.name}.images is {plan.images}"
        raise DataError(f"{where}, which is not below {staging.DATA}/: change it in params.yaml")
    if not source.is_dir():
        raise DataError(f"{source} is no folder: name the one that holds your images")
    if data in (source, *source.parents) or source in data.parents:
        raise DataError(f"{source} holds {staging.DATA}/ or lies in it: name a folder elsewhere")
    if labels and not labels.is_file():
        raise DataError(f"{labels} is no file: --labels names a CSV with the columns path,label")


def _nothing(intake: Intake, source: Path, plan: TaskPlan) -> str:
    damaged = [f"{image.path}: {image.reason}" for image in intake.unreadable]
    if damaged and not intake.unlabelled:
        return f"no image in {source} can be read:\n{listed(damaged)}"
    return (
        f"no image in {source} has a label of task {plan.name!r}: it reads labels from labels.csv, "
        f"{', '.join(plan.label.source)}, and knows {', '.join(plan.label.classes or ['any'])}"
    )


def _report(intake: Intake, source: Path, task: str) -> None:
    print(f"{task}: {len(intake.new)} new of {source}")
    for label, count in sorted(Counter(i.label or "(no label)" for i in intake.new).items()):
        print(f"  {count:6} {label}")
    if intake.copies:
        print(f"left out: {len(intake.copies)} exact copies of images that are there")
    _print("of those, {} keep the other label that they have in the task", intake.relabelled)
    left = [str(image.path) for image in intake.unlabelled if image not in intake.new]
    _print("left out: {} without a label (--keep-unlabelled brings them as well)", left)
    damaged = [f"{image.path}: {image.reason}" for image in intake.unreadable]
    _print("left out: {} that cannot be read", damaged)
    _print("labels.csv: {} rows name no file", intake.missing)
    found = boxes.read(source)
    if len(found.rows):
        print(f"boxes: {len(found.rows)} in {found.rows['path'].nunique()} images")
    faults = [f"{file}:{line}: {reason}" for file, line, reason in found.faults.to_numpy()]
    _print("boxes: {} lines that are no box of an image", faults)


def _print(title: str, lines: Sequence[str]) -> None:
    if lines:
        print(f"{title.format(len(lines))}:\n{listed(lines)}")


def _bring_in(
    intake: Intake,
    source: Path,
    plan: TaskPlan,
    labels: Path | None,
    replace: bool,
    folder: Path,
) -> None:
    """Change the staged `data/` in `folder`."""
    images = folder / plan.images.relative_to(staging.DATA)
    if replace and images.exists():
        shutil.rmtree(images)
    with bar(f"copy {source.name}") as progress:
        for done, image in enumerate(intake.new, 1):
            _copy(image, images)
            progress(done, len(intake.new))
    brought = [image.path for image in intake.new]
    companions.bring(source, images / source.name, brought, labels)


def _copy(image: Found, images: Path) -> None:
    place = images / image.place
    place.parent.mkdir(parents=True, exist_ok=True)
    staging.copy(image.path, place)
