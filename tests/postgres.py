"""Stores for tests: a PostgreSQL server of their own, and the same tests on SQLite and on it.

A `conftest.py` imports the fixtures, `quick_commits` among them; a test takes `any_store`. Server
and schema cost 3 s once, a database of its own 0.1 s.
"""

import os
import pwd
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import mlflow
import psycopg
import pytest
from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore as RegistryStore
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore as TrackingStore
from sqlalchemy import event
from sqlalchemy.engine import Engine

from roadworthy import environment
from roadworthy.tracking import store
from support import free_port

USERS = ("postgres", "nobody")
START_SECONDS = 60
TEMPLATE = "mlflow_template"
# A database that is lost with the test needs no disk to be written through.
SETTINGS = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=200")


class Postgres:
    """A server on loopback, whose databases are copies of one that has MLflow's schema."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self.folder, self.programs, self.port = folder, programs, free_port()
        # PostgreSQL refuses to run as root.
        self.user = _other_user() if os.geteuid() == 0 else None
        if self.user:
            shutil.chown(folder, self.user)

    def start(self) -> None:
        data = str(self.folder / "data")
        made = subprocess.run(
            [self._program("initdb"), "-D", data, "-U", "test", "-A", "trust", "-N", "-E", "UTF8"],
            **self._as_user(),
            capture_output=True,
            text=True,
        )
        assert made.returncode == 0, made.stderr
        settings = [f"listen_addresses=127.0.0.1,port={self.port}".split(","), SETTINGS]
        flags = [part for group in settings for one in group for part in ("-c", one)]
        with (self.folder / "log").open("w") as log:
            self.process = subprocess.Popen(
                [self._program("postgres"), "-D", data, "-k", str(self.folder), *flags],
                **self._as_user(),
                stdout=log,
                stderr=log,
            )
        self._wait()

    def stop(self) -> None:
        # "Fast": open connections are closed.
        self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=30)

    def database(self, template: str = TEMPLATE) -> str:
        """The address of a new database."""
        name = f"test_{uuid.uuid4().hex[:12]}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.address(name)

    def drop(self, address: str) -> None:
        forget(address)
        self.execute(f"DROP DATABASE {address.rsplit('/', 1)[1]} WITH (FORCE)")

    def address(self, name: str) -> str:
        return f"postgresql+psycopg://test@127.0.0.1:{self.port}/{name}"

    def execute(self, command: str) -> None:
        address = f"postgresql://test@127.0.0.1:{self.port}/postgres"
        with psycopg.connect(address, autocommit=True, connect_timeout=5) as connection:
            connection.execute(command)

    def _wait(self) -> None:
        limit = time.monotonic() + START_SECONDS
        while time.monotonic() < limit and self.process.poll() is None:
            try:
                return self.execute("SELECT 1")
            except psycopg.OperationalError:
                time.sleep(0.05)
        raise AssertionError(f"PostgreSQL did not start: {(self.folder / 'log').read_text()}")

    def _program(self, name: str) -> str:
        return str(self.programs / name)

    def _as_user(self) -> dict[str, str | Path]:
        where: dict[str, str | Path] = {"cwd": self.folder}
        return where | ({"user": self.user} if self.user else {})


def forget(address: str) -> None:
    """Close the connections that MLflow keeps to a database."""
    for kind in (RegistryStore, TrackingStore):
        if address in kind._engine_map:
            kind._engine_map[address].dispose()


@contextmanager
def using(address: str, patch: pytest.MonkeyPatch) -> Iterator[str]:
    """The store at this address is the one in use inside the block."""
    before = mlflow.get_tracking_uri()
    for name, value in environment.SWITCHES.items():
        patch.setenv(name, value)
    patch.setenv(store.VARIABLE, address)
    try:
        yield address
    finally:
        mlflow.set_tracking_uri(before)


@pytest.fixture(scope="session", autouse=True)
def quick_commits() -> Iterator[None]:
    """SQLite, too, writes nothing through to the disk: 6 ms for each of a hand-over's 40 commits."""

    def prepare(connection: object, _: object) -> None:
        if isinstance(connection, sqlite3.Connection):
            connection.execute("PRAGMA synchronous = OFF")

    event.listen(Engine, "connect", prepare)
    yield
    event.remove(Engine, "connect", prepare)


@pytest.fixture(scope="session")
def sqlite_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty SQLite store, to be copied."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    with pytest.MonkeyPatch.context() as patch, using(f"sqlite:///{path}", patch):
        store.connect()
    return path


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """A running server; a test that cannot have one is skipped, or fails where `CI` is `true`."""
    programs = _programs()
    if programs is None:
        reason = "PostgreSQL is not installed: apt-get install postgresql"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    # Not in pytest's folder, which nobody but its owner may enter.
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    server = Postgres(folder, programs)
    try:
        server.start()
        try:
            server.execute(f"CREATE DATABASE {TEMPLATE}")
            address = server.address(TEMPLATE)
            with pytest.MonkeyPatch.context() as patch, using(address, patch):
                store.connect()
            forget(address)
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def sqlite_store(
    sqlite_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """The address of an empty SQLite store, which is in use; `tmp_path` is the current folder."""
    path = tmp_path / "mlruns" / "mlflow.db"
    path.parent.mkdir(exist_ok=True)
    shutil.copyfile(sqlite_file, path)
    monkeypatch.chdir(tmp_path)
    with using(f"sqlite:///{path}", monkeypatch) as address:
        yield address


@pytest.fixture
def postgres_store(
    postgres_server: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """The same on PostgreSQL; artifacts go to `mlruns/` of `tmp_path` as well."""
    monkeypatch.chdir(tmp_path)
    address = postgres_server.database()
    try:
        with using(address, monkeypatch):
            yield address
    finally:
        postgres_server.drop(address)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.slow)])
def any_store(request: pytest.FixtureRequest) -> str:
    """The same test on both."""
    return str(request.getfixturevalue(f"{request.param}_store"))


def _programs() -> Path | None:
    """The folder of `initdb` and `postgres`; Debian keeps them off the path."""
    found = [Path(one).resolve().parent for one in (shutil.which("initdb"),) if one]
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((one for one in found if (one / "postgres").is_file()), None)


def _other_user() -> str:
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in USERS if name in known)
