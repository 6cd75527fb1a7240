"""The verb `prune`: its words, and the policy of params.yaml."""

import json

import pytest

from cheap_versions import cheap_version
from postgres import quick_commits, sqlite_file, sqlite_store  # noqa: F401
from roadworthy.params import TaskPlan, parse
from roadworthy.pipeline import prune
from roadworthy.tracking import registry
from roadworthy.tracking.prune import Pruned


def plan(**policy: int) -> TaskPlan:
    text = {"tasks": {"car": {"kind": "binary", "images": "data"}}, "prune": policy}
    return parse(json.dumps(text)).task("car")


def test_it_does_what_params_say(
    sqlite_store: str,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Protects the policy from being another one than people wrote down."""
    cheap_version("a" * 2000)
    everything = {"keep_versions": 0, "keep_runs": 0, "keep_days": 0}
    for policy in ({}, {**everything, "keep_versions": 1, "keep_runs": 1}):
        prune.run(plan(**policy))
        assert capsys.readouterr().out == "car: nothing is old enough to go\n"
    prune.run(plan(**everything), dry_run=True)
    what = "1 version, 1 run, 1 model"
    assert capsys.readouterr().out == f"car: {what} would be removed (car/1), 2.0 kB freed\n"
    prune.run(plan(**everything))
    assert capsys.readouterr().out == f"car: {what} removed (car/1), 2.0 kB freed\n"
    assert registry.versions("car") == []


def test_what_could_not_be_done_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Protects those who prune through a server from believing that its disk is free now."""
    found = Pruned("car", (), 3, 0, 0, 0, "`mlflow gc` beside that server frees its disk")
    monkeypatch.setattr(prune, "prune", lambda *_: found)
    prune.run(plan())
    assert capsys.readouterr().out.splitlines()[1].startswith("car: `mlflow gc` beside")


@pytest.mark.parametrize(
    ("size", "words"),
    [(0, "0 bytes"), (999, "999 bytes"), (94_400_000, "94.4 MB"), (5e15, "5000.0 TB")],
)
def test_sizes_are_readable(size: float, words: str) -> None:
    """Protects people from counting digits."""
    assert prune.readable(size) == words
