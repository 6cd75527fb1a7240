"""Where MLflow keeps runs and models: opened once, safely, or refused within seconds.

`MLFLOW_TRACKING_URI` decides. Without a server it is a SQLite file in `mlruns/` of the project,
with the artifacts beside it; with one it is the server's address, and the server keeps them. A
PostgreSQL database (`postgresql+psycopg://...`) can be used directly as well: artifacts go below
`MLFLOW_DEFAULT_ARTIFACT_ROOT` then, which several machines must share, or to `mlruns/` as well.
"""

import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import mlflow
from filelock import FileLock
from mlflow import MlflowClient
from mlflow.entities import ViewType
from mlflow.exceptions import MlflowException
from mlflow.utils.credentials import get_default_host_creds
from mlflow.utils.rest_utils import http_request
from sqlalchemy import URL, create_engine, make_url, text
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from roadworthy.environment import state
from roadworthy.errors import TrackingError

VARIABLE = "MLFLOW_TRACKING_URI"
ROOT = "MLFLOW_DEFAULT_ARTIFACT_ROOT"
UI = "http://127.0.0.1:5000"
"""Where `make ui` shows a store that has no server of its own."""
# MLflow's own defaults wait for minutes before they report that a server is gone.
PATIENCE = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    # A progress bar for every copied folder, also where nobody watches.
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    # A server's page of every run, among the lines of a verb.
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
# A training is not held up: what could not be written waits, and is written later.
HURRY = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_HTTP_REQUEST_TIMEOUT": "3"}
# How much each logger may say; the first one repeats what we say of a server that is gone.
CHATTY = {
    "mlflow.system_metrics": logging.CRITICAL,
    "mlflow.utils.autologging_utils": logging.ERROR,
    "mlflow.store.db.utils": logging.WARNING,
    "mlflow.store.model_registry.abstract_store": logging.WARNING,
}
# What a failed request says somewhere in its long message, and what to tell people.
TROUBLE = {
    "Connection refused": "connection refused",
    "Name or service not known": "no such host",
    "CERTIFICATE_VERIFY_FAILED": "the server's certificate is not trusted",
    "Max retries exceeded": "the server does not answer",
    "timed out": "the server does not answer in time",
}
# The columns of that page, and the name under which MLflow's pages keep such a choice.
DECIDING = (
    "test/accuracy",
    "test/accuracy_low",
    "test/accuracy_high",
    "test/macro_f1",
    "test/ece",
    "stress/mean",
    "speed/latency_ms",
    "baseline/accuracy",
    "val/accuracy",
)
VIEW = "roadworthy"
PROBE_SECONDS = 3
SCHEMA_SECONDS = 120
# Any number, the same in every process that makes the schema.
SCHEMA_LOCK = 0x0AD_0512
# The address of the store that this process has opened.
_opened: set[str] = set()


def connect() -> str:
    """Open the store that `MLFLOW_TRACKING_URI` names and make it MLflow's own; gives its address.

    A new SQLite file or PostgreSQL database gets its schema here, by one process at a time.

    Raises:
        TrackingError: the server or database does not answer, or the file cannot be opened.
    """
    uri = os.environ.get(VARIABLE) or state(Path())[VARIABLE]
    if uri in _opened and mlflow.get_tracking_uri() == uri:
        return uri
    for name, value in PATIENCE.items():
        os.environ.setdefault(name, value)
    for name, level in CHATTY.items():
        logging.getLogger(name).setLevel(level)
    if uri.startswith(("http://", "https://")):
        _probe(uri)
    elif uri.startswith("sqlite:"):
        _prepare(uri)
    elif uri.startswith("postgres"):
        _prepare_postgres(uri)
    mlflow.set_tracking_uri(uri)
    _opened.add(uri)
    return uri


def client() -> MlflowClient:
    """A client of the store in use, opened where needed."""
    return MlflowClient(tracking_uri=connect())


def experiment(task: str) -> str:
    """The id of the experiment called `task`, made where it is missing."""
    uri = connect()
    with asking(f"the experiment {task!r} cannot be used"):
        mlflow_client = MlflowClient(tracking_uri=uri)
        found = mlflow_client.get_experiment_by_name(task)
        if found is None:
            try:
                return str(mlflow_client.create_experiment(task, _artifacts(uri, task)))
            except MlflowException:  # another process was faster, or the name is refused
                found = mlflow_client.get_experiment_by_name(task)
                if found is None:
                    raise
        if found.lifecycle_stage != "active":
            raise TrackingError(
                f"the experiment {task!r} was deleted in MLflow: "
                f"`mlflow experiments restore -x {found.experiment_id}` brings it back"
            )
        return str(found.experiment_id)


def find_experiment(name: str) -> str | None:
    """The id of an experiment; None where there is none. Makes nothing."""
    mlflow_client = client()
    with asking(f"the experiment {name!r} cannot be read"):
        found = mlflow_client.get_experiment_by_name(name)
    return None if found is None or found.lifecycle_stage != "active" else str(found.experiment_id)


