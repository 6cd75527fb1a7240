"""What people see on the server's page, and what the server itself takes care of."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flows.stage import Walked
from PIL import Image
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import Artifact
from prefect.states import Running
from prefect.testing.utilities import prefect_test_harness

from flows import artifacts, automations, lock, progress, shown, zombies

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def server() -> Iterator[None]:
    with prefect_test_harness(server_startup_timeout=180):
        yield


def on_page() -> dict[str, Artifact]:
    """What the page shows, by key."""
    with get_client(sync_client=True) as client:
        return {one.key: one for one in client.read_artifacts() if one.key}


def test_a_walk_is_shown(project: Path) -> None:
    """Stages with their seconds, decisions, the decision's page, the pictures that augment made."""
    (project / "artifacts/car/promote").mkdir(parents=True)
    (project / "artifacts/car/promote/decision.md").write_text("# car: promoted")
    (project / "artifacts/car/augment").mkdir()
    Image.new("RGB", (2000, 3000), "red").save(project / "artifacts/car/augment/contact_sheet.png")
    decision = {"task": "car", "decision": "promoted", "from_version": None, "to_version": 1}

    @flow
    def walk() -> None:
        shown.show_stages([Walked("train", ("train@car",), (), 2.04), Walked("export", (), (), 1)])
        shown.show_decisions([{**decision, "reason": "Better."}], "roadworthy-service:abc")
        shown.show_task("car")
        artifacts.link("mlflow", "http://127.0.0.1:5000", "MLflow")

    walk()
    found = on_page()
    assert '"what": "ran: train@car", "seconds": 2.0' in str(found["stages"].data)
    assert '"what": "up to date"' in str(found["stages"].data)
    assert '"champion before": "none", "judged": 1' in str(found["decisions"].data)
    assert found["decision-car"].data == "# car: promoted"
    assert str(found["augment-car"].data).startswith("![augment-car](data:image/jpeg;base64,")
    assert len(str(found["augment-car"].data)) < 100_000
    assert "http://127.0.0.1:5000" in str(found["mlflow"].data)


def test_how_far_a_stage_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the lines that the road prints; at the end all of it."""
    monkeypatch.setattr(progress, "EVERY_SECONDS", 0.1)
    figures: list[float] = []

    @flow
    def walk() -> None:
        with progress.shown("train") as meter:
            meter.line("scenes car, round 1: train car: 120/480 (35/s, 0:10 left) loss 0.3")
            figures.append(meter.percent)
            meter.line("epoch 1/2 is no such line")
            meter.line("and neither is this: 1/0")
            figures.append(meter.percent)

    walk()
    assert figures == [25, 25]
    assert on_page()["progress-train"].data == 100


def test_the_watch_over_dead_runs_is_made_once() -> None:
    """And renewed where it is another one."""
    assert automations.ensure()
    assert not automations.ensure()
    assert automations.ensure(seconds=200)
    with get_client(sync_client=True) as client:
        [found] = client.read_automations_by_name(automations.NAME)
    assert found.trigger.within.total_seconds() == 200  # type: ignore[union-attr]


def test_the_run_of_a_killed_walk_is_ended(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the next walk; a run that has ended, or that nobody knows, is left as it is."""

    @flow
    def walk() -> None:
        """Nothing."""

    with get_client(sync_client=True) as client:
        dead = client.create_flow_run(walk)
        client.set_flow_run_state(dead.id, Running(), force=True)
        died = lock.me("the flow retrain", str(dead.id))
        zombies.bury(died, print)
        state = client.read_flow_run(dead.id).state
        assert state is not None and state.is_crashed()
        assert state.message == f"Its process ({died.pid} on {died.host}) is dead."
    zombies.bury(lock.me("it", "00000000-0000-0000-0000-000000000000"), print)
    assert "the run of the walk before is left as it is" in capsys.readouterr().out
