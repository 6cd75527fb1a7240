"""What is old: the versions, runs and models of a task that its policy does not keep. Removes nothing.

Never among them: versions with an alias, the one a rollback would give, those of a decision that is
being carried out, runs that still run or made a version that stays, and the promotion history.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from mlflow.entities import LoggedModel, Run, ViewType
from mlflow.tracking._tracking_service.utils import _get_store

from roadworthy.params import Prune
from roadworthy.tracking import history, registry, store
from roadworthy.tracking.fields import MODEL
from roadworthy.tracking.registry import Version
from roadworthy.tracking.replay import replay

PARENT = "mlflow.parentRunId"
ENDED = ("FINISHED", "FAILED", "KILLED")
PAGE = 1000
MODELS_PER_PAGE = 100
MODELS = "models:/"


@dataclass(frozen=True)
class Plan:
    """What would go."""

    task: str
    versions: tuple[Version, ...]
    runs: tuple[str, ...]
    """Ids; also of those that were marked as deleted before."""
    models: tuple[str, ...]
    """Ids of logged models; also of those that were marked as deleted before."""


def plan(task: str, policy: Prune, now: datetime | None = None) -> Plan:
    """What `prune` would remove now; changes nothing.

    Args:
        now: UTC.

    Raises:
        TrackingError: the store cannot be reached.
    """
    limit = (now or datetime.now(UTC)) - timedelta(days=policy.keep_days)
    kept, going = _versions(task, policy.keep_versions, limit)
    experiment = store.find_experiment(task)
    if experiment is None:
        return Plan(task, tuple(going), (), ())
    needed = {version.model_uri.removeprefix(MODELS) for version in kept}
    with store.asking(f"runs and models of {task} cannot be listed"):
        runs = {run.info.run_id: run for run in _pages(_run_page(experiment))}
        models = {model.model_id: model for model in _pages(_model_page(experiment))}
        makers = {str(models[one].source_run_id) for one in needed & models.keys()}
        old_runs = _old(runs, policy.keep_runs, limit, makers | {one.run_id for one in kept})
        old_models = {version.model_uri.removeprefix(MODELS) for version in going}
        old_models |= {one for one, model in models.items() if model.source_run_id in old_runs}
        old_models |= _loose(models.values(), runs, limit) | _removed(experiment, limit)
    return Plan(task, tuple(going), tuple(sorted(old_runs)), tuple(sorted(old_models - needed)))


def backend() -> Any:
    """MLflow's own way to the rows, which `mlflow gc` takes; None through a server."""
    rows = _get_store(store.connect())  # type: ignore[no-untyped-call]
    return rows if hasattr(rows, "_hard_delete_run") else None


def _versions(task: str, keep: int, limit: datetime) -> tuple[list[Version], list[Version]]:
    """Those that stay, and those that go."""
    versions, aliases = registry.versions(task), registry.aliases(task)
    entries = history.entries(task)
    state = replay(entry.decision for entry in entries if not entry.pending)
    state = state.at(aliases.get(registry.CHAMPION))
    numbers = {version.number for version in versions}
    needed = {*aliases.values(), state.champion, state.previous(numbers)}
    for entry in entries:
        if entry.pending:
            needed |= {entry.decision.from_version, entry.decision.to_version}
    old = [one for one in versions[: max(0, len(versions) - keep)] if one.created < limit]
    going = [one for one in old if one.number not in needed]
    return [one for one in versions if one not in going], going


def _old(runs: Mapping[str, Run], keep: int, limit: datetime, needed: set[str]) -> set[str]:
    """Ids of runs that go; a run with others below it goes with them or not at all."""
    families: dict[str, list[Run]] = {}
    for run in runs.values():
        families.setdefault(_root(run, runs), []).append(run)
    newest = sorted(families.values(), key=lambda family: -max(_age(run) for run in family))
    living = [family for family in newest if any(_active(run) for run in family)]
    kept = {id(family) for family in living[:keep]}
    return {
        run.info.run_id
        for family in newest
        if id(family) not in kept
        and all(_over(run, limit) and run.info.run_id not in needed for run in family)
        for run in family
    }


def _root(run: Run, runs: Mapping[str, Run]) -> str:
    seen = {run.info.run_id}
    while (parent := runs.get(run.data.tags.get(PARENT, ""))) and parent.info.run_id not in seen:
        run = parent
        seen.add(run.info.run_id)
    return str(run.info.run_id)


def _active(run: Run) -> bool:
    return bool(run.info.lifecycle_stage == "active")


def _age(run: Run) -> int:
    return int(run.info.end_time or run.info.start_time)


def _over(run: Run, limit: datetime) -> bool:
    return run.info.status in ENDED and _age(run) < limit.timestamp() * 1000


def _run_page(experiment: str) -> Any:
    return lambda token: store.client().search_runs(
        [experiment], "", ViewType.ALL, PAGE, page_token=token
    )


def _model_page(experiment: str) -> Any:
    return lambda token: store.client().search_logged_models(
        [experiment], max_results=MODELS_PER_PAGE, page_token=token
    )


def _loose(models: Iterable[LoggedModel], runs: Mapping[str, Run], limit: datetime) -> set[str]:
    """Models that their runs do not name (any more), as an interrupted pruning leaves them."""
    return {
        model.model_id
        for model in models
        if _made_before(model, limit)
        and (run := runs.get(model.source_run_id or ""))
        and run.data.tags.get(MODEL) != f"{MODELS}{model.model_id}"
    }


def _removed(experiment: str, limit: datetime) -> set[str]:
    """Models of the experiment that are marked as deleted; a server does not tell them."""
    rows = backend()
    if rows is None:
        return set()
    marked = (
        rows.get_logged_model(one, allow_deleted=True) for one in rows._get_deleted_logged_models()
    )
    return {
        model.model_id
        for model in marked
        if model.experiment_id == experiment and _made_before(model, limit)
    }


def _made_before(model: LoggedModel, limit: datetime) -> bool:
    return bool(model.creation_timestamp < limit.timestamp() * 1000)


def _pages(ask: Any) -> Iterator[Any]:
    token: str | None = None
    while True:
        page = ask(token)
        yield from page
        token = page.token
        if not token:
            return
