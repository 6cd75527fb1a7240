"""Monitoring as Prefect runs it: who is told, what is started, and that it is started once."""

import json
import os
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

import monitored
from monitored import NOON, bundle, logged, promoted, records
from roadworthy.monitoring import state
from support import write_images

ROOT = Path(__file__).parents[2]
# Training has tests of its own; here is only whether it is begun. One process, since starting
# Prefect takes longer than all the rest.
DRIVER = f"""
import json, sys
from datetime import UTC, date, datetime
sys.path.insert(0, {str(ROOT)!r})
from flows import drift, monitor, notify
from flows.backfill import backfill
from prefect import flow
from prefect.events.clients import AssertingEventsClient as Kept
from prefect.events.worker import EventsWorker

# A temporary server keeps no events.
EventsWorker.set_client_override(Kept)

told = []
drift.retrain = lambda tasks, reason: told.append(["retrain", tasks, reason])
drift.notify.notify = lambda subject, body: told.append(["notice", subject, body])

@flow
def all_of_it():
    noon = datetime(2026, 11, 3, 12, tzinfo=UTC)
    first = monitor.monitor(until=noon)
    monitor.monitor(until=noon)
    [later] = monitor.monitor(["car"], until=noon.replace(hour=14))
    days = [backfill(date(2026, 11, 1), date(2026, 11, 3), ["car"]) for _ in "12"]
    EventsWorker.instance().drain()
    seen = [one.model_dump(mode="json") for client in Kept.all for one in client.events]
    seen = [one for one in seen if one["event"] == drift.DETECTED]
    made = dict(told=told, wants=[one.wants for one in first], later=later.wants, events=seen,
                days=[[str(one.until) for one in two] for two in days])
    with open("seen.json", "w") as file:
        json.dump(made, file)

all_of_it()
"""


@pytest.fixture
def drifted(project: Path) -> Path:
    """A champion whose traffic drifted on the last day, 30 new labels, and a task without champion."""
    monitored.project("car", "police", log="logs")
    digest = promoted(bundle(project / "made")).digest
    for day in (2, 1, 0):
        moment = NOON - timedelta(days=day)
        answers = records(150, seed=day + 1, drift=float(day == 0), until=moment, digest=digest)
        logged(project / "logs", answers)
    for number, label in enumerate(("car", "not_car")):
        write_images(project / "data" / "car" / label, 15, seed=number)
    return project


@pytest.mark.slow
def test_drift_is_told_and_acted_upon_once(drifted: Path) -> None:
    """An event and a notice; training is started for the moment once, and not in the cool-down;
    days that were missed are filled in, once."""
    environment = {**os.environ, "PREFECT_API_URL": "", "PREFECT_LOGGING_LEVEL": "WARNING"}
    done = subprocess.run(
        [sys.executable, "-c", DRIVER], env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    seen = json.loads((drifted / "seen.json").read_text())
    assert seen["wants"] == ["retrain"] and seen["later"] == "nothing"
    assert [one[0] for one in seen["told"]] == ["notice", "retrain"]
    assert seen["told"][1][1] == ["car"] and "Drifted" in seen["told"][1][2]
    assert [one["payload"]["wants"] for one in seen["events"]].count("retrain") == 2
    event = next(one for one in seen["events"] if one["payload"]["wants"] == "retrain")
    assert event["resource"]["prefect.resource.id"] == "roadworthy.task.car"
    assert event["resource"]["roadworthy.wants"] == "retrain"
    assert event["payload"]["new_labels"] == 30 and "embedding" in event["payload"]["tests"]
    # The third was judged at noon.
    assert seen["days"] == [["2026-11-02 00:00:00+00:00", "2026-11-03 00:00:00+00:00"], []]
    history = state.read(Path("artifacts/car/monitor"))
    assert [one.drifted for one in history.judged] == [False, False, True, True]
    assert history.started == (state.Started(until=NOON, what="retrain"),)


def test_an_unknown_task_is_named(project: Path) -> None:
    """A typing error does not wait for Prefect to start."""
    monitored.project("car")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "flows.monitor", "--tasks", "cra"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert "no task is called 'cra'; params.yaml has car" in done.stderr


def test_days_that_are_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ends included; today has not ended."""
    monkeypatch.syspath_prepend(str(ROOT))
    from flows.backfill import ends

    from roadworthy.errors import ParamsError

    now = datetime(2026, 11, 4, 9, tzinfo=UTC)
    found = list(ends(date(2026, 11, 2), date(2026, 11, 30), now))
    assert [f"{one:%d %H:%M}" for one in found] == ["03 00:00", "04 00:00"]
    assert len(list(ends(date(2026, 11, 2), date(2026, 11, 2), now))) == 1
    with pytest.raises(ParamsError, match="before since"):
        list(ends(date(2026, 11, 3), date(2026, 11, 2), now))
