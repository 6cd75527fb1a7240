"""The stage decodes what is new, says so, and can be killed at any moment."""

import os
import subprocess
import sys
from collections import Counter
from hashlib import sha256
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from roadworthy import params
from roadworthy.data import cache
from roadworthy.layout import folder
from roadworthy.params import TaskPlan
from roadworthy.pipeline import prepare
from support import write_images

SETTINGS = """
tasks:
  car:
    kind: binary
    images: data/car
    label: {classes: [not_car, car]}
    input: {height: 100, width: 100}
    prepare: {stream: STREAM, shard_mb: 1}
"""
COUNT = 90


def plan(stream: str = "null") -> TaskPlan:
    return params.parse(SETTINGS.replace("STREAM", stream)).task("car")


def split(paths: list[Path]) -> pd.DataFrame:
    """What the stage before leaves."""
    rows = pd.DataFrame(
        {
            "path": [p.as_posix() for p in paths],
            "sha256": [sha256(p.read_bytes()).hexdigest() for p in paths],
            "label": [["not_car", "car"][n % 2] for n in range(len(paths))],
            "split": [["train", "val", "test"][n % 3] for n in range(len(paths))],
        }
    )
    folder("car", "split").mkdir(parents=True, exist_ok=True)
    rows.to_parquet(folder("car", "split") / "split.parquet")
    return rows


def files() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder("car", "prepare").glob("*")}


@pytest.fixture
def images(project: Path) -> list[Path]:
    """Of a project that is the current folder; they lie in `data/car`."""
    return write_images(Path("data/car"), COUNT, (60, 50))


def test_it_says_what_it_decoded(images: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever adds an image wants to see that it cost one image."""
    split(images[:-1])
    prepare.run(plan())
    assert f"{COUNT - 1} images decoded, 0 taken over; 5 of 5 shards" in capsys.readouterr().out
    split(images)
    prepare.run(plan())
    assert f"1 images decoded, {COUNT - 1} taken over; 1 of 5 shards" in capsys.readouterr().out
    prepare.run(plan())
    assert f"0 images decoded, {COUNT} taken over; 0 of 5 shards" in capsys.readouterr().out
    next(folder("car", "prepare").glob("shard-*")).write_bytes(b"")
    prepare.run(plan())
    said = capsys.readouterr().out
    assert f"{COUNT} images decoded" in said
    assert said.count("decoded again") == 1


def test_one_setting_streams(images: list[Path]) -> None:
    """And nobody after it needs to know."""
    rows = split(images)
    prepare.run(plan())
    near = cache.load(folder("car", "prepare"))
    prepare.run(plan(stream="far/away/"))
    far = cache.load(folder("car", "prepare"))
    kinds = {path.name.split("-")[0] for path in Path("far/away/car").iterdir()}
    assert kinds == {"chunk", "index.json"}
    assert far.digest == near.digest
    everything = np.arange(len(rows))
    assert (far.pixels(everything) == near.pixels(everything)).all()


# Runs the stage again and again in a child that kills itself at its n-th operation on files, from first
# to last, and prints what the stage's folder holds then.
KILLED = """
import os, shutil, signal, sys
from pathlib import Path
import test_prepare as t
from roadworthy.pipeline import prepare

HERE, BACKUP = Path("artifacts/car"), Path("backup")
shutil.copytree(HERE, BACKUP)

def attempt(point):
    count = 0
    def hook(event, args):
        nonlocal count
        if event == "open" or event.startswith(("os.", "shutil.")):
            count += 1
            if count == point:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(hook)
    prepare.run(t.plan())
    Path("count").write_text(str(count))
    os._exit(0)

def run(point):
    pid = os.fork()
    if pid == 0:
        attempt(point)
    return os.waitpid(pid, 0)[1]

before = t.files()
assert run(0) == 0
after = t.files()
total = int(Path("count").read_text())
for point in [*range(1, total - 12, max(1, total // 10)), *range(total - 12, total + 1)]:
    shutil.rmtree(HERE)
    shutil.copytree(BACKUP, HERE)
    assert run(point) == signal.SIGKILL
    now = t.files()
    print("earlier" if now == before else "new" if now == after else "none" if not now else "broken")
    assert run(0) == 0
    assert t.files() == after
"""


def test_killed_at_any_moment_it_leaves_a_whole_cache(images: list[Path]) -> None:
    """The earlier or the new one, and the next attempt gives what an undisturbed one gives."""
    split(images[: COUNT // 2])
    prepare.run(plan())
    split(images)
    paths = [Path(__file__).parent, Path(__file__).parents[1]]
    done = subprocess.run(
        [sys.executable, "-c", KILLED],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = Counter(line for line in done.stdout.splitlines() if " " not in line)
    assert found["earlier"] > 10
    assert found["new"] > 0
    assert not found["broken"]
    # Two renames make the exchange: a kill between them is repaired by the next run alone.
    assert found["none"] <= 1
