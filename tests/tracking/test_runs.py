"""A run holds what was done, is found again by its weights, and never ends as a lie."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from roadworthy.bundle import format as bundle_format
from roadworthy.bundle.format import Lineage
from roadworthy.errors import TrackingError
from roadworthy.tracking import fields, process, store
from roadworthy.tracking.runs import RunLog
from support import tiny_bundle

LINEAGE = Lineage(params_hash="abc", git_commit="c0ffee", git_dirty=True, data_version="d" * 36)
PARAMS = {"train": {"lr": 0.1, "unfreeze": ["head"]}, "weights": None, "long": "x" * 900}
ROWS = pd.DataFrame(
    {
        "path": [f"data/car/car/{n}.png" for n in range(6)],
        "label": ["car", "not_car"] * 3,
        "split": ["train", "train", "train", "val", "test", "test"],
        "width": [1] * 6,
    }
)
TRAINING = """
import sys, time
from roadworthy.bundle.format import Lineage
from roadworthy.tracking.runs import RunLog
with RunLog.start("car", params={"a": 1}, lineage=Lineage(params_hash="abc"), sample_every=0) as run:
    run.metrics({"train/loss": 0.5, "val/loss": float("nan")}, 0)
    print(run.run_id, flush=True)
    time.sleep(60)
"""


@contextmanager
def training() -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Another process in the middle of a training, and the id of its run."""
    process = subprocess.Popen(
        [sys.executable, "-c", TRAINING], stdout=subprocess.PIPE, text=True, env=dict(os.environ)
    )
    assert process.stdout is not None
    try:
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def start(**changes: Any) -> RunLog:
    return RunLog.start(
        "car", **{"params": PARAMS, "lineage": LINEAGE, "sample_every": 0, **changes}
    )


def stored(run: RunLog) -> Run:
    return store.client().get_run(run.run_id)


def test_a_training_leaves_all_that_explains_it(project: Path) -> None:
    """Protects the run's page: parameters, data sets, lineage, metrics, files."""
    (project / "plot.svg").write_text("<svg/>")
    with start(rows=ROWS, note="three epochs") as run:
        run.metrics({"train/loss": 0.5, "val/accuracy": 0.7}, 0)
        run.metrics({"train/loss": 0.3, "val/accuracy": 0.8}, 1)
        run.artifact(project / "plot.svg", "plots")
        run.trained("w1")
    found = stored(run)
    assert found.info.status == "FINISHED"
    assert found.info.run_name.startswith("car-20")
    assert found.data.params["train.lr"] == "0.1"
    assert found.data.params["train.unfreeze"] == '["head"]'
    assert len(found.data.params["long"]) == 500
    assert found.data.metrics == {"train/loss": 0.3, "val/accuracy": 0.8}
    assert found.data.tags["mlflow.source.git.commit"] == "c0ffee"
    assert found.data.tags["mlflow.note.content"] == "three epochs"
    sets = {i.dataset.name: i.dataset for i in found.inputs.dataset_inputs}
    assert set(sets) == {"car-train", "car-val", "car-test"}
    assert {s.digest for s in sets.values()} == {LINEAGE.data_version}
    assert json.loads(sets["car-train"].profile)["num_rows"] == 3
    assert [f.path for f in store.client().list_artifacts(run.run_id, "plots")] == [
        "plots/plot.svg"
    ]
    assert run.lineage() == LINEAGE.model_copy(update={"run_id": run.run_id})


def test_system_metrics_are_measured(project: Path) -> None:
    """Protects the figures that show whether the machine or the model is slow."""
    with start(sample_every=0.2) as run:
        time.sleep(1.2)
    assert "system/cpu_utilization_percentage" in stored(run).data.metrics


def test_later_stages_find_the_run_by_its_weights(project: Path) -> None:
    """Protects evaluate and export, processes of their own, from writing to another model's run."""
    for weights in ("w1", "w2", "w1"):
        with start() as run:
            run.trained(weights)
    with start() as unfinished:
        unfinished.trained("w3")
        assert RunLog.find("car", "w3") is None
    found = RunLog.find("car", "w1")
    assert found is not None
    assert found.run_id == run.run_id
    assert RunLog.find("car", "nobody") is None
    assert RunLog.find("police", "w1") is None
    found.metrics({"test/accuracy": 0.9, "test/accuracy_low": 0.8})
    assert stored(found).data.metrics["test/accuracy"] == 0.9
    assert stored(found).info.status == "FINISHED"


