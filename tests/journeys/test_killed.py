"""A road that is killed again and again comes to the same end."""

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from roadworthy import environment
from support import Run

Walk = tuple[Path, Run]


@pytest.mark.slow
def test_a_killed_dvc_repro_finds_its_checkpoints(walk: Walk) -> None:
    """Ten times -9 to all of its processes, at random moments; then the bytes of the first walk."""
    folder, run = walk
    model = folder / "artifacts/detector/train/model.safetensors"
    before = model.read_bytes()
    own = {**os.environ, **environment.SWITCHES, **environment.state(folder)}
    own["PYTHONPATH"] = str(folder / "src")
    moments = random.Random(4)
    command = ["dvc", "repro", "--force", "--single-item", "train@detector"]
    for _ in range(10):
        child = subprocess.Popen(
            command,
            cwd=folder,
            env=own,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        time.sleep(moments.uniform(4, 14))
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        assert model.is_file(), "the earlier result was lost"
    model.unlink()
    run(*command)
    assert model.read_bytes() == before
    assert run("git", "status", "--porcelain").stdout == ""
