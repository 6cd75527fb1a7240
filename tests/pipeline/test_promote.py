"""The gate: who becomes champion, who does not, and that nothing on the way can take one away."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import pytest

from roadworthy import environment
from roadworthy.bundle import format as bundle_format
from roadworthy.bundle.format import Lineage
from roadworthy.errors import (
    BundleError,
    DataError,
    ParamsError,
    RoadworthyError,
    StaleError,
    TrackingError,
)
from roadworthy.params import TaskPlan, parse
from roadworthy.pipeline.promote import measure, promote
from roadworthy.tracking import fields, history, registry, store
from roadworthy.tracking.registry import Version
from roadworthy.tracking.runs import RunLog
from support import free_port, tiny_bundle, write_images

# Of the ten test images six are cars, so that a model that always says car is right in 0.6.
CAR, ALSO_CAR, NOT_CAR = 50.0, 60.0, -50.0
Export = Callable[[float], Path]


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(store.VARIABLE, f"sqlite:///{path}")
        store.connect()
    return path


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[float, Path]:
    folder = tmp_path_factory.mktemp("bundles")
    return {bias: tiny_bundle(folder / f"{bias}", bias=bias) for bias in (CAR, ALSO_CAR, NOT_CAR)}


@pytest.fixture
def project(empty_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project whose training and split are done, as the current folder."""
    before = mlflow.get_tracking_uri()
    for name, value in environment.SWITCHES.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "mlruns").mkdir()
    shutil.copyfile(empty_store, tmp_path / "mlruns" / "mlflow.db")
    monkeypatch.setenv(store.VARIABLE, f"sqlite:///{tmp_path / 'mlruns' / 'mlflow.db'}")
    monkeypatch.chdir(tmp_path)
    paths = [path.relative_to(tmp_path).as_posix() for path in write_images(tmp_path / "data", 12)]
    rows = {
        "path": paths,
        "label": ["car"] * 6 + ["not_car"] * 6,
        "split": ["test"] * 10 + ["train"] * 2,
    }
    train, split = tmp_path / "artifacts/car/train", tmp_path / "artifacts/car/split"
    train.mkdir(parents=True)
    split.mkdir()
    pd.DataFrame(rows).to_parquet(split / "split.parquet")
    (train / "model.safetensors").write_bytes(b"weights")
    (train / "train.json").write_text('{"backbone": null}')
    (train / "history.csv").write_text("epoch,train/loss\n0,0.5\n1,0.4\n")
    yield tmp_path
    mlflow.set_tracking_uri(before)


@pytest.fixture
def export(project: Path, bundles: dict[float, Path]) -> Export:
    """Put a bundle in the place where the stage `export` leaves it."""

    def put(bias: float) -> Path:
        target = project / "artifacts/car/export"
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(bundles[bias], target)
        return target

    return put


def plan(**settings: Any) -> TaskPlan:
    text = {
        "tasks": {"car": {"kind": "binary", "images": "data"}},
        "promote": {"floors": {"accuracy": 0.5}, **settings},
    }
    return parse(json.dumps(text)).task("car")


def aliases() -> dict[str, int]:
    found = {alias: registry.by_alias("car", alias) for alias in registry.ALIASES}
    return {alias: version.number for alias, version in found.items() if version}


def verdicts() -> list[str]:
    return [decision.decision for decision in history.read("car")]


def test_the_first_champion_must_reach_the_floors(project: Path, export: Export) -> None:
    """Protects the road from a first model that merely exists."""
    export(NOT_CAR)
    decision = promote(plan())
    assert decision.decision == "refused"
    assert "accuracy 0.4000 is under 0.5000" in decision.reason
    assert aliases() == {"challenger": 1}
    export(CAR)
    floors = {"accuracy": 0.6, "balanced_accuracy": 0.5, "macro_f1": 0.3}
    decision = promote(plan(floors=floors))
    assert decision.decision == "promoted"
    assert (decision.from_version, decision.to_version) == (None, 2)
    assert decision.metrics["challenger/accuracy"] == 0.6
    assert aliases() == {"champion": 2}
    assert history.read("car")[-1] == decision


def test_a_better_challenger_takes_over(project: Path, export: Export) -> None:
    """Protects the point of it all, and rollback, which needs `previous`."""
    export(NOT_CAR)
    promote(plan(floors={}))
    export(CAR)
    decision = promote(plan())
    assert decision.decision == "promoted"
    assert (decision.from_version, decision.to_version) == (1, 2)
    assert aliases() == {"champion": 2, "previous": 1}
    assert decision.metrics["difference"] == pytest.approx(0.2)
    assert decision.metrics["difference_low"] < 0.2 < decision.metrics["difference_high"]
    assert (decision.metrics["wins"], decision.metrics["losses"]) == (6, 4)


