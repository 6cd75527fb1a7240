import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from flows.stage import StageAwayError, StageBusyError, StageError, repro, status, targets

from roadworthy.layout import STAGES

SLOW = "open('pid', 'w').write(str(os.getpid())); print('started', flush=True); time.sleep(60)"
AWAY = "the tracking server at http://h:1 does not answer (connection refused): start it"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """A folder with a DVC pipeline of `plan` and `index` for two tasks, each one line of Python."""

    def make(plan: str = "pass", index: str = "pass") -> Path:
        (tmp_path / "step.py").write_text(
            "import os, sys, time\n"
            "stage, *task = sys.argv[1:]\n"
            f"if stage == 'plan': {plan}\n"
            f"if stage == 'index': {index}\n"
            "open('-'.join(sys.argv[1:]) + '.out', 'w').write(sys.executable)\n"
        )
        (tmp_path / "dvc.yaml").write_text(
            textwrap.dedent("""
            stages:
              plan: {cmd: python step.py plan, outs: [plan.out]}
              index:
                foreach: [car, police]
                do:
                  cmd: python step.py index ${item}
                  deps: [plan.out]
                  outs: ["index-${item}.out"]
            """)
        )
        subprocess.run(
            [sys.executable, "-m", "dvc", "init", "--no-scm", "-q"], cwd=tmp_path, check=True
        )
        return tmp_path

    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    monkeypatch.chdir(tmp_path)
    return make


def test_targets_are_the_names_in_dvc_yaml() -> None:
    """A stage is one target per task, but for the two that are one for all."""
    assert targets("index", ["car", "police"]) == ["index@car", "index@police"]
    assert [stage for stage in STAGES if targets(stage, ["car"]) == [stage]] == ["plan", "pretrain"]


def test_lines_are_reported_and_the_second_run_does_nothing(project: Callable[..., Path]) -> None:
    """What a stage prints is seen while it runs, by this Python; what did not run is not listed."""
    folder = project(index="print('indexing', *task)")
    assert set(status(None)) == {"plan", "index@car", "index@police"}
    lines: list[str] = []
    done = repro("index", ["car", "police"], lines.append)
    assert "indexing car" in lines and "indexing police" in lines
    assert Path((folder / "index-car.out").read_text()).parent == Path(sys.executable).parent
    assert done.ran == ("plan", "index@car", "index@police")
    assert done.row()["what"] == "ran: plan, index@car, index@police"
    again: list[str] = []
    assert repro("index", ["car", "police"], again.append).row()["what"] == "up to date"
    assert again == ["Data and pipelines are up to date."]
    assert not status(None)


def test_a_failing_stage_says_what_it_said(project: Callable[..., Path]) -> None:
    """The error has the last lines, so that nobody has to look for the log."""
    project(index="sys.exit('12 images are unreadable')")
    with pytest.raises(StageError, match="12 images are unreadable") as caught:
        repro("index", ["car"], lambda line: None)
    assert type(caught.value) is StageError


def test_a_server_that_is_away_is_worth_another_try(project: Callable[..., Path]) -> None:
    """It may be back in a minute; bad data will not be better."""
    project(index=f"sys.exit('ERROR: {AWAY}')")
    with pytest.raises(StageAwayError):
        repro("index", ["car"], lambda line: None)


def test_a_busy_project_is_told_from_a_broken_one(project: Callable[..., Path]) -> None:
    """Only a lock is worth waiting for."""
    folder = project(index=SLOW)
    other = subprocess.Popen(
        [sys.executable, "-m", "dvc", "repro", "index@car"],
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        _started(folder)
        with pytest.raises(StageBusyError):
            repro("index", ["car"], lambda line: None)
    finally:
        os.killpg(other.pid, signal.SIGKILL)
        other.wait()


def _started(folder: Path) -> None:
    deadline = time.monotonic() + 60
    while not (folder / "pid").is_file():
        assert time.monotonic() < deadline, "the stage did not start"
        time.sleep(0.05)
