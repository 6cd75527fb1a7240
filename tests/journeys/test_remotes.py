"""The images go to a remote and come back: a folder, and a store that speaks S3."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from object_store import account, object_store
from roadworthy import environment
from roadworthy.data import version
from support import Run, write_images

BUCKET = "images"


@pytest.fixture
def run(project: Path, tmp_path: Path) -> Run:
    """Runs a command in a git and DVC repository with a few images, of which DVC knows."""
    own = {**os.environ, **environment.SWITCHES, **account(tmp_path)}
    own.pop("AWS_PROFILE", None)

    def command(*words: str, ok: bool = True, **more: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            words, env={**own, **more}, capture_output=True, text=True, check=False
        )
        assert (done.returncode == 0) is ok, f"{words}: {done.stdout}{done.stderr}"
        return done

    command("git", "init", "-q", "-b", "main")
    command("git", "config", "user.email", "road@example.com")
    command("git", "config", "user.name", "road")
    command("dvc", "init", "-q")
    write_images(project / "data/car/street/car", 12, seed=1)
    write_images(project / "data/car/street/not_car", 12, seed=2)
    command(sys.executable, "-c", "from roadworthy.data import version; version.accept()")
    return command


def files(folder: Path = version.DATA) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


def lose_everything() -> None:
    """As on a machine that has only the git repository."""
    shutil.rmtree("data")
    shutil.rmtree(".dvc/cache")


def test_a_shared_folder_keeps_the_images(run: Run, tmp_path: Path) -> None:
    """Pushed, lost, pulled: the same bytes; and in another clone as well."""
    before = files()
    run("dvc", "remote", "add", "-d", "store", str(tmp_path / "shared"))
    run("git", "add", "-A")
    run("git", "commit", "-qm", "images")
    run("dvc", "push")
    lose_everything()
    run("dvc", "pull")
    assert files() == before
    clone = tmp_path / "clone"
    run("git", "clone", "-q", ".", str(clone))
    run("dvc", "--cd", str(clone), "pull")
    assert files(clone / "data") == before
    assert run("git", "status", "--porcelain").stdout == ""


def test_an_earlier_version_comes_back_from_the_remote(run: Run, tmp_path: Path) -> None:
    """Git says which version, the remote has its images."""
    before = files()
    run("dvc", "remote", "add", "-d", "store", str(tmp_path / "shared"))
    run("git", "add", "-A")
    run("git", "commit", "-qm", "images")
    run("dvc", "push")
    write_images(Path("data/car/more/car"), 5, seed=3)
    run(sys.executable, "-c", "from roadworthy.data import version; version.accept()")
    run("git", "commit", "-qam", "more images")
    run("dvc", "push")
    after = files()
    lose_everything()
    run("git", "checkout", "-q", "HEAD~1", "--", "data.dvc")
    run("dvc", "pull")
    assert files() == before
    run("git", "checkout", "-q", "HEAD", "--", "data.dvc")
    run("dvc", "pull")
    assert files() == after != before


@pytest.fixture
def store(tmp_path: Path) -> Iterator[str]:
    """The address of a server that speaks S3, with an empty bucket."""
    with object_store(tmp_path, BUCKET) as address:
        yield address


def test_a_store_that_speaks_s3_keeps_the_images(run: Run, store: str) -> None:
    """Pushed, lost, pulled: the same bytes; a wrong address is an error, not an empty folder."""
    before = files()
    run("dvc", "remote", "add", "-d", "store", f"s3://{BUCKET}/road")
    run("dvc", "remote", "modify", "store", "endpointurl", store)
    run("dvc", "push")
    lose_everything()
    run("dvc", "remote", "modify", "--local", "store", "url", f"s3://{BUCKET}/nowhere")
    run("dvc", "pull", ok=False)
    run("dvc", "remote", "modify", "--local", "--unset", "store", "url")
    run("dvc", "pull")
    assert files() == before
