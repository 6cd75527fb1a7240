"""The comment says what DVC and the gate said, on a real repository with two commits."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from roadworthy.errors import RoadworthyError
from roadworthy.pipeline.comment import LONGEST_PART, comment, decisions, main

STAGES = """
stages:
  evaluate:
    foreach: [car, police]
    do:
      cmd: python evaluate.py ${item}
      deps: [evaluate.py, figures.json]
      metrics:
        - artifacts/${item}/evaluate/metrics.json
"""
EVALUATE = """
import json, pathlib, sys
task = sys.argv[1]
out = pathlib.Path("artifacts") / task / "evaluate" / "metrics.json"
out.parent.mkdir(parents=True, exist_ok=True)
out.write_text(json.dumps(json.load(open("figures.json"))[task]))
"""
PARAMS = """
tasks:
  car: {kind: binary, images: data/car, label: {from: [folder], classes: [not_car, car]}}
  police: {kind: binary, images: data/police, label: {from: [folder], classes: [other, police]}}
"""
BEFORE = {"test": {"accuracy": 0.95, "accuracy_low": 0.91, "accuracy_high": 0.97, "mcc": 0.9}}
AFTER = {"test": {"accuracy": 0.93, "accuracy_low": 0.89, "accuracy_high": 0.97, "mcc": 0.8}}
DECISION = """# car: refused

1 of 6 rules failed.

| | rule | figure | limit |
|---|---|---|---|
| **FAIL** | champion | accuracy 0.93 | better than 0.95 |
"""


def run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


def walk(car: object) -> None:
    Path("figures.json").write_text(json.dumps({"car": car, "police": BEFORE}))
    run("dvc", "repro", "-q")
    run("git", "add", "-A")
    run("git", "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "walk")


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two commits; the second made `car` worse, and the gate refused it."""
    folder = tmp_path_factory.mktemp("repository")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        _walk_twice()
    return folder


@pytest.fixture
def walked(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """That repository, and we are in it."""
    monkeypatch.chdir(repository)
    return repository


def _walk_twice() -> None:
    run("git", "init", "-q")
    run("dvc", "init", "-q")
    Path("dvc.yaml").write_text(STAGES)
    Path("evaluate.py").write_text(EVALUATE)
    Path("params.yaml").write_text(PARAMS)
    Path(".gitignore").write_text("/artifacts\n")
    walk(BEFORE)
    walk(AFTER)
    for task, text in (("car", DECISION), ("police", "# police: unchanged\n\nIt is.\n")):
        folder = Path("artifacts") / task / "promote"
        folder.mkdir()
        (folder / "decision.md").write_text(text)


def test_figures_and_decisions_of_a_change(walked: Path) -> None:
    """This is what a reviewer reads: with intervals, so that noise is not taken for news."""
    main(["HEAD^", "comment.md"])
    text = Path("comment.md").read_text()
    row = "| car | test.accuracy | 0.950 (0.910 to 0.970) | 0.930 (0.890 to 0.970) | -0.020 |"
    assert row in text
    assert "No figure changed: police." in text
    assert "<summary><b>car: refused</b></summary>" in text
    assert "| **FAIL** | champion |" in text
    assert "<summary><b>police: unchanged</b></summary>" in text
    folded = text.rpartition("dvc metrics diff")[2]
    assert "test.mcc" in folded
    assert "metrics.json" in folded


def test_nothing_changed(walked: Path) -> None:
    """A change of documents has no figures to show."""
    text = comment("HEAD")
    assert "No figure changed: car, police." in text
    assert "dvc metrics diff" not in text


def test_results_of_the_base_that_are_lost(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every figure would be called new, and no loss be seen."""
    monkeypatch.chdir(shutil.copytree(repository, tmp_path / "copy"))
    shutil.rmtree(".dvc/cache")
    with pytest.raises(RoadworthyError, match="HEAD\\^"):
        comment("HEAD^")


def test_a_task_without_a_decision_and_one_with_a_novel(tmp_path: Path) -> None:
    """GitHub refuses a comment that is too long, and silence would look like consent."""
    folder = tmp_path / "artifacts" / "car" / "promote"
    folder.mkdir(parents=True)
    (folder / "decision.md").write_text("# car: refused\n\n" + "a line\n" * LONGEST_PART)
    long, none = decisions(["car", "police"], tmp_path)
    assert len(long) < LONGEST_PART + 200
    assert "(cut" in long
    assert none.startswith("police: no decision")
