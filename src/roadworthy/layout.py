"""Where the road leaves things: `artifacts/TASK/STAGE`, relative to the project's folder."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from roadworthy.errors import StaleError

# The stages of `dvc.yaml`, in walking order. `pretrain` is one for all tasks, the others one per task.
STAGES = (
    "plan",
    "index",
    "validate",
    "split",
    "prepare",
    "augment",
    "pretrain",
    "scenes",
    "train",
    "evaluate",
    "export",
)
ARTIFACTS = Path("artifacts")
PLAN = ARTIFACTS / "plan"
PRETRAIN = ARTIFACTS / "pretrain"
CHECKPOINTS = Path("checkpoints")


def folder(task: str, stage: str) -> Path:
    """The folder in which `stage` leaves its results for `task`."""
    return ARTIFACTS / task / stage


def needed(task: str, stage: str) -> Path:
    """The folder of an earlier stage, which must be there.

    Raises:
        StaleError: the stage has not been run.
    """
    path = folder(task, stage)
    if not path.is_dir():
        raise StaleError(f"{path} is missing: run `dvc repro {stage}@{task}` first")
    return path


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """A temporary folder that takes the place of `target` when the block ends without an error.

    An error or a kill leaves the earlier `target` as it was.
    """
    temporary = target.with_name(f".{target.name}.tmp")
    discarded = target.with_name(f".{target.name}.old")
    if discarded.exists() and not target.exists():
        # Killed between the two renames below.
        os.replace(discarded, target)
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        yield temporary
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    shutil.rmtree(discarded, ignore_errors=True)
    if target.exists():
        os.replace(target, discarded)
    os.replace(temporary, target)
    shutil.rmtree(discarded, ignore_errors=True)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as readable JSON with a stable key order, by way of a temporary file."""
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    os.replace(temporary, path)


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        StaleError: the file is not there.
    """
    if not path.is_file():
        raise StaleError(f"{path} is missing: run `dvc repro` first")
    return json.loads(path.read_text(encoding="utf-8"))
