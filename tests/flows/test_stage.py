import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from flows.stage import StageBusyError, StageError, repro, targets

from flows import stage
from roadworthy.layout import STAGES

ROOT = Path(__file__).parents[2]
DEFAULT_SIGNALS = ("env", "--default-signal=INT,QUIT,TERM,HUP")
SLOW = "open('pid', 'w').write(str(os.getpid())); print('started', flush=True); time.sleep(60)"


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
    """What a stage prints is seen while it runs, by this Python, and nothing runs twice."""
    folder = project(index="print('indexing', *task)")
    lines: list[str] = []
    repro("index", ["car", "police"], lines.append)
    assert "indexing car" in lines and "indexing police" in lines
    assert Path((folder / "index-car.out").read_text()).parent == Path(sys.executable).parent
    again: list[str] = []
    repro("index", ["car", "police"], again.append)
    assert "indexing car" not in again


def test_a_failing_stage_says_what_it_said(project: Callable[..., Path]) -> None:
    """The error has the last lines, so that nobody has to look for the log."""
    project(index="sys.exit('12 images are unreadable')")
    with pytest.raises(StageError, match="12 images are unreadable") as caught:
        repro("index", ["car"], lambda line: None)
    assert not isinstance(caught.value, StageBusyError)


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
        _pid(folder)
        with pytest.raises(StageBusyError):
            repro("index", ["car"], lambda line: None)
    finally:
        os.killpg(other.pid, signal.SIGKILL)
        other.wait()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_flow_leaves_no_orphan(project: Callable[..., Path], number: int) -> None:
    """Ctrl-C, or the SIGTERM with which Prefect cancels, stops the training too."""
    folder = project(index=SLOW)
    driver = textwrap.dedent(f"""
        import signal, sys
        sys.path.insert(0, {str(ROOT)!r})
        from flows.stage import repro
        def stop(*_):
            raise SystemExit(143)
        signal.signal(signal.SIGTERM, stop)
        repro("index", ["car"], print)
    """)
    process = subprocess.Popen(
        [*DEFAULT_SIGNALS, sys.executable, "-c", driver],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        training = psutil.Process(_pid(folder))
        group = os.getpgid(training.pid)
        process.send_signal(number)
        assert process.wait(timeout=30) != 0
        assert not training.is_running()
        with pytest.raises(ProcessLookupError):
            os.killpg(group, 0)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def test_a_training_that_will_not_stop_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever ignores SIGINT and SIGTERM is not left running."""
    monkeypatch.setattr(
        stage,
        "STOPPING",
        [(number, 0.3) for number, _ in stage.STOPPING[:-1]] + [stage.STOPPING[-1]],
    )
    code = "trap '' INT TERM; echo ready; while :; do sleep 1; done"
    with subprocess.Popen(
        ["sh", "-c", code], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        stage.stop(process)
        assert process.returncode == -signal.SIGKILL


def _pid(folder: Path) -> int:
    """Of the training process, once it has started."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if (folder / "pid").is_file() and (text := (folder / "pid").read_text()):
            return int(text)
        time.sleep(0.05)
    raise AssertionError("the stage did not start")