@pytest.mark.parametrize("bias", [NOT_CAR, ALSO_CAR])
def test_a_worse_one_and_a_tie_keep_the_champion(
    project: Path, export: Export, bias: float
) -> None:
    """Protects the champion from `>=`: noise alone would otherwise change what is served."""
    export(CAR)
    promote(plan())
    export(bias)
    decision = promote(plan())
    assert decision.decision == "refused"
    assert aliases() == {"champion": 1, "challenger": 2}
    assert verdicts() == ["promoted", "refused"]


def test_the_margin_is_what_must_be_exceeded(project: Path, export: Export) -> None:
    """Protects `promote.margin`: 0.6 against 0.4 is not more than a margin of 0.25."""
    export(NOT_CAR)
    promote(plan(floors={}))
    export(CAR)
    assert promote(plan(margin=0.25)).decision == "refused"
    assert promote(plan(margin=0.15)).decision == "promoted"
    assert [version.number for version in registry.versions("car")] == [1, 2]


def test_the_champion_again_is_no_news(project: Path, export: Export) -> None:
    """Protects registry and history from the nightly run on unchanged data."""
    export(CAR)
    promote(plan())
    decision = promote(plan())
    assert decision.decision == "unchanged"
    assert verdicts() == ["promoted"]
    assert len(registry.versions("car")) == 1
    assert aliases() == {"champion": 1}


def test_stored_scores_are_not_believed(project: Path, export: Export) -> None:
    """Protects against a bundle that claims 0.9, as these do, and is right in 0.4."""
    folder = export(NOT_CAR)
    assert bundle_format.read_spec(folder).metrics["accuracy"] == 0.9
    assert promote(plan(floors={"accuracy": 0.8})).decision == "refused"


def test_the_run_of_the_training_is_the_one_registered(project: Path, export: Export) -> None:
    """Protects lineage: the version points to the run that export wrote to, if there is one."""
    folder = export(CAR)
    with RunLog.start("car", params={}, lineage=Lineage(params_hash="a"), sample_every=0) as run:
        run.bundle(folder)
    promote(plan())
    champion = registry.champion("car")
    assert champion is not None
    assert champion.run_id == run.run_id


def test_a_fresh_store_gets_the_run_from_the_files(project: Path, export: Export) -> None:
    """Protects promotion after `dvc pull`, where this store never saw the training."""
    export(CAR)
    promote(plan())
    champion = registry.champion("car")
    assert champion is not None
    run = store.client().get_run(champion.run_id)
    assert run.data.tags[fields.RESTORED] == "true"
    assert run.data.metrics["train/loss"] == 0.4


def test_the_decision_can_be_read_without_mlflow(project: Path, export: Export) -> None:
    """Protects people and CI, who look into `artifacts/TASK/promote`."""
    export(CAR)
    decision = promote(plan())
    folder = project / "artifacts/car/promote"
    assert json.loads((folder / "decision.json").read_text()) == decision.as_dict()
    page = (folder / "decision.md").read_text()
    assert "# car: promoted" in page
    assert "| challenger/accuracy | 0.6000 |" in page


def spoil_image(project: Path) -> None:
    (project / "data/0003.png").write_bytes(b"not an image")


def spoil_champion(project: Path) -> None:
    champion = registry.champion("car")
    assert champion is not None
    (registry.bundle_folder(champion) / "card.md").write_text("changed")


def remove_export(project: Path) -> None:
    shutil.rmtree(project / "artifacts/car/export")


def another_task(project: Path) -> None:
    path = project / "artifacts/car/export/bundle.json"
    path.write_text(path.read_text().replace('"task": "car"', '"task": "police"'))


def no_test_rows(project: Path) -> None:
    path = project / "artifacts/car/split/split.parquet"
    pd.read_parquet(path).assign(split="train").to_parquet(path)


def damaged_split(project: Path) -> None:
    (project / "artifacts/car/split/split.parquet").write_bytes(b"not a table")


