"""The shared servers of a team, real ones on loopback: MLflow, Prefect and DVC's remote.

PostgreSQL keeps what MLflow and Prefect know, a store that speaks S3 keeps models and images.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from object_store import account, object_store, wait_for
from postgres import Postgres
from roadworthy import environment
from small_road import runner
from support import Run, free_port

MODELS, IMAGES = "models", "images"


@dataclass(frozen=True)
class Cluster:
    """Addresses, and what a machine has in its environment."""

    mlflow: str
    prefect: str
    """Of its API."""
    store: str
    database: str
    """MLflow's, as it can be used directly."""
    prefect_database: str
    variables: dict[str, str]

    def machine(self, folder: Path, origin: Path, **more: str) -> Run:
        """A clone of `origin` with nothing in its caches; gives what runs a command in it."""
        run = runner(folder, **{**self.variables, **more})
        folder.mkdir(parents=True)
        run("git", "clone", "-q", str(origin), ".")
        run("git", "config", "user.email", "road@example.com")
        run("git", "config", "user.name", folder.name)
        return run


@contextmanager
def cluster(server: Postgres, folder: Path) -> Iterator[Cluster]:
    """All of them, started together; what they say goes to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    models, runs = (server.database("template1") for _ in range(2))
    with ExitStack() as stack:
        for database in (models, runs):
            stack.callback(server.drop, database)
        store = stack.enter_context(object_store(folder, MODELS, IMAGES))
        shared = {**account(folder), "AWS_ENDPOINT_URL": store}
        mlflow_port, prefect_port = free_port(), free_port()
        mlflow, prefect = (f"http://127.0.0.1:{port}" for port in (mlflow_port, prefect_port))
        started = [
            (f"{mlflow}/health", _mlflow(models, mlflow_port), shared),
            (f"{prefect}/api/health", _prefect(prefect_port), _prefect_settings(runs, folder)),
        ]
        running = [
            stack.enter_context(_running(folder, command, settings))
            for _, command, settings in started
        ]
        for (address, _, _), process in zip(started, running, strict=True):
            wait_for(address, process)
        addresses = {"MLFLOW_TRACKING_URI": mlflow, "PREFECT_API_URL": f"{prefect}/api"}
        yield Cluster(mlflow, f"{prefect}/api", store, models, runs, {**shared, **addresses})


def _mlflow(database: str, port: int) -> list[str]:
    return [
        *("mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
        *("--backend-store-uri", database, "--artifacts-destination", f"s3://{MODELS}/mlflow"),
    ]


def _prefect(port: int) -> list[str]:
    return ["prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]


def _prefect_settings(database: str, folder: Path) -> dict[str, str]:
    return {
        "PREFECT_API_DATABASE_CONNECTION_URL": database.replace("+psycopg", "+asyncpg"),
        "PREFECT_HOME": str(folder / "prefect"),
        # Nobody looks.
        "PREFECT_UI_ENABLED": "false",
    }


@contextmanager
def _running(
    folder: Path, command: Sequence[str], settings: dict[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """A server and its workers; gone when the block ends."""
    variables = {**os.environ, **environment.SWITCHES, **settings}
    variables.pop("AWS_PROFILE", None)
    with (folder / f"{command[0]}.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *command],
            env=variables,
            cwd=folder,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(process.pid, number)
                process.wait(timeout=20)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue
        process.wait()
