from pathlib import Path

import pytest
from flows.commit import CommitBusyError, CommitError, changed, check, commit, committed

from toy_road import git


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with what a walk rewrites."""
    monkeypatch.chdir(tmp_path)
    git(tmp_path, "init", "-q")
    for name in ("dvc.lock", "data.dvc", "code.py"):
        (tmp_path / name).write_text("1")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-q", "-m", "one")
    return tmp_path


def test_exactly_what_the_walk_changed_is_committed(project: Path) -> None:
    """A new file of splits too; what a person has staged stays staged, and goes in by a person."""
    (project / "dvc.lock").write_text("2")
    (project / "splits").mkdir()
    (project / "splits" / "car.csv").write_text("a,train")
    (project / "code.py").write_text("2")
    git(project, "add", "code.py")
    (project / "notes.txt").write_text("mine")
    assert sorted(changed()) == ["dvc.lock", "splits/car.csv"]
    made = commit("retrain: it")
    assert made == git(project, "rev-parse", "HEAD").strip()
    listed = git(project, "show", "--name-only", "--format=%s", "HEAD").split("\n")
    assert listed[0] == "retrain: it" and sorted(listed[2:4]) == ["dvc.lock", "splits/car.csv"]
    assert git(project, "status", "--porcelain") == "M  code.py\n?? notes.txt\n"
    assert commit("again") is None and not changed()


def test_a_machine_without_an_author_commits_all_the_same(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server's account has no name in git."""
    monkeypatch.setenv("HOME", str(project))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "user.useConfigOnly")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "true")
    for name in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "EMAIL", "GIT_CONFIG_GLOBAL"):
        monkeypatch.delenv(name, raising=False)
    (project / "dvc.lock").write_text("2")
    commit("retrain: it")
    assert git(project, "log", "-1", "--format=%an <%ae>") == "Roadworthy <roadworthy@localhost>\n"


def test_what_the_gate_would_refuse_is_said_before_the_training(project: Path) -> None:
    """Its own files do not count, and new ones only in src/."""
    (project / "dvc.lock").write_text("2")
    (project / "notes.txt").write_text("mine")
    check()
    (project / "code.py").write_text("2")
    with pytest.raises(CommitError, match=r"not committed: code\.py\. .*commit them, or take"):
        check()


def test_no_git_is_said_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The gate would refuse."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(CommitError, match="not under git"):
        check()
    assert not changed()


def test_a_busy_git_is_worth_another_try_and_a_hook_is_not(project: Path) -> None:
    """What a hook says is passed on."""
    (project / "dvc.lock").write_text("2")
    (project / ".git" / "index.lock").touch()
    with pytest.raises(CommitBusyError):
        commit("retrain: it")
    (project / ".git" / "index.lock").unlink()
    hook = project / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho nobody commits on Sundays >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(CommitError, match="nobody commits on Sundays") as caught:
        commit("retrain: it")
    assert not isinstance(caught.value, CommitBusyError)


def test_a_file_as_it_was_committed(project: Path) -> None:
    """Also from a folder inside of the repository."""
    (project / "dvc.lock").write_text("2")
    assert committed(Path("dvc.lock")) == b"1"
    assert committed(Path("never.lock")) is None
