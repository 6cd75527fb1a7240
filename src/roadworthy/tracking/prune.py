"""Pruning: old runs, versions and their files go, for good.

First everything is marked as deleted, under the task's claim, so that nobody promotes or registers
it any more; then files and rows are removed. What was interrupted is found again by those marks.
"""

import contextlib
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from filelock import FileLock
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository

from roadworthy.params import Prune
from roadworthy.tracking import handover, registry, store
from roadworthy.tracking.claim import claim
from roadworthy.tracking.fields import BUNDLE, MODEL
from roadworthy.tracking.outdated import Plan, backend, plan
from roadworthy.tracking.registry import Version


@dataclass(frozen=True)
class Pruned:
    """What went."""

    task: str
    versions: tuple[str, ...]
    """Names, such as `car/3`."""
    runs: int
    models: int
    cached: int
    """Copies of bundles in `.cache/bundles`."""
    freed: int
    """Bytes."""
    note: str = ""
    """What could not be done here, and how it is done."""


def prune(task: str, policy: Prune, dry_run: bool = False, now: datetime | None = None) -> Pruned:
    """Remove what the policy does not keep; may be interrupted, and run again.

    Args:
        dry_run: only say what would go.

    Raises:
        TrackingError: the store cannot be reached, or somebody holds the task's claim.
    """
    if dry_run:
        found = plan(task, policy, now)
    else:
        with claim(task):
            handover.recover_claimed(task)
            found = plan(task, policy, now)
            with store.asking(f"{task} cannot be pruned"):
                _mark(found)
    with store.asking(f"{task} cannot be pruned; run it again"):
        freed, note = _erase(found, dry_run)
        cached = list(_forgotten(found))
        for folder in cached:
            freed += sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
            if not dry_run:
                with FileLock(registry.CACHE / f".{folder.name}.lock"):
                    shutil.rmtree(folder)
    names = tuple(version.name for version in found.versions)
    return Pruned(task, names, len(found.runs), len(found.models), len(cached), freed, note)


def _mark(found: Plan) -> None:
    client = store.client()
    for version in found.versions:
        # In this order: a model that its run does not name is found again without its version.
        _unlink(client, version)
        client.delete_model_version(found.task, str(version.number))
    for one in found.models:
        _quietly(client.delete_logged_model, one)
    for run in found.runs:
        _quietly(client.delete_run, run)


def _unlink(client: MlflowClient, version: Version) -> None:
    """The run no longer says that it has this model, or an export would register it again."""
    try:
        run = client.get_run(version.run_id)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return
    if run.info.lifecycle_stage == "active" and run.data.tags.get(MODEL) == version.model_uri:
        for key in {MODEL, BUNDLE} & run.data.tags.keys():
            client.delete_tag(version.run_id, key)


def _quietly(delete: Any, one: str) -> None:
    """Delete what may be deleted already."""
    try:
        delete(one)
    except MlflowException as error:
        if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise


def _erase(found: Plan, dry_run: bool) -> tuple[int, str]:
    rows, freed = backend(), 0
    if rows is None:
        if not (found.runs or found.models):
            return 0, ""
        return 0, (
            f"{store.connect()} only marks runs and models as deleted: "
            "`mlflow gc` beside that server frees its disk"
        )
    for one in _still_there(rows.get_logged_model, found.models, allow_deleted=True):
        freed += _remove_files(one.artifact_location, dry_run)
        if not dry_run:
            rows._hard_delete_logged_model(one.model_id)
    for one in _still_there(rows.get_run, found.runs):
        freed += _remove_files(one.info.artifact_uri, dry_run)
        if not dry_run:
            rows._hard_delete_run(one.info.run_id)
    return freed, ""


def _still_there(ask: Any, names: Sequence[str], **options: bool) -> Iterable[Any]:
    for name in names:
        try:
            yield ask(name, **options)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise


def _remove_files(address: str, dry_run: bool) -> int:
    """Bytes below the address, which go."""
    files: Any = get_artifact_repository(address)
    size = _size(files, None)
    if not dry_run:
        files.delete_artifacts()
        if isinstance(files, LocalArtifactRepository):
            with contextlib.suppress(OSError):  # something else is in there
                Path(files.artifact_dir).parent.rmdir()
    return size


def _size(files: Any, below: str | None) -> int:
    return sum(
        _size(files, one.path) if one.is_dir else one.file_size or 0
        for one in files.list_artifacts(below)
    )


def _forgotten(found: Plan) -> Iterator[Path]:
    """Cached copies of bundles that no version has, or will have."""
    going = {(version.task, version.number) for version in found.versions}
    folders = registry.CACHE.iterdir() if registry.CACHE.is_dir() else ()
    for folder in folders:
        if folder.is_dir() and not folder.name.startswith("."):
            condition = f"tag.`{registry.DIGEST}` = '{folder.name}'"
            owners = store.client().search_model_versions(condition)
            if all((one.name, int(one.version)) in going for one in owners):
                yield folder
