import importlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from prefect.events.schemas.automations import EventTrigger

from prefect_server import Prefect

ROOT = Path(__file__).parents[2]
TOY = """
from datetime import timedelta
from prefect import flow

@flow
def toy() -> None:
    print("ran")

if __name__ == "__main__":
    toy.serve(name="often", interval=timedelta(seconds=5))
"""

DRIFT = """
from prefect.events import emit_event
from prefect.events.worker import EventsWorker
for wants in ("labels", "retrain"):
    emit_event(
        "roadworthy.drift.detected",
        resource={"prefect.resource.id": "roadworthy.task.car", "roadworthy.wants": wants},
        payload={"reason": "car: it is night" if wants == "retrain" else "not this"},
    )
EventsWorker.instance().drain()
"""


@pytest.fixture(scope="module")
def prefect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prefect]:
    prefect = Prefect(tmp_path_factory.mktemp("prefect"))
    try:
        prefect.serve()
        yield prefect
    finally:
        prefect.stop()


@pytest.mark.slow
def test_a_schedule_produces_runs_that_run(prefect: Prefect, tmp_path: Path) -> None:
    """With some releases of sqlalchemy all looks fine and no schedule ever starts anything."""
    (tmp_path / "toy.py").write_text(TOY)
    prefect.start(str(tmp_path / "toy.py"))
    [run, *_] = prefect.wait("a completed run", lambda: prefect.runs("often", "COMPLETED"))
    assert run["auto_scheduled"]


@pytest.mark.slow
def test_our_deployments_are_scheduled_and_start_in_this_folder(prefect: Prefect) -> None:
    """prefect.yaml deploys as it is, times to come are planned, a worker finds our flow, and drift
    that wants training starts it, with its reason."""
    prefect.command("work-pool", "create", "roadworthy", "--type", "process")
    prefect.command("--no-prompt", "deploy", "--all")
    for name in ("nightly", "weekly", "monitor", "ingest"):
        planned = prefect.wait(name, lambda name=name: prefect.runs(name, "SCHEDULED"))
        assert all(run["auto_scheduled"] for run in planned)
    assert prefect.start("-c", DRIFT).wait(120) == 0
    [run] = prefect.wait("drift", lambda: prefect.runs("on-drift", "SCHEDULED", "PENDING"))
    assert run["parameters"]["reason"] == "car: it is night"
    prefect.ask(f"/flow_runs/{run['id']}/set_state", state={"type": "CANCELLED"}, force=True)
    # A task that does not exist: our own flow says so, and nothing is trained.
    prefect.command("deployment", "run", "retrain/nightly", "-p", f"tasks={json.dumps(['nobody'])}")
    prefect.start("-m", "prefect", "worker", "start", "--pool", "roadworthy")
    [run, *_] = prefect.wait("a run by the worker", lambda: prefect.runs("nightly", "FAILED"))
    assert "no task is called 'nobody'" in run["state"]["message"]


def test_prefect_yaml_says_what_it_should() -> None:
    """Flows that are there, times with a zone, and no path of anybody's machine in the file."""
    text = (ROOT / "prefect.yaml").read_text()
    found = {one["name"]: one for one in yaml.safe_load(text)["deployments"]}
    assert str(ROOT) not in text
    assert set(found) == {"nightly", "weekly", "on-drift", "monitor", "ingest", "backfill", "tune"}
    for deployment in found.values():
        path, name = deployment["entrypoint"].split(":")
        module = importlib.import_module(path.removesuffix(".py").replace("/", "."))
        flow = getattr(module, name)
        assert set(deployment.get("parameters", {})) <= set(flow.parameters.properties)
        for schedule in deployment.get("schedules", ()):
            assert schedule["cron"] and schedule["timezone"]
        # Else a run that dies is Running for ever.
        variables = deployment["work_pool"]["job_variables"]["env"]
        assert variables == {"PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30"}


def test_drift_that_wants_labels_starts_nothing() -> None:
    """Nobody trains again on what is known already."""
    [on_drift] = [
        one
        for one in yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
        if one["name"] == "on-drift"
    ]
    [given] = on_drift["triggers"]
    trigger = EventTrigger.model_validate(
        {key: value for key, value in given.items() if key in EventTrigger.model_fields}
    )
    assert trigger.match.root == {
        "prefect.resource.id": "roadworthy.task.*",
        "roadworthy.wants": "retrain",
    }
    assert trigger.expect == {"roadworthy.drift.detected"}
