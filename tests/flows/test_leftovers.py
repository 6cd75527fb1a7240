import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from flows.leftovers import ASIDE, LOCKFILE, RWLOCK, blocking, end_stragglers, mend, stragglers
from flows.process import MARK

from toy_road import git

WHOLE = "schema: '2.0'\nstages:\n  plan:\n    cmd: python step.py plan\n"


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout in which nothing is wrong."""
    monkeypatch.chdir(tmp_path)
    git(tmp_path, "init", "-q")
    LOCKFILE.write_text(WHOLE)
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-q", "-m", "one")
    RWLOCK.parent.mkdir(parents=True)
    return tmp_path


def held(pid: int) -> None:
    """DVC's note of who writes."""
    it = {"pid": pid, "cmd": "dvc repro train@car"}
    RWLOCK.write_text(json.dumps({"write": {"/x": it}, "read": {"/y": [it]}}))


def mended() -> list[str]:
    """What `mend` had to say."""
    lines: list[str] = []
    mend(lines.append)
    return lines


def test_a_living_command_is_named_and_left_alone() -> None:
    """A `dvc repro` typed by hand is waited for."""
    assert blocking() is None
    held(os.getpid())
    assert str(blocking()) == f"`dvc repro train@car` (process {os.getpid()})"
    assert not mended() and RWLOCK.is_file()


def test_the_lock_of_the_dead_is_void() -> None:
    """DVC asks only whether the number is in use, and would wait for a stranger for ever."""
    held(os.getpid())
    os.utime(RWLOCK, (1, 1))  # long before this process began
    assert blocking() is None
    assert mended() == [
        f"{RWLOCK} names `dvc repro train@car` (process {os.getpid()}), which is dead: removed"
    ]
    assert not RWLOCK.exists()


@pytest.mark.parametrize("text", ["", '{"write": {"/x": {"pid"'])
def test_half_a_note_is_removed(text: str) -> None:
    """DVC refuses to work with it."""
    RWLOCK.write_text(text)
    assert mended() == [f"{RWLOCK} was cut off by a kill: removed"]
    assert not RWLOCK.exists() and not mended()


@pytest.mark.parametrize("text", ["", "schema: '2.0'\nstages:\n  pl", "stages: [", "\x00\x00"])
def test_half_a_lock_file_gives_way_to_that_of_the_commit(text: str) -> None:
    """DVC writes it in place; the broken one is kept, for people."""
    LOCKFILE.write_text(text)
    [said] = mended()
    assert "that of the last commit took its place" in said
    assert LOCKFILE.read_text() == WHOLE and ASIDE.read_text() == text
    assert not mended()


def test_a_lock_file_that_no_commit_has_begins_anew(project: Path) -> None:
    """What was made is still there, and DVC remembers it."""
    git(project, "rm", "-q", "--cached", "dvc.lock")
    git(project, "commit", "-q", "-m", "without")
    LOCKFILE.write_text("")
    assert "it begins anew" in mended()[0] and not LOCKFILE.exists()


def test_the_lock_of_a_killed_git_is_removed(project: Path) -> None:
    """Else nothing would be committed any more."""
    path = project / ".git" / "index.lock"
    path.touch()
    assert "was left by a git that was killed" in mended()[0] and not path.exists()


def test_what_an_earlier_walk_still_runs_is_ended(project: Path) -> None:
    """Of this folder; of another one it is somebody's work."""
    command = [sys.executable, "-c", "import time; time.sleep(600)"]
    # Not a child of ours: its parent is gone.
    script = f"import subprocess; print(subprocess.Popen({command!r}, stdout=-3, stderr=-3).pid)"
    found = {}
    for folder in (project, project / "elsewhere"):
        done = subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, MARK: str(folder)},
            capture_output=True,
            text=True,
            check=True,
        )
        found[folder] = psutil.Process(int(done.stdout))
    assert stragglers() == [found[project]]
    lines: list[str] = []
    end_stragglers(lines.append, patience=0.2)
    assert not found[project].is_running() and found[project / "elsewhere"].is_running()
    assert "an earlier walk left" in lines[0]
    found[project / "elsewhere"].kill()
