"""`roadworthy fetch`: collections in, one new version out, and nothing in between."""

import contextlib
import io
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import Result
from typer.testing import CliRunner

from kaggle_server import KaggleServer
from roadworthy.cli import app

HANDLE = "somebody/pictures"
FOLDERS = {"cars": 4, "dishes": 3, "toys": 2}
CARD: dict[str, Any] = {
    "name": "pictures",
    "kaggle": HANDLE,
    "version": 1,
    "licence": "CC0",
    "labels": {"*/cars/*": "car", "*/dishes/*": "not_car"},
    "expect": {"car": 4, "not_car": 3},
}
Run = Callable[..., Result]


def pictures(folders: dict[str, int] = FOLDERS, size: int = 3000) -> bytes:
    """A zip of files named like images."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for folder, count in folders.items():
            for number in range(count):
                data = random.Random(f"{folder}{number}").randbytes(size)
                archive.writestr(f"set/{folder}/{number}.jpg", data)
    return packed.getvalue()


def settings(*sources: Any) -> None:
    label = {"from": ["folder"], "classes": ["not_car", "car"]}
    tasks = {
        "car": {"kind": "binary", "images": "data/car", "label": label, "sources": [*sources]},
        "brand": {"kind": "multiclass", "images": "data/brand"},
    }
    Path("params.yaml").write_text(yaml.safe_dump({"tasks": tasks}))


def files(folder: str = "data") -> dict[str, bytes]:
    return {p.as_posix(): p.read_bytes() for p in Path(folder).rglob("*") if p.is_file()}


def record() -> dict[str, Any]:
    return dict(yaml.safe_load(Path("data.dvc").read_text()))


@pytest.fixture
def server() -> Iterator[KaggleServer]:
    with KaggleServer() as running:
        running.offer(HANDLE, 1, pictures())
        yield running


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small project with some images, as `roadworthy setup` leaves it."""
    folder = tmp_path_factory.mktemp("prepared") / "project"
    for name in ("car/own/car/a.jpg", "car/own/not_car/b.jpg", "brand/audi/c.jpg"):
        (folder / "data" / name).parent.mkdir(parents=True)
        (folder / "data" / name).write_bytes(name.encode())
    (folder / ".cache").mkdir()
    (folder / ".cache/dvc_plots.html").write_text("made before")
    with contextlib.chdir(folder):
        settings(CARD)
        subprocess.run(["dvc", "init", "-q", "--no-scm"], check=True)
        subprocess.run([sys.executable, "-m", "roadworthy", "setup"], check=True)
    return folder


@pytest.fixture
def run(
    prepared: Path,
    project: Path,
    tmp_path: Path,
    server: KaggleServer,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Run]:
    """Runs `roadworthy ...` in that project, with an account at our server."""
    shutil.copytree(prepared, project, dirs_exist_ok=True)
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(tmp_path / "home"))
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "downloads"))
    monkeypatch.delenv("KAGGLE_API_TOKEN", raising=False)

    def roadworthy(*words: str, ok: bool = True) -> Result:
        done = CliRunner().invoke(app, words)
        assert isinstance(done.exception, SystemExit | None), done.exception
        assert (done.exit_code == 0) is ok, done.output
        return done

    yield roadworthy


def test_a_collection_becomes_a_new_version(run: Run) -> None:
    """With what changed in the output and in data.dvc; fetched again, nothing changes."""
    before = files()
    said = run("fetch", "car").stdout
    assert "4 car" in said and "3 not_car" in said and "CC0" in said
    assert "car: 7 added" in said and 'git commit -m "data: car: 7 added" data.dvc' in said
    assert record()["outs"][0]["desc"] == "car: 7 added"
    assert record()["meta"]["accepted"] == record()["outs"][0]["md5"]
    after = files()
    assert before.items() <= after.items()
    assert sorted(set(after) - set(before)) == [
        *(f"data/car/pictures/car/{n}.jpg" for n in range(4)),
        *(f"data/car/pictures/not_car/{n}.jpg" for n in range(3)),
    ]
    assert not any(p.is_symlink() for p in Path("data").rglob("*"))
    kept = Path("data.dvc").read_bytes()
    assert "nothing changed" in run("fetch").stdout
    assert Path("data.dvc").read_bytes() == kept and files() == after
    assert not Path(".cache/data.old").exists() and not Path(".cache/unpacked").exists()