@pytest.mark.parametrize(
    ("spoil", "error", "words"),
    [
        (spoil_image, DataError, "test image data/0003.png: not an image"),
        (spoil_champion, BundleError, "not what was registered"),
        (remove_export, StaleError, "dvc repro export@car"),
        (another_task, BundleError, "'police'"),
        (no_test_rows, DataError, "no test rows"),
        (damaged_split, RoadworthyError, "the promotion of car failed"),
    ],
)
def test_what_cannot_be_judged_is_not_promoted(
    project: Path,
    export: Export,
    spoil: Callable[[Path], None],
    error: type[Exception],
    words: str,
) -> None:
    """Protects the champion from every kind of trouble, and writes the trouble down."""
    export(NOT_CAR)
    promote(plan(floors={}))
    export(CAR)
    spoil(project)
    with pytest.raises(error, match=words):
        promote(plan())
    assert aliases() == {"champion": 1}
    assert verdicts() == ["promoted", "failed"]
    written = json.loads((project / "artifacts/car/promote/decision.json").read_text())
    assert written["decision"] == "failed"
    assert words in written["reason"] or error is RoadworthyError


@pytest.mark.parametrize("settings", [{"floors": {"acuracy": 0.5}}, {"metric": "recall"}])
def test_a_gate_that_does_not_exist_stops(
    project: Path, export: Export, settings: dict[str, Any]
) -> None:
    """Protects against a misspelt floor, which would otherwise never be checked."""
    export(CAR)
    with pytest.raises(ParamsError, match=r"acuracy|recall"):
        promote(plan(**settings))
    assert aliases() == {}


class Crashes:
    """`registry.move` that fails at its `at`-th call, and from then on if `for_good`."""

    def __init__(self, at: int, for_good: bool) -> None:
        self.at, self.for_good, self.calls, self.real = at, for_good, 0, registry.move

    def __call__(self, task: str, alias: str, version: Version | None) -> None:
        self.calls += 1
        if self.calls == self.at or (self.for_good and self.calls > self.at):
            raise TrackingError("the registry went away")
        self.real(task, alias, version)


# The four moves: challenger to the new version, previous, champion, challenger away.
@pytest.mark.parametrize("at", [1, 2, 3, 4])
def test_a_failed_move_puts_every_alias_back(
    project: Path, export: Export, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    """Protects the promise that a promotion happens as a whole or not at all."""
    export(NOT_CAR)
    promote(plan(floors={}))
    before = aliases()
    export(CAR)
    with monkeypatch.context() as patch:
        patch.setattr(registry, "move", Crashes(at, for_good=False))
        with pytest.raises(TrackingError, match="went away"):
            promote(plan())
    assert aliases() == before
    assert verdicts()[-1] == "failed"
    assert promote(plan()).decision == "promoted"
    assert aliases() == {"champion": 2, "previous": 1}


@pytest.mark.parametrize("at", [1, 2, 3, 4])
def test_a_crash_that_cannot_be_undone_leaves_a_champion(
    project: Path, export: Export, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    """Protects the service from a registry that dies half-way: there is always a champion."""
    export(NOT_CAR)
    promote(plan(floors={}))
    export(CAR)
    with monkeypatch.context() as patch:
        patch.setattr(registry, "move", Crashes(at, for_good=True))
        with pytest.raises(TrackingError, match="went away"):
            promote(plan())
    assert aliases()["champion"] == (2 if at == 4 else 1)
    decision = promote(plan())
    assert (decision.decision, decision.from_version, decision.to_version) == ("promoted", 1, 2)
    assert history.read("car")[-1] == decision
    assert aliases() == {"champion": 2, "previous": 1}


def test_a_dead_server_is_one_clear_error(
    project: Path, export: Export, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Protects against a long wait and a traceback; what happened is still left in the files."""
    export(CAR)
    monkeypatch.setenv(store.VARIABLE, f"http://127.0.0.1:{free_port()}")
    with pytest.raises(TrackingError, match="does not answer"):
        promote(plan())
    written = json.loads((project / "artifacts/car/promote/decision.json").read_text())
    assert written["decision"] == "failed"


def test_an_interruption_is_a_failure_too(
    project: Path, export: Export, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Protects the aliases from Ctrl-C in the middle of the measuring."""
    export(CAR)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("roadworthy.pipeline.promote.measure", interrupt)
    with pytest.raises(KeyboardInterrupt):
        promote(plan())
    assert aliases() == {}
    assert verdicts() == ["failed"]


def test_an_answer_outside_of_the_test_labels_is_wrong(project: Path, export: Export) -> None:
    """Protects the figures when the champion knows a class that the test rows do not have."""
    rows = pd.DataFrame({"path": ["data/0000.png", "data/0001.png"], "label": ["not_car", "van"]})
    measured = measure(export(CAR), rows)
    assert measured.figures["accuracy"] == 0.0
    assert not measured.correct.any()
