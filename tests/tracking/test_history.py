"""The promotion history: complete, in order, per task."""

import dataclasses
import json
from pathlib import Path

import mlflow

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
OTHER = dataclasses.replace(FIRST, task="police", when="2026-11-20T07:12:00.000+00:00")


def test_what_was_written_is_read_oldest_first(project: Path) -> None:
    """Protects the audit trail: every field of every decision, in the order they were made."""
    assert history.read() == []
    for decision in (SECOND, FIRST, OTHER):
        history.append(decision)
    assert history.read("car") == [FIRST, SECOND]
    assert history.read() == [OTHER, FIRST, SECOND]
    assert history.read("brand") == []


def test_people_can_read_it_in_mlflow(project: Path) -> None:
    """Protects the view in MLflow: status, tags as columns, the record as a file."""
    history.append(FIRST)
    experiment = store.find_experiment(history.EXPERIMENT)
    (run,) = store.client().search_runs([experiment])
    assert run.info.status == "FINISHED"
    assert run.data.tags["decision"] == "promoted"
    assert run.data.tags["who"] == "ada"
    text = mlflow.artifacts.load_text(f"{run.info.artifact_uri}/decision.json")
    assert json.loads(text) == FIRST.as_dict()