def test_a_changed_card_relabels(run: Run) -> None:
    """Without a download; only the source's own folder is replaced."""
    run("fetch", "car")
    labels = {"*/toys/*": "car", **CARD["labels"], "*/cars/0.jpg": "car", "*/dishes/*": "car"}
    settings({**CARD, "labels": labels, "expect": {}})
    asked = run("fetch", "car").stdout
    assert "car: 2 added, 3 relabelled" in asked
    assert Path("data/car/own/car/a.jpg").is_file()
    settings({**CARD, "labels": {"*/cars/[01].jpg": "car"}, "expect": {"images": 2}})
    assert "car: 7 removed" in run("fetch", "car").stdout


def test_replace_leaves_the_rest_of_the_task_out(run: Run) -> None:
    """Of this task only; the earlier version comes back from DVC's cache."""
    before, kept = files(), Path("data.dvc").read_bytes()
    assert "car: 7 added, 2 removed" in run("fetch", "car", "--replace").stdout
    assert {p.name for p in Path("data/car").iterdir()} == {"pictures"}
    assert Path("data/brand/audi/c.jpg").is_file()
    Path("data.dvc").write_bytes(kept)
    subprocess.run(["dvc", "checkout", "-q", "--force", "data.dvc"], check=True)
    assert files() == before


def test_several_sources_become_one_version(run: Run, tmp_path: Path) -> None:
    """A Kaggle collection, and a folder of this machine with a table of labels."""
    mine = tmp_path / "mine"
    (mine / "sub").mkdir(parents=True)
    (mine / "sub" / "x.png").write_bytes(b"x")
    (mine / "y.png").write_bytes(b"y")
    (mine / "labels.csv").write_text("path,label\nsub/x.png,car\ny.png,not_car\n")
    settings(CARD, {"name": "mine", "folder": str(mine)})
    assert "9 added" in run("fetch").stdout
    copied = Path("data/car/mine/sub/x.png")
    assert Path("data/car/mine/labels.csv").is_file()
    # A person's own file must not change with ours.
    assert copied.stat().st_ino != (mine / "sub" / "x.png").stat().st_ino


@pytest.mark.parametrize("trouble", ["counts", "second source", "traversal", "refused", "hash"])
def test_an_error_changes_nothing(run: Run, server: KaggleServer, trouble: str) -> None:
    """Neither the images nor data.dvc; one message, and exit code 1."""
    before, kept = files(), Path("data.dvc").read_bytes()
    if trouble == "counts":
        settings({**CARD, "expect": {"car": 5}})
    elif trouble == "second source":
        settings(CARD, {"name": "mine", "folder": "nowhere"})
    elif trouble == "traversal":
        packed = io.BytesIO(pictures())
        with zipfile.ZipFile(packed, "a") as archive:
            archive.writestr("../../data/car/own/car/a.jpg", b"evil")
        server.offer(HANDLE, 1, packed.getvalue())
    elif trouble == "refused":
        server.status = 403
    else:
        server.md5 = "AAAAAAAAAAAAAAAAAAAAAA=="
    done = run("fetch", "car", "--replace", ok=False)
    assert done.exit_code == 1 and done.stderr.count("ERROR") == 1
    assert files() == before and Path("data.dvc").read_bytes() == kept
    assert "is the version" in run("setup").stdout


def test_a_damaged_archive_is_downloaded_again(run: Run, server: KaggleServer) -> None:
    """Where Kaggle states no hash, only unpacking can tell."""
    whole, server.md5 = pictures(), None
    damaged = bytearray(whole)
    damaged[2000] ^= 1
    server.offer(HANDLE, 1, bytes(damaged))
    assert "run the command again" in run("fetch", "car", ok=False).stderr
    server.offer(HANDLE, 1, whole)
    assert "7 added" in run("fetch", "car").stdout


