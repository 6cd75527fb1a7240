"""Several processes under torchrun train what one would, and only the first one speaks."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import small_training
from roadworthy.training.checkpoints import BEST, LAST
from roadworthy.training.data import Order
from roadworthy.training.history import read_history
from small_training import plan_of, train, write_cache

# Random changes and dropout on: two processes must draw what one would.
SETTINGS: dict[str, Any] = {
    "epochs": 8,
    "batch_size": 16,
    "optimizer": "sgd",
    "lr": 0.05,
    "changes": {"head": {"hidden": [], "dropout": 0.3}, "augment": {"rotate": 10}},
}


def together(folder: Path, settings: dict[str, Any], delay: float = 0.0) -> list[str]:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    return [
        *command,
        small_training.__file__,
        "slowly",
        str(folder),
        json.dumps(settings),
        str(delay),
    ]


def test_two_processes_train_what_one_does(tmp_path: Path) -> None:
    """To 1e-5 in every weight, with as many images at a time; BatchNorm's statistics are the first
    process's own, so that validation differs by a little more."""
    data = write_cache(tmp_path)
    subprocess.run(together(tmp_path, SETTINGS), check=True, capture_output=True, timeout=180)
    history = read_history(tmp_path / "kept" / "history.csv")
    # One process takes the step in the two parts that two processes take.
    _, expected = train(
        plan_of(**{**SETTINGS, "batch_size": 8, "accumulate": 2}), data, tmp_path / "alone"
    )
    # The last weights, not the best: which epoch is best depends on BatchNorm's statistics.
    weights, alone = (
        torch.load(tmp_path / name / LAST, weights_only=True)["state_dict"]
        for name in ("kept", "alone")
    )
    for name, value in alone.items():
        if name.startswith("network.") and name.endswith(("weight", "bias")):
            assert torch.allclose(value, weights[name], atol=1e-5), name
    for row, other in zip(history, expected, strict=True):
        assert row["train/loss"] == pytest.approx(other["train/loss"], rel=1e-4)
    assert history[-1]["val/loss"] == pytest.approx(expected[-1]["val/loss"], abs=0.05)
    assert history[-1]["val/accuracy"] == pytest.approx(expected[-1]["val/accuracy"], abs=0.05)


@pytest.mark.slow
def test_two_processes_stop_together(tmp_path: Path) -> None:
    """SIGTERM to torchrun: both leave after the same step, and it goes on to what it would have been."""
    settings = {**SETTINGS, "epochs": 3, "batch_size": 2, "checkpoint_seconds": 3600}
    write_cache(tmp_path)
    running = subprocess.Popen(
        together(tmp_path, settings, 0.03),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    limit = time.monotonic() + 90
    while not (tmp_path / "kept" / "history.csv").is_file() and time.monotonic() < limit:
        time.sleep(0.05)
    running.send_signal(signal.SIGTERM)
    said, _ = running.communicate(timeout=90)
    assert running.returncode != 0
    kept = torch.load(tmp_path / "kept" / LAST, weights_only=True)
    assert kept["epoch"] < 2, said
    subprocess.run(together(tmp_path, settings), check=True, capture_output=True, timeout=180)
    rows = read_history(tmp_path / "kept" / "history.csv")
    shutil.move(tmp_path / "kept", tmp_path / "resumed")
    subprocess.run(together(tmp_path, settings), check=True, capture_output=True, timeout=180)
    whole = read_history(tmp_path / "kept" / "history.csv")
    assert [row["epoch"] for row in rows] == [0, 1, 2]
    for row, other in zip(rows, whole, strict=True):
        assert row == pytest.approx(other, rel=1e-4)
    one, two = (load_file(tmp_path / name / BEST) for name in ("kept", "resumed"))
    assert all(torch.equal(value, two[name]) for name, value in one.items())


def test_each_process_reads_its_own_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """Together they see each image of a step once."""
    order = Order([np.arange(101)], 16, seed=1)
    whole = [places for places, _ in order]
    monkeypatch.setenv("WORLD_SIZE", "3")
    parts = []
    for number in range(3):
        monkeypatch.setenv("RANK", str(number))
        parts.append(list(order))
    for step, found in zip(whole, zip(*parts, strict=True), strict=True):
        assert {total for _, total in found} == {len(step)}
        assert np.array_equal(np.concatenate([places for places, _ in found]), step)
        sizes = [len(places) for places, _ in found]
        assert max(sizes) - min(sizes) <= 1


@pytest.mark.slow
def test_only_the_first_process_reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two MLflow runs of one training would be one too many."""
    write_cache(tmp_path)
    script = tmp_path / "reporting.py"
    script.write_text(
        "import os, sys\n"
        "from pathlib import Path\n"
        "from roadworthy.data import cache\n"
        "from small_training import plan_of, train\n"
        "here = Path(sys.argv[1])\n"
        "say = lambda epoch, row: (here / f'said-{os.environ[\"RANK\"]}').touch()\n"
        "train(plan_of(epochs=1), cache.load(here / 'cache'), here / 'kept', say)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(small_training.__file__).parent)}
    command = [*together(tmp_path, {})[:5], str(script), str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True, timeout=180, env=environment)
    assert [path.name for path in tmp_path.glob("said-*")] == ["said-0"]