def test_a_run_is_restored_from_its_files(project: Path) -> None:
    """Protects those who pull results from DVC's cache: their store never saw the training."""
    history = pd.DataFrame(
        {"epoch": [0, 1], "train/loss": [0.5, 0.4], "val/accuracy": [0.7, float("nan")]}
    )
    RunLog.restore("car", weights="w1", params=PARAMS, lineage=LINEAGE, history=history, rows=ROWS)
    run = RunLog.find("car", "w1")
    assert run is not None
    found = stored(run)
    assert found.info.status == "FINISHED"
    assert found.data.tags[fields.RESTORED] == "true"
    assert found.data.metrics == {"train/loss": 0.4, "val/accuracy": 0.7}
    steps = store.client().get_metric_history(run.run_id, "train/loss")
    assert [(point.step, point.value) for point in steps] == [(0, 0.5), (1, 0.4)]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ValueError("no good"), "FAILED"),
        (KeyboardInterrupt(), "KILLED"),
        (SystemExit(143), "KILLED"),
    ],
)
def test_what_went_wrong_is_what_is_recorded(
    project: Path, error: BaseException, status: str
) -> None:
    """Protects the list of runs from half-trained models that look finished."""
    with pytest.raises(type(error)), start() as run:
        run.trained("w1")
        raise error
    assert stored(run).info.status == status
    assert RunLog.find("car", "w1") is None
    assert ("no good" in stored(run).data.tags.get(fields.ERROR, "")) == (status == "FAILED")


def test_a_terminated_process_marks_its_run_killed(project: Path) -> None:
    """Protects against runs that say RUNNING for ever after a scheduler stopped the job."""
    with training() as (process, run_id):
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 128 + signal.SIGTERM
    assert store.client().get_run(run_id).info.status == "KILLED"


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_an_interrupted_run_is_taken_up_again(project: Path, how: signal.Signals) -> None:
    """Protects the run's page from two halves of one training, and from figures that occur twice."""
    with training() as (process, run_id):
        process.send_signal(how)
        process.wait(timeout=60)
    with start(params={"a": 2, "b": 3}, resume=run_id) as run:
        assert run.run_id == run_id
        assert stored(run).info.status == "RUNNING"
        rows = [{"epoch": 0, "train/loss": 0.5, "word": "x"}, {"epoch": 1, "train/loss": 0.4}]
        run.replay(rows)
        run.metrics({"train/loss": 0.4}, 1)
        run.metrics({"train/loss": 0.3}, 2)
        run.replay([*rows, {"epoch": 2, "train/loss": 0.3}])
    history = store.client().get_metric_history(run_id, "train/loss")
    assert [(point.step, point.value) for point in history] == [(0, 0.5), (1, 0.4), (2, 0.3)]
    assert len(store.client().get_metric_history(run_id, "val/loss")) == 1
    found = stored(run)
    assert found.info.status == "FINISHED"
    assert found.data.tags[fields.RESUMED] == "1"
    assert found.data.params == {"a": "1", "b": "3"}
    assert json.loads(found.data.tags[fields.CHANGED]) == {"a": "2"}
    assert found.data.tags["mlflow.source.git.commit"] == "c0ffee"


def test_a_run_that_failed_is_taken_up_without_its_error(project: Path) -> None:
    """Protects the page of a training that ran out of disk once and then finished."""
    with pytest.raises(OSError), start() as run:
        raise OSError("disk full")
    with start(resume=run.run_id) as again:
        pass
    assert again.run_id == run.run_id
    assert stored(again).info.status == "FINISHED"
    assert fields.ERROR not in stored(again).data.tags


