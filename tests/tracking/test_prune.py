"""Pruning: what is old goes for good, files and all, and nothing that anybody may need."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from mlflow.entities import Metric, ViewType

from cheap_versions import bundle_of, cheap_version
from roadworthy.params import Prune
from roadworthy.tracking import handover, history, registry, store
from roadworthy.tracking import prune as module
from roadworthy.tracking.history import Decision
from roadworthy.tracking.outdated import PARENT, backend, plan
from roadworthy.tracking.prune import prune
from roadworthy.tracking.registry import Version

NOTHING = Prune(keep_versions=0, keep_runs=0, keep_days=0)
WHEN = "2026-11-21T07:12:00.000+00:00"


def soon() -> datetime:
    """A moment from which everything there is now is old."""
    return datetime.now(UTC) + timedelta(minutes=1)


def promoted(content: str) -> Version:
    new, old = cheap_version(content), registry.champion("car")
    before = old.number if old else None
    decision = Decision("car", "promoted", "Better.", before, new.number, WHEN, "ada")
    handover.hand_over(decision, old, new)
    return new


def a_run(task: str = "car", status: str = "FINISHED", **tags: str) -> str:
    client = store.client()
    run = client.create_run(store.experiment(task), tags=tags)
    client.log_text(run.info.run_id, "x" * 1000, "report.html")
    if status != "RUNNING":
        client.set_terminated(run.info.run_id, status)
    return str(run.info.run_id)


def runs(view: int = ViewType.ALL) -> set[str]:
    found = store.client().search_runs([store.experiment("car")], "", view)
    return {run.info.run_id for run in found}


def files() -> list[Path]:
    root = Path("mlruns/artifacts/car")
    return sorted(path for path in root.rglob("*") if path.is_file())


def bundle_folder(version: Version) -> Path:
    model = store.client().get_logged_model(version.model_uri.removeprefix("models:/"))
    return bundle_of(model.artifact_location)


def test_what_nobody_needs_goes_for_good(any_store: str) -> None:
    """Protects the disk: rows and files of old versions, models and runs are really gone."""
    old = [cheap_version(content * 100) for content in "ab"]
    client = store.client()
    model = old[0].model_uri.removeprefix("models:/")
    client.log_batch(
        old[0].run_id,
        [Metric("test/accuracy", 0.5, 1, 0, model_id=model, run_id=old[0].run_id)],
    )
    champion = promoted("c")
    lonely = a_run()
    result = prune("car", NOTHING, now=soon())
    assert (result.versions, result.runs, result.models) == (("car/1", "car/2"), 3, 2)
    assert result.freed == 1200
    assert runs() == {champion.run_id}
    assert lonely not in runs()
    assert [version.number for version in registry.versions("car")] == [3]
    assert [path.resolve() for path in files()] == [bundle_folder(champion) / "weights"]
    assert [path.name for path in Path("mlruns/artifacts/car").iterdir()] == ["models"]
    again = prune("car", NOTHING, now=soon())
    assert (again.versions, again.runs, again.models, again.freed) == ((), 0, 0, 0)
    # A number is never given twice, or the history would tell of another version.
    assert cheap_version("d").number == 4


def test_what_somebody_may_need_stays(any_store: str) -> None:
    """Protects champion, previous, challenger, pending, running, and what a rollback would give."""
    one, two, three = (promoted(content) for content in ("one", "two", "three"))
    challenger, waiting = cheap_version("four"), cheap_version("five")
    registry.move("car", "challenger", challenger)
    registry.move("car", "previous", None)  # as somebody may do it in MLflow
    decision = Decision("car", "promoted", "Better.", 3, waiting.number, WHEN, "ada")
    history.begin(decision)
    running = a_run(status="RUNNING")
    parent = a_run()
    child = a_run(status="RUNNING", **{PARENT: parent})
    found = plan("car", NOTHING, soon())
    assert found.versions == (one,)
    assert found.runs == (one.run_id,)
    kept = {two.run_id, three.run_id, challenger.run_id, waiting.run_id, running, parent, child}
    assert runs() - set(found.runs) == kept
    past = len(history.read())
    # Now the pending decision is void: its process is gone.
    assert set(prune("car", NOTHING, now=soon()).versions) == {"car/1", "car/5"}
    assert registry.aliases("car") == {"champion": 3, "previous": 2, "challenger": 4}
    assert len(history.read()) == past
    handover.roll_back("car")
    assert registry.champion("car") == two


@pytest.mark.parametrize(
    ("policy", "versions", "count"),
    [
        ({"keep_versions": 2}, ["car/1"], 2),
        ({"keep_runs": 3}, ["car/1", "car/2", "car/3"], 1),
        ({"keep_days": 1}, [], 0),
    ],
)
def test_the_policy_is_what_stays(
    project: Path, policy: dict[str, Any], versions: list[str], count: int
) -> None:
    """Protects the newest so many, and whatever is younger than so many days."""
    for content in ("one", "two", "three"):
        cheap_version(content)
    a_run()
    rules = Prune(**({"keep_versions": 0, "keep_runs": 0, "keep_days": 0} | policy))
    found = plan("car", rules, soon())
    assert [version.name for version in found.versions] == versions
    assert len(found.runs) == count


def test_a_dry_run_removes_nothing(project: Path) -> None:
    """Protects those who ask first; the figures are those of the real thing."""
    cheap_version("a" * 100)
    before = files(), runs(), registry.versions("car")
    told = prune("car", NOTHING, dry_run=True, now=soon())
    assert (files(), runs(), registry.versions("car")) == before
    assert told.freed == 100
    assert prune("car", NOTHING, now=soon()) == told


@pytest.mark.parametrize("at", range(1, 9))
def test_an_interrupted_pruning_is_finished_by_the_next(
    project: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    """Protects the disk from what a pruning leaves that was killed at any of its steps."""
    promoted("champion")
    kept = runs(), files()
    cheap_version("a")
    a_run()
    calls = 0

    def counted(real: Any) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == at:
                raise KeyboardInterrupt
            return real(*arguments, **options)

        return call

    with monkeypatch.context() as patch:
        client, rows = module.MlflowClient, type(backend())
        for name in ("delete_tag", "delete_model_version", "delete_logged_model", "delete_run"):
            patch.setattr(client, name, counted(getattr(client, name)))
        for name in ("_hard_delete_logged_model", "_hard_delete_run"):
            patch.setattr(rows, name, counted(getattr(rows, name)))
        with pytest.raises(KeyboardInterrupt):
            prune("car", NOTHING, now=soon())
    prune("car", NOTHING, now=soon())
    assert (runs(), files()) == kept
    assert backend()._get_deleted_logged_models() == []


def test_a_pruned_bundle_can_be_exported_again(project: Path) -> None:
    """Protects promotion of the same weights a year later: their run no longer names the old model."""
    version = cheap_version("a")
    rules = Prune(keep_versions=0, keep_runs=20, keep_days=0)
    prune("car", rules, now=soon())
    tags = store.client().get_run(version.run_id).data.tags
    assert not {"roadworthy.bundle", "roadworthy.model"} & tags.keys()
    assert registry.by_digest("car", version.digest) is None


def test_cached_bundles_of_versions_that_are_gone_go(project: Path) -> None:
    """Protects the disk of machines that fetch bundles from a server."""
    champion, old = promoted("champion"), cheap_version("old")
    for digest in (champion.digest, old.digest, "f" * 64):
        (registry.CACHE / digest).mkdir(parents=True)
        (registry.CACHE / digest / "weights").write_text("0123456789")
    assert prune("car", NOTHING, dry_run=True, now=soon()).cached == 2
    result = prune("car", NOTHING, now=soon())
    assert (result.cached, result.freed) == (2, 23)
    assert [one.name for one in registry.CACHE.iterdir() if one.is_dir()] == [champion.digest]


def test_a_task_without_anything(project: Path) -> None:
    """Protects `roadworthy prune` on a fresh checkout."""
    assert prune("car", NOTHING, now=soon()) == module.Pruned("car", (), 0, 0, 0, 0)
