"""The same through a real tracking server, as on a shared machine."""

import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import mlflow
import pandas as pd
import pytest

from roadworthy import environment
from roadworthy.bundle import format as bundle_format
from roadworthy.bundle.format import Lineage
from roadworthy.bundle.predictor import Predictor
from roadworthy.errors import BundleError, TrackingError
from roadworthy.params import Prune
from roadworthy.tracking import handover, history, registry, store
from roadworthy.tracking.claim import claim
from roadworthy.tracking.history import Decision
from roadworthy.tracking.prune import prune
from roadworthy.tracking.runs import RunLog
from support import free_port, tiny_bundle, write_images

STARTUP_SECONDS = 90
LINEAGE = Lineage(params_hash="abc", data_version="d" * 36)
ROWS = pd.DataFrame({"path": ["data/a.png"], "label": ["car"], "split": ["train"]})


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator["Server"]:
    """A server whose address is the tracking URI, with a project as the current folder."""
    for name, value in environment.SWITCHES.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    before = mlflow.get_tracking_uri()
    server = Server(tmp_path)
    try:
        server.start()
        monkeypatch.setenv(store.VARIABLE, server.address)
        yield server
    finally:
        server.stop(signal.SIGTERM)
        mlflow.set_tracking_uri(before)


class Server:
    """A tracking server that can be killed and started again at the same address."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        self.address = f"http://127.0.0.1:{port}"
        self.output = folder / "server.log"
        self.command = [
            *(sys.executable, "-m", "mlflow", "server", "--workers", "1"),
            *("--host", "127.0.0.1", "--port", str(port)),
            *("--backend-store-uri", f"sqlite:///{folder / 'server.db'}"),
            *("--artifacts-destination", str(folder / "server-artifacts")),
        ]

    def start(self) -> None:
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                self.command,
                stdout=output,
                stderr=output,
                env=dict(os.environ),
                cwd=self.output.parent,
                start_new_session=True,
            )
        _wait(self.address, self.process, self.output)

    def stop(self, how: signal.Signals) -> None:
        """Signal the server and its worker, and wait for both."""
        self.send(how)
        self.process.wait(timeout=30)

    def send(self, how: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, how)


@pytest.mark.slow
def test_a_server_that_dies_in_the_middle_costs_neither_time_nor_figures(server: Server) -> None:
    """Protects a training from its tracker: killed, back, frozen, back, and nothing is missing."""
    with RunLog.start("car", params={}, lineage=LINEAGE, sample_every=0.2) as run:
        held_up = 0.0

        def epoch(number: int) -> None:
            nonlocal held_up
            begun = time.monotonic()
            run.metrics({"train/loss": 1 / (number + 1), "val/loss": 0.5}, number)
            held_up = max(held_up, time.monotonic() - begun)

        epoch(0)
        server.stop(signal.SIGKILL)
        for number in range(1, 8):
            epoch(number)
        server.start()
        epoch(8)
        assert len(store.client().get_metric_history(run.run_id, "train/loss")) == 9
        server.send(signal.SIGSTOP)
        for number in range(9, 12):
            epoch(number)
        server.send(signal.SIGCONT)
        # A request may wait for 3 seconds; MLflow's own patience is four minutes.
        assert held_up < 15
    history = store.client().get_metric_history(run.run_id, "train/loss")
    assert [(p.step, p.value) for p in history] == [(n, 1 / (n + 1)) for n in range(12)]
    assert store.client().get_run(run.run_id).info.status == "FINISHED"


@pytest.mark.slow
def test_a_training_killed_while_its_server_was_away_brings_its_figures_later(
    server: Server,
) -> None:
    """Protects the run of a machine that lost its network first and its power then."""
    run = RunLog.start("car", params={}, lineage=LINEAGE, sample_every=0)
    run.metrics({"train/loss": 0.5}, 0)
    server.stop(signal.SIGKILL)
    run.metrics({"train/loss": 0.4}, 1)
    del run.client  # the process is killed here: what waited in its memory is gone
    server.start()
    rows = [{"epoch": 0, "train/loss": 0.5}, {"epoch": 1, "train/loss": 0.4}]
    with RunLog.start("car", params={}, lineage=LINEAGE, resume=run.run_id) as again:
        again.replay(rows)
    assert again.run_id == run.run_id
    history = store.client().get_metric_history(run.run_id, "train/loss")
    assert [(p.step, p.value) for p in history] == [(0, 0.5), (1, 0.4)]


@pytest.mark.slow
def test_run_registry_and_history_through_a_server(server: Server, tmp_path: Path) -> None:
    """Protects shared stores: artifacts travel over HTTP, and arrive as what was registered."""
    folder = tiny_bundle(tmp_path / "export")
    paths = write_images(tmp_path / "images", 3)
    with RunLog.start("car", params={"lr": 0.1}, lineage=LINEAGE, rows=ROWS) as run:
        run.metrics({"train/loss": 0.5}, 0)
        run.artifact(paths[0], "gallery")
        run.trained("w1")
    found = RunLog.find("car", "w1")
    assert found is not None
    assert found.run_id == run.run_id
    uri = found.bundle(folder)
    digest = bundle_format.digest(folder)
    version = registry.register("car", uri, run.run_id, digest, metrics={"accuracy": 0.9})
    assert registry.register("car", uri, run.run_id, digest) == version
    assert registry.champion("car") is None
    registry.move("car", "champion", version)
    registry.move("car", "previous", None)
    assert registry.champion("car") == version

    fetched = registry.bundle_folder(version)
    assert fetched == Path(".cache/bundles") / digest
    assert registry.bundle_folder(version) == fetched
    expected = Predictor(folder).predict(paths)
    assert Predictor(fetched).predict(paths) == expected
    answer = mlflow.pyfunc.load_model("models:/car@champion").predict(paths)
    assert answer["probability"].tolist() == [one.probability for one in expected]
    (fetched / "weights.safetensors").write_text("changed")
    with pytest.raises(BundleError, match="not what was registered as car/1"):
        registry.bundle_folder(version)

    decision = Decision(
        "car", "promoted", "First.", None, 1, "2026-11-21T07:12:00.000+00:00", "ada"
    )
    history.append(decision)
    assert history.read("car") == [decision]
    assert store.ui_url("car").startswith(f"{os.environ[store.VARIABLE]}/#/experiments/")

    server.stop(signal.SIGTERM)
    begun = time.monotonic()
    with pytest.raises(TrackingError, match="the aliases of car cannot be looked up"):
        registry.champion("car")
    assert time.monotonic() - begun < 30


@pytest.mark.slow
def test_hand_over_rollback_and_pruning_through_a_server(server: Server, tmp_path: Path) -> None:
    """Protects shared registries: claim, aliases and history go over HTTP, and nothing stays behind."""
    for number, bias in enumerate((0.0, 1.0), 1):
        folder = tiny_bundle(tmp_path / f"{bias}", bias=bias)
        with RunLog.start("car", params={}, lineage=LINEAGE, sample_every=0) as run:
            uri = run.bundle(folder)
        new = registry.register("car", uri, run.run_id, bundle_format.digest(folder))
        old, when = registry.champion("car"), "2026-11-21T07:12:00.000+00:00"
        before = old.number if old else None
        decision = Decision("car", "promoted", "Better.", before, number, when, "ada")
        handover.hand_over(decision, old, new, {"decision.md": "# Better"})
        assert history.read("car")[-1] == decision
    assert registry.aliases("car") == {"champion": 2, "previous": 1}
    with claim("car"), pytest.raises(TrackingError, match="is being changed by"), claim("car", 0.1):
        pass
    handover.roll_back("car")
    assert registry.aliases("car") == {"champion": 1}
    assert [model.name for model in store.client().search_registered_models()] == ["car"]

    nothing = Prune(keep_versions=0, keep_runs=0, keep_days=0)
    result = prune("car", nothing, now=datetime.now(UTC) + timedelta(minutes=1))
    assert (result.versions, result.runs, result.models, result.cached) == (("car/2",), 1, 1, 0)
    assert "`mlflow gc` beside that server" in result.note
    assert registry.numbers("car") == {1}
    assert Predictor(registry.bundle_folder(registry.version("car", 1)))


def _wait(address: str, process: subprocess.Popen[bytes], output: Path) -> None:
    limit = time.monotonic() + STARTUP_SECONDS
    while time.monotonic() < limit and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=1):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise AssertionError(f"the server did not start: {output.read_text()[-2000:]}")
