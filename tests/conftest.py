"""Every test has a project folder of its own, and other people's tools switched to quiet."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from roadworthy import environment

# A slow machine is no fault of what is tested; whatever CI sets besides stays.
settings.register_profile("road", parent=settings(), deadline=None)
settings.load_profile("road")

for name, value in environment.SWITCHES.items():
    os.environ.setdefault(name, value)
if "PYTEST_XDIST_WORKER" in os.environ:
    # A worker for each core: more threads than that only wait for each other.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
# `dvc`, `bentoml` and `python` of this environment, for what a test starts by name.
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With `-n`, a file stays in one process, and so do all journeys that share the walked road."""
    for item in items:
        shared = "walk" in getattr(item, "fixturenames", ())
        item.add_marker(pytest.mark.xdist_group("walk" if shared else item.nodeid.split("::")[0]))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder that is the current one, with the state of all tools below it."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for name, value in environment.state(folder).items():
        monkeypatch.setenv(name, value)
    yield folder


@pytest.fixture(scope="session", autouse=True)
def nothing_left_running() -> Iterator[None]:
    """No test leaves a child process behind."""
    yield
    command = ["ps", "--ppid", str(os.getpid()), "-o", "args="]
    found = subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()
    left = [line for line in found if "ps --ppid" not in line and "resource_tracker" not in line]
    assert not left, left
