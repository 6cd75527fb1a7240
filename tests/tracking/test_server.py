"""The same through a real tracking server, as on a shared machine."""

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import mlflow
import pandas as pd
import pytest

from roadworthy import environment
from roadworthy.bundle import format as bundle_format
from roadworthy.bundle.format import Lineage
from roadworthy.bundle.predictor import Predictor
from roadworthy.errors import BundleError, TrackingError
from roadworthy.tracking import history, registry, store
from roadworthy.tracking.history import Decision
from roadworthy.tracking.runs import RunLog
from support import free_port, tiny_bundle, write_images

STARTUP_SECONDS = 90
LINEAGE = Lineage(params_hash="abc", data_version="d" * 36)
ROWS = pd.DataFrame({"path": ["data/a.png"], "label": ["car"], "split": ["train"]})


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[bytes]]:
    """A server whose address is the tracking URI, with a project as the current folder."""
    address = f"http://127.0.0.1:{free_port()}"
    for name, value in environment.SWITCHES.items():
        monkeypatch.setenv(name, value)
    command = [
        *(sys.executable, "-m", "mlflow", "server", "--workers", "1"),
        *("--host", "127.0.0.1", "--port", address.rsplit(":", 1)[1]),
        *("--backend-store-uri", f"sqlite:///{tmp_path / 'server.db'}"),
        *("--artifacts-destination", str(tmp_path / "server-artifacts")),
    ]
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    before = mlflow.get_tracking_uri()
    with (tmp_path / "server.log").open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, env=dict(os.environ), cwd=tmp_path
        )
    try:
        _wait(address, process, tmp_path / "server.log")
        monkeypatch.setenv(store.VARIABLE, address)
        yield process
    finally:
        process.terminate()
        process.wait(timeout=30)
        mlflow.set_tracking_uri(before)


@pytest.mark.slow
def test_run_registry_and_history_through_a_server(
    server: subprocess.Popen[bytes], tmp_path: Path
) -> None:
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
    (fetched / "card.md").write_text("changed")
    with pytest.raises(BundleError, match="not what was registered as car/1"):
        registry.bundle_folder(version)

    decision = Decision(
        "car", "promoted", "First.", None, 1, "2026-11-21T07:12:00.000+00:00", "ada"
    )
    history.append(decision)
    assert history.read("car") == [decision]
    assert store.ui_url("car").startswith(f"{os.environ[store.VARIABLE]}/#/experiments/")

    server.terminate()
    server.wait(timeout=30)
    begun = time.monotonic()
    with pytest.raises(TrackingError, match="the champion of car cannot be looked up"):
        registry.champion("car")
    assert time.monotonic() - begun < 30


def _wait(address: str, process: subprocess.Popen[bytes], output: Path) -> None:
    limit = time.monotonic() + STARTUP_SECONDS
    while time.monotonic() < limit and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=1):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise AssertionError(f"the server did not start: {output.read_text()[-2000:]}")