@pytest.mark.parametrize("gone", ["never there", "deleted"])
def test_a_run_that_the_store_has_not_is_begun_anew(
    project: Path, gone: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Protects a training that was begun with another tracking server."""
    run_id = "0" * 32
    if gone == "deleted":
        with start() as run:
            run_id = run.run_id
        store.client().delete_run(run_id)
    with start(resume=run_id) as new:
        new.replay([{"epoch": 0, "train/loss": 0.5}])
    assert new.run_id != run_id
    assert f"{run_id} is not in this store" in caplog.text
    assert stored(new).data.metrics == {"train/loss": 0.5}


def test_a_run_whose_process_died_is_marked_by_the_next_one(project: Path) -> None:
    """Protects the list of runs from trainings that seem to go on for ever; nobody else's is touched."""
    with training() as (alive, running), training() as (dead, cut_off):
        dead.kill()
        dead.wait()
        elsewhere = start()
        elsewhere.tags({process.PROCESS: f"another-machine/{process.me().split('/', 1)[1]}"})
        with start():
            pass
        status = {r: store.client().get_run(r).info.status for r in (running, cut_off)}
        assert status == {running: "RUNNING", cut_off: "KILLED"}
        assert alive.poll() is None
    assert stored(elsewhere).info.status == "RUNNING"


def test_a_process_is_known_by_its_start(project: Path) -> None:
    """Protects a live run's neighbour: numbers of processes are used again."""
    mine = process.me()
    assert not process.gone(mine)
    place, begun = mine.rsplit("/", 1)
    assert process.gone(f"{place}/{float(begun) - 1000:.0f}")
    assert not process.gone("")
    assert not process.gone("somewhere/else/1/1")


def test_a_run_below_another(project: Path) -> None:
    """Protects the tree of a search in MLflow's list."""
    with start(name="tune-car") as parent, start(parent=parent.run_id, name="trial-1") as child:
        pass
    assert stored(child).data.tags["mlflow.parentRunId"] == parent.run_id
    assert stored(child).info.run_name == "trial-1"


def test_the_signal_handler_is_given_back(project: Path) -> None:
    """Protects whoever else handles SIGTERM in this process."""
    before = signal.getsignal(signal.SIGTERM)
    with start():
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_store_that_goes_away_does_not_end_the_training(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Protects hours of training from a server's restart: figures wait, and none is lost."""

    def refuse(*_: object, **__: object) -> None:
        raise MlflowException("gone")

    with start() as run:
        with monkeypatch.context() as away:
            away.setattr(run.client, "log_batch", refuse)
            run.metrics({"train/loss": 0.5}, 0)
        run.metrics({"train/loss": 0.4}, 1)
    assert len(store.client().get_metric_history(run.run_id, "train/loss")) == 2


def test_a_run_with_holes_cannot_be_found_by_its_weights(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Protects evaluate: a run that lost figures is restored from the files rather than trusted."""

    def refuse(*_: object, **__: object) -> None:
        raise MlflowException("gone")

    with start() as run:
        monkeypatch.setattr(run.client, "log_batch", refuse)
        run.metrics({"train/loss": 0.5}, 0)
        run.trained("w1")
    assert RunLog.find("car", "w1") is None


def test_a_found_run_does_not_swallow_errors(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Protects evaluate from reporting figures that were never recorded."""
    with start() as run:
        run.trained("w1")
    found = RunLog.find("car", "w1")
    assert found is not None
    store.client().delete_run(run.run_id)
    with pytest.raises(TrackingError, match="metrics could not be logged"):
        found.metrics({"test/accuracy": 0.9})


def test_a_bundle_is_logged_once_with_lineage_and_figures(project: Path) -> None:
    """Protects the registry's size, and the link from a model back to its run."""
    folder = tiny_bundle(project / "export")
    digest = bundle_format.digest(folder)
    with start() as run:
        run.trained("w1")
    uri = run.bundle(folder)
    assert run.bundle(folder) == uri
    assert run.model(digest) == uri
    assert run.model("another") is None
    assert not (folder / bundle_format.LINEAGE).exists()
    again = RunLog.of_bundle("car", digest)
    assert again is not None
    assert again.run_id == run.run_id
    model = store.client().get_logged_model(uri.removeprefix("models:/"))
    assert model.source_run_id == run.run_id
    assert {metric.key: metric.value for metric in model.metrics} == {"test/accuracy": 0.9}
    assert stored(run).data.metrics == {"test/accuracy": 0.9}
