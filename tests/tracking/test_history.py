"""The promotion history: complete, in order, per task."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from roadworthy.errors import TrackingError
from roadworthy.tracking import history, store
from roadworthy.tracking.history import Decision

FIRST = Decision(
    task="car",
    decision="promoted",
    reason="The first champion; it reaches every floor.",
    from_version=None,
    to_version=1,
    when="2026-11-21T07:12:00.001+00:00",
    who="ada",
    digest="0" * 64,
    metrics={"challenger/accuracy": 0.875},
)
SECOND = dataclasses.replace(
    FIRST,
    decision="refused",
    from_version=1,
    to_version=2,
    when="2026-11-21T07:12:00.002+00:00",
    reason="A tie. " * 900,
)
THIRD = dataclasses.replace(FIRST, from_version=1, to_version=2)
OTHER = dataclasses.replace(FIRST, task="police", when="2026-11-20T07:12:00.000+00:00")


def runs() -> list[Run]:
    experiment = store.find_experiment(history.EXPERIMENT)
    return list(store.client().search_runs([experiment]))


def test_what_was_written_is_read_in_order(any_store: str) -> None:
    """Protects the audit trail: every field, in the order of writing, whatever the clocks say."""
    assert history.read() == []
    for decision in (SECOND, FIRST, OTHER):
        history.append(decision)
    assert history.read("car") == [SECOND, FIRST]
    assert history.read() == [SECOND, FIRST, OTHER]
    assert history.read("brand") == []


def test_a_long_record_is_kept_whole(any_store: str) -> None:
    """Protects the rules of a task with 120 classes from being cut at MLflow's longest tag."""
    rules = [
        {
            "name": f"class {n}",
            "figure": n / 7,
            "limit": 0.1,
            "passed": n % 2 == 0,
            "words": "ü" * 99,
        }
        for n in range(200)
    ]
    decision = dataclasses.replace(FIRST, rules=rules, evidence={"commit": "abc"}, forced="why")
    history.append(decision)
    assert history.read() == [decision]


def test_records_from_before_are_read(any_store: str) -> None:
    """Protects a history that was begun before there were numbers, rules and evidence."""
    old = {key: value for key, value in SECOND.as_dict().items() if value or key != "rules"}
    for key in ("rules", "evidence", "forced"):
        old.pop(key, None)
    client, experiment = store.client(), store.experiment(history.EXPERIMENT)
    for start, values in ((2, old), (1, old | {"to_version": 7})):
        tags = {"task": "car", history.RECORD: json.dumps(values | {"from a later one": 1})}
        client.set_terminated(client.create_run(experiment, start, tags).info.run_id)
    history.append(FIRST)
    assert history.read("car") == [dataclasses.replace(SECOND, to_version=7), SECOND, FIRST]


def test_a_decision_is_pending_until_its_aliases_have_moved(any_store: str) -> None:
    """Protects the history from saying what has not happened, and from forgetting what was begun."""
    history.append(FIRST)
    done, undone = history.begin(THIRD), history.begin(THIRD)
    assert history.pending("car") == [THIRD, THIRD]
    assert history.read("car") == [FIRST]
    history.settle(done)
    history.void(undone)
    assert history.pending("car") == []
    assert history.read("car") == [FIRST, THIRD]
    assert len(runs()) == 3
    # A refusal moves nothing: its record is the whole of it, also where its process died then.
    history.begin(SECOND)
    assert history.read("car") == [FIRST, THIRD, SECOND]


@pytest.mark.parametrize("end", [history.settle, history.void])
def test_a_record_that_was_sent_twice_is_one(
    project: Path, monkeypatch: pytest.MonkeyPatch, end: Callable[[str], None]
) -> None:
    """Protects the history from the answer that got lost, after which MLflow asks again."""
    real = MlflowClient.create_run

    def twice(*arguments: Any, **options: Any) -> Run:
        real(*arguments, **options)
        return real(*arguments, **options)

    history.append(FIRST)
    monkeypatch.setattr(MlflowClient, "create_run", twice)
    entry = history.begin(THIRD)
    assert history.pending() == [THIRD]
    end(entry)
    assert history.pending() == []
    assert history.read() == [FIRST, THIRD] if end is history.settle else [FIRST]


def test_nobody_deletes_a_line(project: Path) -> None:
    """Protects the history from a click in MLflow, and says how to bring all of it back."""
    history.append(FIRST)
    client = store.client()
    client.delete_run(runs()[0].info.run_id)
    assert history.read("car") == [FIRST]
    number = store.find_experiment(history.EXPERIMENT)
    client.delete_experiment(number)
    with pytest.raises(TrackingError, match=f"mlflow experiments restore -x {number}"):
        history.read("car")


def test_people_can_read_it_in_mlflow(project: Path) -> None:
    """Protects the view in MLflow: status, tags as columns, record and pages as files."""
    history.append(FIRST, {"decision.html": "<p>Better"})
    (run,) = runs()
    assert run.info.status == "FINISHED"
    assert run.data.tags["decision"] == "promoted"
    assert run.data.tags["who"] == "ada"
    text = mlflow.artifacts.load_text(f"{run.info.artifact_uri}/decision.json")
    assert json.loads(text) == FIRST.as_dict()
    assert mlflow.artifacts.load_text(f"{run.info.artifact_uri}/decision.html") == "<p>Better"