def ui_url(task: str) -> str:
    """The page that lists the runs of `task`, best first, with the deciding figures as columns.

    Without a server it is the page that `make ui` starts.
    """
    uri = connect()
    base = uri.rstrip("/") if uri.startswith("http") else UI
    number = experiment(task)
    view = {
        "selectedColumns": [f"metrics.`{name}`" for name in DECIDING],
        "orderByKey": f"metrics.`{DECIDING[0]}`",
        "orderByAsc": False,
    }
    with asking(f"the view of {task!r} cannot be saved"):
        client().set_experiment_tag(number, f"mlflow.sharedViewState.{VIEW}", json.dumps(view))
    # Without the first part a fresh browser opens MLflow's view for language models.
    query = f"workflowType=machine_learning&viewStateShareKey={VIEW}"
    return f"{base}/#/experiments/{number}/runs?{query}"


@contextmanager
def asking(problem: str) -> Iterator[None]:
    """Turn whatever MLflow raises inside the block into a `TrackingError` of one line."""
    try:
        yield
    except Exception as error:
        if not _of_the_store(error):
            raise
        raise TrackingError(f"{problem}: {_reason(error)}") from error


@contextmanager
def hurried() -> Iterator[None]:
    """Inside the block a request is made once and waits for 3 seconds, whatever is set."""
    before = {name: os.environ.get(name) for name in HURRY}
    os.environ.update(HURRY)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def one_line(error: BaseException) -> str:
    """The gist of an exception, at most 300 characters."""
    text = " ".join(str(error).split("\n", 1)[0].split()) or type(error).__name__
    return text if len(text) <= 300 else f"{text[:300]} ..."


def _of_the_store(error: Exception) -> bool:
    """Whether MLflow, the database, the network or the store for artifacts raised it."""
    if isinstance(error, (MlflowException, SQLAlchemyError, OSError)):
        return True
    # Amazon's client has an error tree of its own, and MLflow lets it through.
    rooms = {kind.__module__.split(".")[0] for kind in type(error).__mro__}
    return not rooms.isdisjoint({"botocore", "boto3"})


def _probe(uri: str) -> None:
    """Ask the server for its health once, in the way MLflow itself asks (proxies, TLS, log-in)."""
    try:
        answer = http_request(  # type: ignore[no-untyped-call]
            get_default_host_creds(uri),  # type: ignore[no-untyped-call]
            "/health",
            "GET",
            max_retries=0,
            timeout=PROBE_SECONDS,
            raise_on_status=False,
        )
    except (MlflowException, OSError) as error:
        raise _silent(uri, _reason(error)) from error
    if answer.status_code >= 500:  # a proxy speaks for a server that is down
        raise _silent(uri, f"status {answer.status_code}")


def _silent(uri: str, reason: str) -> TrackingError:
    return TrackingError(
        f"the tracking server at {uri} does not answer ({reason}): "
        f"start it with `make ui`, or unset {VARIABLE}"
    )


def _reason(error: BaseException) -> str:
    """What is wrong: a few words for trouble on the network, else the first line."""
    text = str(error)
    return next((words for sign, words in TROUBLE.items() if sign in text), one_line(error))


def _prepare(uri: str) -> None:
    """Make folder and schema of a SQLite store; two processes at once would break each other."""
    path = _file(uri)
    if path is None:
        return
    with asking(f"the tracking store {path} cannot be opened"):
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_name(f".{path.name}.lock"), timeout=SCHEMA_SECONDS):
            _make_schema(uri)


def _prepare_postgres(uri: str) -> None:
    """Reach the database, quickly or not at all, and make its schema under a lock of its own."""
    try:
        url = make_url(uri)
        engine = create_engine(url, connect_args={"connect_timeout": PROBE_SECONDS})
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        raise TrackingError(
            f"{VARIABLE} is no address of a database ({one_line(error)}): "
            "write postgresql+psycopg://USER:PASSWORD@HOST:PORT/DATABASE"
        ) from error
    try:
        with asking(f"the database {_shown(url)} cannot be opened"), engine.connect() as held:
            held.execute(text(f"SET lock_timeout = '{SCHEMA_SECONDS}s'"))
            held.execute(text(f"SELECT pg_advisory_lock({SCHEMA_LOCK})"))
            # The lock is the session's, and ends with it.
            _make_schema(uri)
    finally:
        engine.dispose()


def _make_schema(uri: str) -> None:
    """MLflow makes what is missing when it is first asked for something."""
    MlflowClient(tracking_uri=uri).search_experiments(ViewType.ALL, max_results=1)
    MlflowClient(tracking_uri=uri).search_registered_models(max_results=1)


def _shown(url: URL) -> str:
    """Without the password."""
    return url.render_as_string(hide_password=True)


def _artifacts(uri: str, name: str) -> str | None:
    """Where the artifacts of a new experiment go; None leaves it to the server."""
    path = _file(uri)
    if path is not None:
        return (path.parent / "artifacts" / name).as_uri()
    if not uri.startswith("postgres"):
        return None
    root = os.environ.get(ROOT) or (Path("mlruns") / "artifacts").resolve().as_uri()
    return f"{root.rstrip('/')}/{name}"


def _file(uri: str) -> Path | None:
    """The file of a SQLite address, absolute; None of any other address."""
    name = uri.split("?", 1)[0].removeprefix("sqlite:///")
    if not uri.startswith("sqlite:///") or name in ("", ":memory:"):
        return None
    return Path(name).resolve()
