"""The registry: versions of a task's model, and the aliases that say which of them is on the road.

`champion` is served, `previous` was before it, `challenger` waits for the gate. A version is a
bundle; its digest is a tag, so that the same bundle is never registered twice.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlparse
from urllib.request import url2pathname

import mlflow.artifacts
from filelock import FileLock
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from roadworthy import layout
from roadworthy.bundle import format as bundle_format
from roadworthy.bundle.format import Lineage
from roadworthy.errors import BundleError, TrackingError
from roadworthy.tracking import store
from roadworthy.tracking.models import BUNDLE

CHAMPION = "champion"
PREVIOUS = "previous"
CHALLENGER = "challenger"
ALIASES = (CHAMPION, PREVIOUS, CHALLENGER)
CACHE = Path(".cache") / "bundles"
DIGEST = "roadworthy.digest"
FORCED = "roadworthy.forced"
"""Tag of a version that was promoted against the rules: the reason."""
LINEAGE = "roadworthy.lineage."
METRIC = "test/"
# PostgreSQL refuses a longer description, SQLite takes it.
LONGEST_CARD = 5000
CUT = "\n\n(Cut here: the whole card is in the bundle.)"


@dataclass(frozen=True)
class Version:
    """A registered bundle."""

    task: str
    number: int
    run_id: str
    digest: str
    """Of the bundle, SHA-256."""
    metrics: dict[str, float]
    """What its own evaluation measured, as `accuracy`."""
    created: datetime
    """UTC."""
    model_uri: str
    """Of the logged model, `models:/m-...`."""

    @property
    def name(self) -> str:
        """As people say it, such as `car/3`."""
        return f"{self.task}/{self.number}"


def register(
    task: str,
    model_uri: str,
    run_id: str,
    digest: str,
    tags: Mapping[str, str] | None = None,
    metrics: Mapping[str, float] | None = None,
    card: str = "",
) -> Version:
    """Make a version of a logged model; a bundle that is registered already keeps its version.

    Args:
        tags: more of them, such as `lineage_tags`.
        metrics: figures of its own evaluation, on test images.
        card: Markdown, the version's description.

    Raises:
        TrackingError: the registry cannot be reached or refuses.
    """
    if known := by_digest(task, digest):
        return known
    client = store.client()
    figures = {f"{METRIC}{key}": repr(float(value)) for key, value in (metrics or {}).items()}
    with store.asking(f"{task} cannot be registered"):
        try:
            client.create_registered_model(task)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        made = client.create_model_version(
            task,
            model_uri,
            run_id=run_id,
            tags={**(tags or {}), **figures, DIGEST: digest},
            description=_described(card) or None,
            model_id=model_uri.removeprefix("models:/"),
        )
    return _version(made)


def describe(version: Version, card: str = "", tags: Mapping[str, str] | None = None) -> None:
    """Give a version its card (Markdown, MLflow's description) and tags; others stay.

    Raises:
        TrackingError: the registry cannot be reached or refuses.
    """
    client, number = store.client(), str(version.number)
    with store.asking(f"{version.name} cannot be described"):
        if card:
            client.update_model_version(version.task, number, _described(card))
        for key, value in (tags or {}).items():
            client.set_model_version_tag(version.task, number, key, value)


def lineage_tags(lineage: Lineage) -> dict[str, str]:
    """What a version is made from, as tags: `roadworthy.lineage.git_commit` ..."""
    known = lineage.model_dump(mode="json", exclude_none=True)
    return {f"{LINEAGE}{key}": str(value) for key, value in known.items()}


def champion(task: str) -> Version | None:
    """The version that is on the road; None before the first promotion."""
    return by_alias(task, CHAMPION)


def by_alias(task: str, alias: str) -> Version | None:
    """The version with this alias; None where nothing has it."""
    number = aliases(task).get(alias)
    return None if number is None else version(task, number)


def aliases(task: str) -> dict[str, int]:
    """The aliases and the numbers they point to, as of one moment."""
    client = store.client()
    with store.asking(f"the aliases of {task} cannot be looked up"):
        try:
            # Asking for a missing alias gives the same error code as a malformed request.
            found = client.get_registered_model(task).aliases
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return {}
    return {alias: int(number) for alias, number in found.items()}


def tasks(alias: str) -> list[str]:
    """Every task with a version of Roadworthy's, one of whose versions has `alias`."""
    client = store.client()
    found: list[str] = []
    token: str | None = None
    with store.asking("the models cannot be listed"):
        while True:
            page = client.search_registered_models(max_results=1000, page_token=token)
            # Others keep models in the same registry, and a claim is one as well.
            found += [
                model.name
                for model in page
                if alias in model.aliases
                and any(DIGEST in latest.tags for latest in model.latest_versions or ())
            ]
            token = page.token
            if not token:
                return sorted(found)


def version(task: str, number: int) -> Version:
    """One version by its number.

    Raises:
        TrackingError: there is none, or the registry cannot be reached.
    """
    with store.asking(f"{task}/{number} cannot be looked up"):
        return _version(store.client().get_model_version(task, str(number)))


def by_digest(task: str, digest: str) -> Version | None:
    """The latest version of this bundle; None where it was never registered."""
    client = store.client()
    with store.asking(f"the versions of {task} cannot be searched"):
        found = client.search_model_versions(f"name = '{task}' and tag.`{DIGEST}` = '{digest}'")
    return max(map(_version, found), key=lambda version: version.number, default=None)


def versions(task: str) -> list[Version]:
    """All versions of a task, oldest first."""
    return sorted(map(_version, _found(task)), key=lambda version: version.number)


def numbers(task: str) -> set[int]:
    """The numbers of all versions, also of those that Roadworthy cannot use."""
    return {int(found.version) for found in _found(task)}


def _found(task: str) -> list[ModelVersion]:
    client = store.client()
    found: list[ModelVersion] = []
    token: str | None = None
    with store.asking(f"the versions of {task} cannot be listed"):
        while True:
            page = client.search_model_versions(f"name = '{task}'", 1000, page_token=token)
            found += page
            token = page.token
            if not token:
                break
    return found


def move(task: str, alias: str, version: Version | None) -> None:
    """Give the alias to `version`, in one step; None takes it away.

    Raises:
        TrackingError: the registry cannot be reached or refuses.
    """
    client = store.client()
    missing = version is None and alias not in aliases(task)
    with store.asking(f"the alias {alias} of {task} cannot be moved"):
        if version is not None:
            client.set_registered_model_alias(task, alias, str(version.number))
        elif not missing:
            client.delete_registered_model_alias(task, alias)


def bundle_folder(version: Version, cache: Path = CACHE) -> Path:
    """A local folder with the files of the version's bundle; not to be written to.

    Artifacts on this machine are used where they are, others come to `cache`/DIGEST.

    Raises:
        BundleError: the files are not the ones that were registered.
        TrackingError: they cannot be fetched.
    """
    with store.asking(f"the files of {version.name} cannot be found"):
        model = store.client().get_logged_model(version.model_uri.removeprefix("models:/"))
        address = f"{model.artifact_location.rstrip('/')}/{BUNDLE}"
    local = _local(address)
    if local is not None and local.is_dir():
        return _verified(local, version)
    return _fetched(address, version, cache)


def _described(card: str) -> str:
    if len(card) <= LONGEST_CARD:
        return card
    return card[: LONGEST_CARD - len(CUT)].rsplit("\n", 1)[0] + CUT


def _fetched(address: str, version: Version, cache: Path) -> Path:
    target = cache / version.digest
    cache.mkdir(parents=True, exist_ok=True)
    # The service, a flow and a person may ask for the same bundle at once.
    with FileLock(cache / f".{version.digest}.lock"):
        if not target.is_dir():
            with layout.replacing(target) as temporary:
                with store.asking(f"the files of {version.name} cannot be fetched"):
                    fetched = mlflow.artifacts.download_artifacts(
                        artifact_uri=address, dst_path=str(temporary / ".fetched")
                    )
                for path in Path(fetched).iterdir():
                    path.rename(temporary / path.name)
                shutil.rmtree(temporary / ".fetched")
                _verified(temporary, version)
        return _verified(target, version)


def _verified(folder: Path, version: Version) -> Path:
    found = bundle_format.digest(folder)
    if found != version.digest:
        raise BundleError(
            f"{folder} is not what was registered as {version.name}: its digest is {found[:12]}, "
            f"not {version.digest[:12]}; delete it if it is a copy, else promote another version"
        )
    return folder


def _local(address: str) -> Path | None:
    parts = urlparse(address)
    if parts.scheme == "file":
        return Path(url2pathname(parts.path))
    return Path(address) if not parts.scheme else None


def _version(found: ModelVersion) -> Version:
    tags: dict[str, str] = found.tags
    if DIGEST not in tags:
        raise TrackingError(
            f"{found.name}/{found.version} was not registered by Roadworthy: it has no {DIGEST}"
        )
    return Version(
        task=found.name,
        number=int(found.version),
        run_id=found.run_id or "",
        digest=tags[DIGEST],
        metrics={
            key.removeprefix(METRIC): float(value)
            for key, value in tags.items()
            if key.startswith(METRIC)
        },
        created=datetime.fromtimestamp(found.creation_timestamp / 1000, UTC),
        model_uri=found.source or "",
    )
