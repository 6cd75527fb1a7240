"""Opening the store: safe for several processes, quick to say that a server is gone."""

import os
import shutil
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import mlflow
import pytest

from postgres import Postgres
from roadworthy import environment
from roadworthy.errors import TrackingError
from roadworthy.tracking import store
from support import free_port

FIRST_USE = """
import warnings; warnings.simplefilter("error")
from roadworthy.tracking import store
print(store.connect(), store.experiment("car"))
"""


@pytest.mark.slow
def test_three_processes_may_open_a_new_store_at_once(tmp_path: Path) -> None:
    """Protects a first `dvc repro` of parallel stages: MLflow alone fails two of three times."""
    uri = f"sqlite:///{tmp_path / 'new' / 'mlflow.db'}"
    settings = {**os.environ, **environment.SWITCHES, store.VARIABLE: uri}
    started = [
        subprocess.Popen(
            [sys.executable, "-c", FIRST_USE],
            env=settings,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    answers = [process.communicate(timeout=120) for process in started]
    assert [process.returncode for process in started] == [0, 0, 0], answers
    assert {out.strip() for out, _ in answers} == {f"{uri} 1"}
    assert not any(noise for _, noise in answers)


@pytest.mark.slow
def test_three_processes_may_open_a_new_database_at_once(postgres_server: Postgres) -> None:
    """The same on PostgreSQL, where several machines may come at once."""
    uri = postgres_server.database("template1")
    settings = {**os.environ, **environment.SWITCHES, store.VARIABLE: uri}
    started = [
        subprocess.Popen(
            [sys.executable, "-c", FIRST_USE],
            env=settings,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    answers = [process.communicate(timeout=180) for process in started]
    assert [process.returncode for process in started] == [0, 0, 0], answers
    assert {out.strip() for out, _ in answers} == {f"{uri} 1"}
    postgres_server.drop(uri)


def test_a_database_that_cannot_be_had_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Protects people from a traceback, and their password from the terminal."""
    uri = f"postgresql+psycopg://ada:secret@127.0.0.1:{free_port()}/mlflow"
    monkeypatch.setenv(store.VARIABLE, uri)
    with pytest.raises(TrackingError) as caught:
        store.connect()
    assert str(caught.value).startswith("the database postgresql+psycopg://ada:***@127.0.0.1:")
    assert "connection refused" in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("uri", ["postgres://host/db", "postgresql+nothing://host/db"])
def test_an_address_without_a_driver_is_told_the_right_one(
    uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Protects against SQLAlchemy's riddles about plugins and modules."""
    monkeypatch.setenv(store.VARIABLE, uri)
    with pytest.raises(TrackingError, match=r"write postgresql\+psycopg://USER"):
        store.connect()


def test_artifacts_of_a_database_have_a_root(
    postgres_store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Protects models on machines that share a database: the root is theirs to say."""

    def location(task: str) -> str:
        return str(store.client().get_experiment(store.experiment(task)).artifact_location)

    assert location("car") == (tmp_path / "mlruns" / "artifacts" / "car").as_uri()
    monkeypatch.setenv(store.ROOT, "s3://models/")
    assert location("police") == "s3://models/police"


def test_a_dead_server_is_reported_in_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Protects people from MLflow's own minutes of silent retries."""
    uri = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setenv(store.VARIABLE, uri)
    begun = time.monotonic()
    with pytest.raises(TrackingError) as caught:
        store.connect()
    assert time.monotonic() - begun < 10
    assert str(caught.value) == (
        f"the tracking server at {uri} does not answer (connection refused): "
        "start it with `make ui`, or unset MLFLOW_TRACKING_URI"
    )


def test_a_proxy_without_its_server_is_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Protects against believing a gateway that answers for a server which is down."""

    class Gateway(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(503)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Gateway) as gateway:
        threading.Thread(target=gateway.serve_forever).start()
        monkeypatch.setenv(store.VARIABLE, f"http://127.0.0.1:{gateway.server_port}")
        try:
            with pytest.raises(TrackingError, match=r"does not answer \(status 503\)"):
                store.connect()
        finally:
            gateway.shutdown()


def test_a_path_that_cannot_be_a_store_is_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Protects the message: SQLAlchemy's own runs over several lines with a link."""
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv(store.VARIABLE, f"sqlite:///{tmp_path / 'file' / 'mlflow.db'}")
    with pytest.raises(TrackingError, match=r"^the tracking store .* cannot be opened: .*$"):
        store.connect()


def test_artifacts_lie_beside_the_database(project: Path) -> None:
    """Protects the promise that all state of MLflow is in `mlruns/` of the project."""
    found = mlflow.MlflowClient(store.connect()).get_experiment(store.experiment("car"))
    assert found.artifact_location == (project / "mlruns" / "artifacts" / "car").as_uri()


def test_an_experiment_is_made_once(project: Path) -> None:
    """Protects the list of experiments from doubles."""
    assert store.find_experiment("car") is None
    assert store.experiment("car") == store.experiment("car") == store.find_experiment("car")


def test_a_deleted_experiment_is_named_with_its_cure(project: Path) -> None:
    """Protects those who deleted a task's experiment in the UI from a riddle."""
    number = store.experiment("car")
    store.client().delete_experiment(number)
    assert store.find_experiment("car") is None
    with pytest.raises(TrackingError, match=f"mlflow experiments restore -x {number}"):
        store.experiment("car")


def test_the_page_of_a_task_opens_in_the_right_view(project: Path) -> None:
    """Protects the link on the command line, and the columns that make runs comparable."""
    number = store.experiment("car")
    assert store.ui_url("car") == (
        f"http://127.0.0.1:5000/#/experiments/{number}"
        "/runs?workflowType=machine_learning&viewStateShareKey=roadworthy"
    )
    tags = store.client().get_experiment(number).tags
    assert "metrics.`test/accuracy`" in tags["mlflow.sharedViewState.roadworthy"]


def test_the_store_follows_the_environment(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Protects one process that works for two projects, as a Prefect worker does."""
    first = store.connect()
    second = shutil.copy(project / "mlruns" / "mlflow.db", project / "second.db")
    monkeypatch.setenv(store.VARIABLE, f"sqlite:///{second}")
    assert store.connect() != first
    assert mlflow.get_tracking_uri() == os.environ[store.VARIABLE]
