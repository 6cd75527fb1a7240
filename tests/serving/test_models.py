"""`/models`: everything the page shows of a champion, and little of one that has little."""

import json
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from roadworthy.bundle.figures import Bin, Confusion, Figures, Point, with_intervals, write_figures
from roadworthy.bundle.format import LINEAGE
from roadworthy.bundle.predictor import Predictor
from roadworthy.serving.champions import Champion
from roadworthy.serving.models import links
from roadworthy.serving.store import HISTORY
from served import app_of
from support import tiny_bundle

FIGURES = Figures(
    figures=with_intervals({"accuracy": 0.9, "accuracy_low": 0.8, "accuracy_high": 0.95}),
    curve=(Point(threshold=0.5, precision=0.75, recall=0.5),),
    confusion=Confusion(labels=("not_car", "car"), counts=((3, 1), (0, 4))),
    reliability=(Bin(confidence=0.9, accuracy=1.0, images=8),),
)
DECISIONS = [
    {
        "at": "2026-01-02T03:04:05+00:00",
        "task": task,
        "decision": "promoted",
        "version": 3,
        "reason": "better",
    }
    for task in ("car", "brand")
]


@pytest.fixture(scope="module")
def packaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As packaging leaves it: two champions and their history."""
    folder = tmp_path_factory.mktemp("packaged")
    write_figures(tiny_bundle(folder / "car"), FIGURES)
    (folder / "car" / LINEAGE).write_text('{"params_hash": "x", "run_id": "abc"}')
    tiny_bundle(folder / "brand", task="brand", labels=("a", "b", "c"))
    (folder / HISTORY).write_text(json.dumps(DECISIONS))
    return folder


def shown(folder: Path, **settings: Any) -> dict[str, Any]:
    champions = {task: Champion(3, Predictor(folder / task)) for task in ("car", "brand")}
    with TestClient(app_of(champions, **settings)) as client:
        answer = client.get("/models")
    assert answer.status_code == 200
    tasks: dict[str, Any] = answer.json()["tasks"]
    return tasks


def test_what_was_measured_is_shown(packaged: Path) -> None:
    """With intervals; the curve, the matrix and the bins as they were written."""
    found = shown(packaged)["car"]
    assert (found["version"], found["kind"], found["labels"]) == (3, "binary", ["not_car", "car"])
    assert found["threshold"] == 0.5
    assert found["figures"] == {"accuracy": {"value": 0.9, "low": 0.8, "high": 0.95}}
    for name in ("curve", "confusion", "reliability"):
        assert found[name] == FIGURES.model_dump(mode="json")[name]
    assert found["live"] == {"requests": 0, "latency": {"p50": None, "p99": None}, "drift": {}}


def test_a_bundle_without_figures_shows_what_it_has(packaged: Path) -> None:
    """Champions from before this file."""
    found = shown(packaged)["brand"]
    assert found["figures"] == {"accuracy": {"value": 0.9, "low": None, "high": None}}
    assert (found["curve"], found["confusion"], found["reliability"]) == ([], None, [])


def test_each_task_has_its_own_history(packaged: Path) -> None:
    """Without the name of the task, which is known."""
    for found in shown(packaged).values():
        (step,) = found["history"]
        assert step == {key: DECISIONS[0][key] for key in ("at", "decision", "version", "reason")}


@pytest.mark.parametrize("content", [None, "no JSON", '[{"at": 3}]'])
def test_without_a_history_there_is_none(content: str | None, packaged: Path) -> None:
    """A service that was not packaged by us starts all the same."""
    path = packaged / HISTORY
    before = path.read_text()
    try:
        path.unlink() if content is None else path.write_text(content)
        assert shown(packaged)["car"]["history"] == []
    finally:
        path.write_text(before)


def test_links_lead_to_the_run(packaged: Path) -> None:
    """Only where there is a server to link to, and a run."""
    found = shown(packaged, mlflow_url="http://mlflow.example:5000/")
    assert found["car"]["links"]["mlflow"] == "http://mlflow.example:5000/#/runs/abc"
    report = "get-artifact?path=evaluate/report.html&run_uuid=abc"
    assert found["car"]["links"]["report"] == f"http://mlflow.example:5000/{report}"
    nowhere = {"mlflow": None, "report": None}
    assert found["brand"]["links"] == nowhere
    assert shown(packaged)["car"]["links"] == nowhere
    assert links("http://x", None).model_dump() == nowhere
