"""Lineage tells the truth about the working tree."""

import subprocess
from pathlib import Path

import pytest

from roadworthy.params import parse
from roadworthy.tracking import lineage

PARAMS = "tasks: {car: {kind: binary, images: data/car}}"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for variable, value in {
        "GIT_AUTHOR_NAME": "a",
        "GIT_AUTHOR_EMAIL": "a@example.org",
        "GIT_COMMITTER_NAME": "a",
        "GIT_COMMITTER_EMAIL": "a@example.org",
        "GIT_CEILING_DIRECTORIES": str(tmp_path.parent),
    }.items():
        monkeypatch.setenv(variable, value)
    (tmp_path / "code.py").write_text("1\n")
    (tmp_path / "dvc.lock").write_text("1\n")
    (tmp_path / "params.yaml").write_text("1\n")
    (tmp_path / "src").mkdir()
    (tmp_path / "src/old.py").write_text("1\n")
    (tmp_path / "splits").mkdir()
    (tmp_path / "splits/car.csv").write_text("1\n")
    (tmp_path / "data.dvc").write_text("outs:\n- md5: 0123abcd.dir\n  path: data\n")
    _git(tmp_path, "init", "-q")
    _git(tmp_path, "add", ".")
    _git(tmp_path, "commit", "-qm", "first")
    return tmp_path


def test_a_clean_tree(repository: Path) -> None:
    """Protects reproducing a model: its commit, its data, its parameters."""
    found = lineage.collect("hash", "sha", "run", repository)
    assert found.git_commit == _git(repository, "rev-parse", "HEAD").strip()
    assert found.git_dirty is False
    assert (found.data_version, found.params_hash) == ("0123abcd.dir", "hash")
    assert (found.backbone, found.run_id) == ("sha", "run")


@pytest.mark.parametrize(
    ("changed", "dirty"),
    [
        ("code.py", True),
        ("dvc.lock", False),
        ("data.dvc", False),
        ("params.yaml", False),
        ("splits/car.csv", False),
        ("new file.py", False),
        ("src/new.py", True),
    ],
)
def test_dirty_means_that_tracked_code_differs(repository: Path, changed: str, dirty: bool) -> None:
    """Protects `dvc repro` on new data, which rewrites its own files, from calling its tree dirty."""
    (repository / changed).write_text("2\n")
    assert lineage.collect("hash", None, root=repository).git_dirty is dirty


def test_the_gate_is_told_what_is_not_committed(repository: Path) -> None:
    """Protects promotion from rules and code that nobody can look up later."""
    assert lineage.uncommitted(repository) == []
    for name in ("code.py", "params.yaml", "dvc.lock", "data.dvc", "splits/car.csv", "new.py"):
        (repository / name).write_text("2\n")
    assert lineage.uncommitted(repository) == ["code.py", "params.yaml"]
    assert lineage.uncommitted(repository.parent) is None


def test_without_git_nothing_is_claimed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Protects training in a container that holds no repository."""
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    found = lineage.collect("hash", None, root=tmp_path)
    assert (found.git_commit, found.git_dirty, found.data_version) == (None, None, None)


def test_params_hash_follows_meaning_not_spelling() -> None:
    """Protects comparisons: the same settings in another order are the same settings."""
    plain = lineage.params_hash(parse(PARAMS).task("car"))
    written_out = "train: {epochs: 3, lr: 0.001}\n" + PARAMS
    turned = "train: {lr: 0.001, epochs: 3}\n" + PARAMS
    other = "train: {epochs: 4}\n" + PARAMS
    assert plain == lineage.params_hash(parse(written_out).task("car"))
    assert plain == lineage.params_hash(parse(turned).task("car"))
    assert plain != lineage.params_hash(parse(other).task("car"))


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], check=True, capture_output=True, text=True
    )
    return done.stdout
