"""Champions in BentoML's model store, under a version that is made of what they are."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from roadworthy.bundle.format import digest
from roadworthy.errors import BundleError
from roadworthy.serving.champions import INDEX, packaged_files, read_index
from roadworthy.serving.slim import Engine, needed

MODEL = "champions"
HISTORY = "history.json"


def import_champions(
    bundles: Mapping[str, tuple[Path, int]],
    engine: Engine = "auto",
    history: Sequence[Mapping[str, object]] = (),
) -> str:
    """Make one BentoML model of what serving needs of the bundles; `champions:latest` becomes it.

    The same bundles, versions and history give the same tag and are not written twice.

    Args:
        bundles: by task, the bundle's folder and its number in the registry.
        engine: which graph of each.
        history: how they became champions, as `history.json` has it.

    Returns:
        The tag, `champions:VERSION`.

    Raises:
        BundleError: there is no bundle at all.
    """
    import bentoml

    if not bundles:
        raise BundleError("there is no champion to serve")
    index = {task: _entry(*bundle, engine) for task, bundle in sorted(bundles.items())}
    version = content_version([index, list(history)])
    target = home() / "models" / MODEL / version
    tag = f"{MODEL}:{version}"
    if not _complete(target):
        # What a killed import left behind, BentoML would neither read nor overwrite.
        shutil.rmtree(target, ignore_errors=True)
        with bentoml.models.create(tag, labels=_labels(index), _model_store=_store()) as model:
            place = Path(model.path)
            for task, (folder, _) in bundles.items():
                _copy(folder, index[task]["files"], place / task)
            (place / INDEX).write_text(json.dumps(index, indent=2), encoding="utf-8")
            (place / HISTORY).write_text(json.dumps(list(history), indent=2), encoding="utf-8")
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
    if not (folder / "model.yaml").is_file() or not (folder / HISTORY).is_file():
        return False
    try:
        entries = read_index(folder)
        return all(packaged_files(folder / task) == it.files for task, it in entries.items())
    except (BundleError, OSError):
        return False


def _entry(folder: Path, version: int, engine: Engine) -> dict[str, Any]:
    """What the index says of one bundle, see `champions.Entry`."""
    files = {name: _sha256(folder / name) for name in sorted(needed(folder, engine))}
    return {"version": version, "digest": digest(folder), "files": files}


def _copy(folder: Path, names: Iterable[str], into: Path) -> None:
    """Copy files without their modes: who serves them is another user."""
    into.mkdir()
    for name in names:
        shutil.copyfile(folder / name, into / name)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _store() -> Any:
    """The model store as the environment says now; BentoML itself asks once per process."""
    from bentoml._internal.models import ModelStore

    path = home() / "models"
    path.mkdir(parents=True, exist_ok=True)
    return ModelStore(path)


def _labels(index: Mapping[str, Mapping[str, object]]) -> dict[str, str]:
    return {task: str(entry["version"]) for task, entry in index.items()}
