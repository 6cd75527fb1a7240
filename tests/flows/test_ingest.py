"""The flow `ingest` waits for a person, takes what that person wants, and says so."""

import hashlib
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import StateType
from prefect.flow_runs import resume_flow_run
from prefect.testing.utilities import prefect_test_harness

from flows import ingest as flows_ingest
from flows import question
from roadworthy.data import version
from roadworthy.errors import VerdictError
from roadworthy.pipeline.ingest import present_version
from support import write_images

pytestmark = [
    pytest.mark.slow,
    # DVC's own, of a library that it uses.
    pytest.mark.filterwarnings("ignore:_NoneStep:DeprecationWarning"),
]
RULES = (
    "near-duplicates|imbalance|aspect|source mix|usual mode|not too dark|not too bright|not blurry"
    "|not flat|width|known makes|shortcut"
)
PARAMS = f"""
tasks:
  car: {{kind: binary, images: data/car, label: {{from: [folder], classes: [not_car, car]}}}}
validate: {{min_per_class: 6, levels: {{{", ".join(f"{rule}: off" for rule in RULES.split("|"))}}}}}
index: {{workers: 1}}
"""


@pytest.fixture(scope="module")
def server() -> Iterator[None]:
    """A server of this file's own."""
    with prefect_test_harness(server_startup_timeout=120):
        yield


@pytest.fixture
def road(project: Path) -> Path:
    """A first version of one task, committed, and three images in the inbox."""
    for command in ("git init -q", "dvc init -q"):
        subprocess.run(command.split(), check=True)
    Path("params.yaml").write_text(PARAMS)
    Path(".gitignore").write_text("/data\n/.cache/\n/inbox/\n/artifacts/\n")
    for number, label in enumerate(("car", "not_car")):
        write_images(Path("data/car", label), 10, seed=number)
    version.accept()
    git("add", "-A")
    git("commit", "-qm", "first")
    write_images(Path("inbox/car/car"), 3, seed=9)
    return project


def git(*arguments: str) -> str:
    author = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    done = subprocess.run(["git", *author, *arguments], capture_output=True, text=True, check=True)
    return done.stdout


def answer(given: list[dict[str, Any]], every: list[str]) -> None:
    """Resume the run each time it is paused, with the next answer; notes the states seen."""
    with get_client(sync_client=True) as client:
        while given:
            for run in client.read_flow_runs(limit=1):
                if run.state and run.state.type == StateType.PAUSED:
                    every.append(run.state.name)
                    resume_flow_run(run.id, run_input=given.pop(0))
            time.sleep(0.3)


def test_a_person_is_asked_and_answers(
    server: None, road: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slip in the answer is asked again; one image is struck out, the others are committed."""
    monkeypatch.setattr(question, "POLL_SECONDS", 1)
    first, sha = (
        present_version(),
        hashlib.sha256(Path("inbox/car/car/0001.png").read_bytes()).hexdigest(),
    )
    every: list[str] = []
    given = [{"answer": "yes", "without": "ffff"}, {"answer": "yes", "without": sha[:8]}]
    thread = threading.Thread(target=answer, args=(given, every), daemon=True)
    thread.start()
    made: Any = flows_ingest.ingest()
    thread.join()
    assert every == ["Paused", "Paused"]
    assert made.hash == present_version() != first
    assert len(list(Path("data/car/inbox").rglob("*.png"))) == 2
    assert git("log", "-1", "--format=%s").strip() == "ingest: car +2 (0 from feedback)"
    assert not git("status", "--porcelain")


def test_nobody_answers(server: None, road: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the time that is set it ends well, and nothing was taken."""
    monkeypatch.setattr(question, "POLL_SECONDS", 1)
    Path("params.yaml").write_text(f"{PARAMS}ingest: {{wait_hours: 0.001}}")
    before = present_version()
    state: Any = flows_ingest.ingest(return_state=True)
    assert state.is_completed() and "3 new images wait for a yes" in state.message
    assert present_version() == before


def test_bad_data_fail_the_flow_and_change_nothing(server: None, road: Path) -> None:
    """Images of five pixels, and nobody to ask."""
    shutil.rmtree("inbox")
    write_images(Path("inbox/car/car"), 9, size=(5, 5))
    before = present_version()
    state: Any = flows_ingest.ingest(yes=True, return_state=True)
    assert state.is_failed() and isinstance(state.result(raise_on_failure=False), VerdictError)
    assert present_version() == before and not git("status", "--porcelain")
