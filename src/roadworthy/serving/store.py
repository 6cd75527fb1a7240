"""Champions in BentoML's model store, under a version that is made of what they are."""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from roadworthy.bundle.format import digest
from roadworthy.errors import BundleError
from roadworthy.serving.champions import INDEX, read_index

MODEL = "champions"


def import_champions(bundles: Mapping[str, tuple[Path, int]]) -> str:
    """Make one BentoML model of the bundles and let `champions:latest` point to it.

    The same bundles and versions give the same tag and are not written twice.

    Args:
        bundles: by task, the bundle's folder and its number in the registry.

    Returns:
        The tag, `champions:VERSION`.

    Raises:
        BundleError: there is no bundle at all.
    """
    import bentoml

    if not bundles:
        raise BundleError("there is no champion to serve")
    index = {
        task: {"version": version, "digest": digest(folder)}
        for task, (folder, version) in sorted(bundles.items())
    }
    version = content_version(index)
    target = home() / "models" / MODEL / version
    tag = f"{MODEL}:{version}"
    if not _complete(target):
        # What a killed import left behind, BentoML would neither read nor overwrite.
        shutil.rmtree(target, ignore_errors=True)
        with bentoml.models.create(tag, labels=_labels(index), _model_store=_store()) as model:
            for task, (folder, _) in bundles.items():
                shutil.copytree(folder, Path(model.path) / task)
            (Path(model.path) / INDEX).write_text(json.dumps(index, indent=2), encoding="utf-8")
    point_latest(target)
    return tag


def home() -> Path:
    """BentoML's folder; `environment.apply` sets `BENTOML_HOME` to the project's `.bentoml`."""
    return Path(os.environ.get("BENTOML_HOME") or Path.home() / "bentoml")


def content_version(content: object) -> str:
    """Sixteen hex digits that are different for different JSON content."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def point_latest(item: Path) -> None:
    """Make `latest` mean this item of a BentoML store: a champion may be one that was there before.

    BentoML itself moves `latest` only when something is new.
    """
    temporary = item.parent / f".latest.{item.name}"
    temporary.write_text(item.name, encoding="utf-8")
    temporary.replace(item.parent / "latest")


def _complete(folder: Path) -> bool:
    """Whether an imported model is there and undamaged."""
    if not (folder / "model.yaml").is_file():
        return False
    try:
        return all(digest(folder / task) == it.digest for task, it in read_index(folder).items())
    except (BundleError, OSError):
        return False


def _store() -> Any:
    """The model store as the environment says now; BentoML itself asks once per process."""
    from bentoml._internal.models import ModelStore

    path = home() / "models"
    path.mkdir(parents=True, exist_ok=True)
    return ModelStore(path)


def _labels(index: Mapping[str, Mapping[str, object]]) -> dict[str, str]:
    return {task: str(entry["version"]) for task, entry in index.items()}