def test_check_tells_of_a_newer_version_and_takes_none(run: Run, server: KaggleServer) -> None:
    """Exit code 0, with what to write where; an error is 1."""
    before = files()
    server.offer(HANDLE, 2, pictures({"cars": 9}))
    assert "version 1 of somebody/pictures is the newest" in run("fetch", "--check").stdout
    server.current = 2
    said = run("fetch", "car", "--check").stdout
    assert "version 2 of somebody/pictures is out" in said and "`version: 2`" in said
    assert files() == before and server.asked == ["GetDataset", "GetDataset"]
    run("fetch", "car")
    assert server.asked[2:] == ["DownloadDataset 1"]
    server.status = 500
    assert run("fetch", "--check", ok=False).exit_code == 1


def test_images_changed_by_hand_stop_it(run: Run, server: KaggleServer) -> None:
    """Before anything is downloaded; the names are told."""
    Path("data/car/own/car/new.jpg").write_bytes(b"new")
    said = run("fetch", "car", ok=False).stderr
    assert "car/own/car/new.jpg" in said and "--accept" in said
    assert not server.asked


def test_a_task_without_sources_is_told_how(run: Run) -> None:
    """With the cards that ship."""
    assert "universal-embeddings" in run("fetch", "brand", ok=False).stderr
    assert "has brand, car" in run("fetch", "bus", ok=False).stderr


def test_a_download_that_was_killed_goes_on(run: Run, server: KaggleServer) -> None:
    """kill -9 in the middle; then only the rest is asked for."""
    server.offer(HANDLE, 1, pictures(size=200_000))
    before, server.stall_after = files(), 900_000
    downloads = Path(os.environ["KAGGLEHUB_CACHE"])
    command = [sys.executable, "-m", "roadworthy", "fetch", "car"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        wait_for(lambda: any(p.stat().st_size for p in downloads.rglob("*.part")), process)
        process.kill()
    assert files() == before
    server.stalled.set()
    server.stall_after = None
    assert "7 added" in run("fetch", "car").stdout
    assert any(asked.startswith("bytes ") and asked != "bytes 0-" for asked in server.asked)


@pytest.mark.parametrize("moment", ["data.new", "data.old", "data.dvc.old"])
def test_a_change_that_was_killed_leaves_one_version(run: Run, moment: str) -> None:
    """Wherever `kill -9` falls: the next command finds the old version or the new one, whole."""
    before, kept = files(), Path("data.dvc").read_bytes()
    source = (
        "import os, roadworthy.data.staging as staging, roadworthy.cli as cli\n"
        + {
            "data.new": "staging.swap = lambda: os.kill(os.getpid(), 9)\n",
            "data.old": "rename = os.replace\n"
            "os.replace = lambda a, b: (rename(a, b), b == staging.OLD and os.kill(os.getpid(), 9))\n",
            "data.dvc.old": "import roadworthy.data.version as version\n"
            "version.accept = lambda **_: os.kill(os.getpid(), 9)\n",
        }[moment]
    )
    source += "cli.app(['fetch', 'car', '--replace'])"
    killed = subprocess.run([sys.executable, "-c", source], capture_output=True)
    assert killed.returncode == -signal.SIGKILL
    assert Path(".cache", moment).exists()
    assert "is the version" in run("setup").stdout
    assert files() == before and Path("data.dvc").read_bytes() == kept
    assert "car: 7 added, 2 removed" in run("fetch", "car", "--replace").stdout
    assert not Path(".cache/data.old").exists()


def test_a_kill_after_the_new_version_was_accepted_keeps_it(run: Run) -> None:
    """All that was left to do is to clear up."""
    source = (
        "import os, roadworthy.data.staging as staging, roadworthy.cli as cli\n"
        "staging.clear = lambda: os.kill(os.getpid(), 9)\n"
        "cli.app(['fetch', 'car', '--replace'])"
    )
    subprocess.run([sys.executable, "-c", source], capture_output=True, check=False)
    assert Path(".cache/data.old").is_dir()
    after, kept = files(), Path("data.dvc").read_bytes()
    assert "is the version" in run("setup").stdout
    assert files() == after and Path("data.dvc").read_bytes() == kept
    assert not Path(".cache/data.old").exists()


def wait_for(true: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    """Until it is so, or the process has ended."""
    while not true():
        assert process.poll() is None, "it ended by itself"
        time.sleep(0.05)
