"""The stage as people run it: killed, stopped, in two processes; one MLflow run, one result."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from mlflow.entities import Run

from roadworthy import params
from roadworthy.errors import ParamsError
from roadworthy.pipeline import fitting, plan, train
from roadworthy.tracking import store
from small_training import SETTINGS, write_cache

# The stage in a process of its own, with steps slow enough to be killed in the middle.
SLOWLY = """
import sys, time
from roadworthy.cli import app
from roadworthy.training.module import Classifier
step = Classifier.training_step
Classifier.training_step = lambda *a: (time.sleep(0.1), step(*a))[1]
app(sys.argv[1:])
"""


def project_of(folder: Path, **changes: Any) -> params.TaskPlan:
    """A project whose images are prepared, with a training of three epochs."""
    settings = yaml.safe_load(SETTINGS)
    settings["tasks"]["car"]["train"] |= changes
    (folder / "params.yaml").write_text(yaml.safe_dump(settings))
    (folder / "data.dvc").write_text(f"outs: [{{md5: {'d' * 32}.dir, path: data}}]")
    plan.run()
    if not (folder / "artifacts/car/prepare").exists():
        write_cache(folder / "made")
        shutil.move(folder / "made/cache", folder / "artifacts/car/prepare")
    return params.load_plan(folder / "artifacts/plan/car.yaml")


def runs() -> list[Run]:
    experiment = store.find_experiment("car")
    assert experiment is not None
    found: list[Run] = store.client().search_runs([experiment])
    return found


def interrupted(number: signal.Signals) -> tuple[int, str]:
    """Exit status and output of a training that got a signal in its second epoch."""
    command = [sys.executable, "-c", SLOWLY, "train", "--task", "car"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    limit = time.monotonic() + 300
    while not list(Path("checkpoints").glob("*/history.csv")) and time.monotonic() < limit:
        time.sleep(0.02)
    time.sleep(0.25)
    child.send_signal(number)
    said, _ = child.communicate(timeout=60)
    return child.returncode, said


def test_an_interrupted_training_is_one_run_and_one_result(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """SIGTERM marks it KILLED, kill -9 cannot; then the run goes on, each epoch in it once."""
    plan = project_of(project)
    status, said = interrupted(signal.SIGTERM)
    assert status == 143, said
    assert not (project / "artifacts/car/train").exists()
    (stopped,) = runs()
    assert stopped.info.status == "KILLED"
    status, said = interrupted(signal.SIGKILL)
    assert status == -9, said
    train.run(plan)
    (run,) = runs()
    assert run.info.run_id == stopped.info.run_id and run.info.status == "FINISHED"
    points = store.client().get_metric_history(run.info.run_id, "val/loss")
    assert sorted(point.step for point in points) == [0, 1, 2]
    assert not list(Path("checkpoints").iterdir())
    resumed = (project / "artifacts/car/train" / train.MODEL).read_bytes()
    train.run(plan)
    assert (project / "artifacts/car/train" / train.MODEL).read_bytes() == resumed


@pytest.mark.slow
def test_two_processes_leave_one_run_and_one_result(project: Path) -> None:
    """`train.processes` starts them; only the first one writes and logs."""
    plan = project_of(project, processes=2)
    environment = {k: v for k, v in os.environ.items() if k not in ("RANK", "WORLD_SIZE")}
    command = [sys.executable, "-m", "roadworthy", "train", "--task", "car"]
    subprocess.run(command, check=True, capture_output=True, env=environment, timeout=180)
    (run,) = runs()
    assert run.info.status == "FINISHED"
    assert train.load(plan).network is not None
    assert len((project / "artifacts/car/train/history.csv").read_text().splitlines()) == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"unfreeze": ["layer9"]}, "layer9"),
        ({"resize": [0.5, 1.0]}, "one size only"),
        ({"class_weights": {"polcie": 2}}, "polcie"),
    ],
)
def test_what_does_not_fit_stops_with_one_message(
    project: Path, change: dict[str, Any], message: str
) -> None:
    """Before an hour of training, and with the earlier result in its place."""
    plan = project_of(project, **change)
    with pytest.raises(ParamsError, match=message):
        train.run(plan)
    assert not (project / "artifacts/car/train").exists()
    assert [run.info.status for run in runs()] == ["FAILED"]


def test_how_it_is_run_does_not_make_it_another_training(project: Path) -> None:
    """More processes or rarer checkpoints go on from what is there; another rate begins anew."""
    first = project_of(project)
    same = project_of(project, checkpoint_seconds=5, processes=2, workers=1)
    other = project_of(project, lr=0.1)
    assert fitting.identity(first, "images", None) == fitting.identity(same, "images", None)
    assert fitting.identity(first, "images", None) != fitting.identity(other, "images", None)
