"""A search that really trains: it finds, leaves the road alone, and goes on after a kill."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import yaml
from mlflow.entities import Run

from roadworthy.errors import ParamsError, StaleError
from roadworthy.pipeline import plan, tune
from roadworthy.tracking import store
from small_training import SETTINGS, write_cache

# The same search in a process of its own, with steps slow enough to be killed in the middle.
SLOWLY = """
import time
from roadworthy.pipeline.tune import run
from roadworthy.training.module import Classifier
step = Classifier.training_step
Classifier.training_step = lambda *a: (time.sleep(0.1), step(*a))[1]
run("car")
"""
SPACE = {"train.lr": {"low": 1e-4, "high": 0.1, "log": True}, "train.optimizer": ["adamw", "sgd"]}


@pytest.fixture
def own(project: Path) -> Path:
    """A project whose images are prepared, with a search of three trials of three epochs."""
    settings = yaml.safe_load(SETTINGS)
    settings["tasks"]["car"]["train"] |= {"epochs": 3}
    settings["tune"] = {"trials": 3, "space": SPACE}
    (project / "params.yaml").write_text(yaml.safe_dump(settings))
    (project / "data.dvc").write_text(f"outs: [{{md5: {'d' * 32}.dir, path: data}}]")
    plan.run()
    write_cache(project / "made")
    shutil.move(project / "made/cache", project / "artifacts/car/prepare")
    return project


def trials() -> pd.DataFrame:
    return pd.read_csv("artifacts/car/tune/trials.csv")


def runs() -> list[Run]:
    experiment = store.find_experiment("car")
    assert experiment is not None
    found: list[Run] = store.client().search_runs([experiment])
    return found


def change(**tune: object) -> None:
    settings = yaml.safe_load(Path("params.yaml").read_text())
    settings["tune"] |= tune
    Path("params.yaml").write_text(yaml.safe_dump(settings))


def test_it_finds_and_leaves_the_road_alone(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Protects what people see of a search, and the model that they have."""
    tune.run("car")
    said = capsys.readouterr().out
    table = trials()
    assert list(table["state"]) == ["complete"] * 3
    assert list(table["note"].fillna("")) == ["present settings", "", ""]
    best = table.loc[table["val/loss"].idxmin()]
    text = Path("artifacts/car/tune/best.yaml").read_text()
    assert yaml.safe_load(text)["tasks"]["car"]["train"]["lr"] == best["train.lr"]
    assert text in said
    html = Path("artifacts/car/tune/search.html").read_text()
    assert "data:image/png" in html and "http" not in html

    parents = [run for run in runs() if "mlflow.parentRunId" not in run.data.tags]
    children = [run for run in runs() if "mlflow.parentRunId" in run.data.tags]
    assert len(parents) == 1 and len(children) == 3
    assert {run.data.tags["mlflow.parentRunId"] for run in children} == {parents[0].info.run_id}
    assert {run.info.status for run in runs()} == {"FINISHED"}
    assert {run.data.params["train.lr"] for run in children} == set(table["train.lr"].map(repr))
    assert sorted(run.data.metrics["best/val/loss"] for run in children) == sorted(
        table["val/loss"]
    )
    files = store.client().list_artifacts(parents[0].info.run_id)
    assert {file.path for file in files} == {"search.html", "trials.csv", "best.yaml"}
    assert not any(key.startswith("test/") for run in runs() for key in run.data.metrics)
    assert not any("roadworthy.weights" in run.data.tags for run in runs())
    assert sorted(path.name for path in Path("artifacts/car").iterdir()) == ["prepare", "tune"]
    assert not Path("checkpoints").exists() and not Path("dvc.lock").exists()

    # Again, nothing is left to do; with more trials asked for, these are added.
    before = table
    tune.run("car")
    assert trials().equals(before)
    tune.run("car", trials=4)
    assert trials()[:3].equals(before) and len(trials()) == 4
    assert len([run for run in runs() if "mlflow.parentRunId" not in run.data.tags]) == 1


