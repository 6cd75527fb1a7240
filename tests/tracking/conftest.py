"""A store of its own for every test: a copy of one empty SQLite file."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import mlflow
import pytest

from postgres import (  # noqa: F401
    any_store,
    postgres_server,
    postgres_store,
    quick_commits,
    sqlite_file,
    sqlite_store,
)
from roadworthy import environment
from roadworthy.tracking import store


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(store.VARIABLE, f"sqlite:///{folder / 'mlflow.db'}")
        for name, value in environment.SWITCHES.items():
            patch.setenv(name, value)
        store.connect()
    return folder / "mlflow.db"


@pytest.fixture
def project(empty_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty project folder with a ready store, as the current folder."""
    (tmp_path / "mlruns").mkdir()
    shutil.copyfile(empty_store, tmp_path / "mlruns" / "mlflow.db")
    monkeypatch.setenv(store.VARIABLE, f"sqlite:///{tmp_path / 'mlruns' / 'mlflow.db'}")
    for name, value in environment.SWITCHES.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    before = mlflow.get_tracking_uri()
    yield tmp_path
    mlflow.set_tracking_uri(before)