@pytest.mark.slow
def test_a_search_that_is_killed_goes_on_to_the_same_end(own: Path) -> None:
    """Protects a night of trials from the power cut, and from the scheduler's time limit."""
    tune.run("car")
    whole = trials().drop(columns="trial")
    shutil.rmtree(".cache/tune")
    for how in (signal.SIGKILL, signal.SIGTERM):
        before = _histories()
        search = subprocess.Popen(
            [sys.executable, "-c", SLOWLY], cwd=own, start_new_session=True, env=dict(os.environ)
        )
        _wait_for_an_epoch(search, before)
        os.kill(search.pid, how)
        code = search.wait(timeout=60)
        assert code == (-9 if how == signal.SIGKILL else 128 + signal.SIGTERM)
        if how == signal.SIGTERM:
            assert not [run for run in runs() if run.info.status == "RUNNING"]
    tune.run("car")
    assert trials().drop(columns="trial").equals(whole)
    assert {run.info.status for run in runs()} == {"FINISHED"}
    taken_up = [run for run in runs() if "roadworthy.resumed" in run.data.tags]
    trial = next(run for run in taken_up if "mlflow.parentRunId" in run.data.tags)
    history = store.client().get_metric_history(trial.info.run_id, "val/loss")
    assert [point.step for point in history] == [0, 1, 2]
    assert not list(Path(".cache/tune").glob("*/trial-*"))


@pytest.mark.slow
def test_several_processes_search_at_once(own: Path) -> None:
    """Protects the number of trials from those who share them, and leaves nobody behind."""
    tune.run("car", trials=6, jobs=2)
    assert list(trials()["state"].isin(["complete", "pruned"])) == [True] * 6
    assert {run.info.status for run in runs()} == {"FINISHED"}
    assert len(runs()) == 7


def test_a_changed_space_is_another_search(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Protects from a best that was found under other conditions."""
    tune.run("car", trials=1)
    change(space={"train.lr": [0.001, 0.01]})
    tune.run("car", trials=1)
    said = capsys.readouterr().out
    assert "begins anew" in said
    assert len(list(Path(".cache/tune").glob("car-*"))) == 2
    assert "train.optimizer" not in trials()


def test_nothing_begins_that_cannot_end(own: Path) -> None:
    """Protects the time until somebody looks: wrong names, wrong values, stages that were not run."""
    for name, value, words in (
        ("train.lrr", [0.1], "did you mean lr"),
        ("train.lr", [-1.0], "train.lr cannot be -1.0"),
        ("backbone.name", ["resnet1"], "resnet1"),
    ):
        change(space={name: value})
        with pytest.raises(ParamsError, match=words):
            tune.run("car")
    change(space=SPACE)
    settings = Path("params.yaml").read_text()
    Path("params.yaml").write_text(settings.replace("height: 20", "height: 24"))
    with pytest.raises(StaleError, match="input of car changed"):
        tune.run("car")
    Path("params.yaml").write_text(settings.replace("weights: null", "weights: pretrain"))
    plan.run()
    with pytest.raises(StaleError, match="dvc repro pretrain"):
        tune.run("car")
    Path("params.yaml").write_text(settings)
    plan.run()
    shutil.rmtree("artifacts/car/prepare")
    with pytest.raises(StaleError, match="dvc repro prepare@car"):
        tune.run("car")
    assert not Path(".cache/tune").exists() and not Path("mlruns").exists()


def test_settings_that_explode_are_a_result(own: Path) -> None:
    """Protects the search from ending where it has learned something."""
    change(space={"train.lr": [1e30]})
    tune.run("car", trials=1)
    assert trials()["state"][0] == "pruned"
    assert "diverged" in trials()["note"][0]
    assert not Path("artifacts/car/tune/best.yaml").exists()


def test_the_value_is_that_of_the_epoch_which_training_would_keep(own: Path) -> None:
    """Protects from settings whose best accuracy is in an epoch that nobody keeps."""
    change(metric="val/accuracy", trials=2)
    tune.run("car")
    for run in (run for run in runs() if "mlflow.parentRunId" in run.data.tags):
        points = {
            key: [p.value for p in store.client().get_metric_history(run.info.run_id, key)]
            for key in ("val/loss", "val/accuracy")
        }
        kept = min(range(3), key=points["val/loss"].__getitem__)
        assert run.data.metrics["best/val/accuracy"] == points["val/accuracy"][kept]


def _histories() -> set[tuple[str, int]]:
    found = Path(".cache/tune").glob("*/trial-*/history.csv")
    with contextlib.suppress(FileNotFoundError):  # a trial has just ended
        return {(str(path), path.stat().st_mtime_ns) for path in found}
    return set()


def _wait_for_an_epoch(search: "subprocess.Popen[bytes]", before: set[tuple[str, int]]) -> None:
    """Until a trial has ended its first epoch and is in the next one."""
    limit = time.monotonic() + 120
    while time.monotonic() < limit and search.poll() is None:
        if _histories() - before:
            return
        time.sleep(0.02)
    raise AssertionError("no trial began")
