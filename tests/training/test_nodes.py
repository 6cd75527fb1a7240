"""Two machines train one network: the same result, one checkpoint, and both end together."""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import small_training
from machines import Machines, two_machines
from roadworthy.errors import TrainingError
from roadworthy.training.checkpoints import LAST
from roadworthy.training.history import read_history
from roadworthy.training.nodes import Start, compare, stamp
from small_training import plan_of, train, write_cache

SETTINGS: dict[str, Any] = {
    "epochs": 3,
    "batch_size": 16,
    "optimizer": "sgd",
    "lr": 0.05,
    "changes": {"head": {"hidden": [], "dropout": 0.3}, "augment": {"rotate": 10}},
}
SECONDS = 240


@pytest.fixture
def machines() -> Iterator[Machines]:
    with two_machines() as found:
        yield found


def program(folder: Path, delay: float = 0.0) -> list[str]:
    return [small_training.__file__, "slowly", str(folder), json.dumps(SETTINGS), str(delay)]


def ended(*running: subprocess.Popen[str]) -> list[str]:
    """What they said, when all have ended; none is left behind."""
    try:
        return [process.communicate(timeout=SECONDS)[0] for process in running]
    finally:
        for process in running:
            kill(process)


def kill(machine: subprocess.Popen[str]) -> None:
    """As a power cut: torchrun and what it started, at once."""
    for child in children(machine.pid):
        try:
            os.kill(child, signal.SIGKILL)
        except ProcessLookupError:
            continue
    machine.kill()


def children(pid: int) -> list[int]:
    """All below this process; torchrun gives its own a session of their own."""
    found = subprocess.run(["ps", "-e", "-o", "pid=,ppid="], capture_output=True, text=True)
    parents = [tuple(map(int, line.split())) for line in found.stdout.splitlines()]
    direct = [child for child, parent in parents if parent == pid]
    return [*direct, *(one for child in direct for one in children(child))]


def test_machines_that_have_something_else_are_named() -> None:
    """With what they have, and what to do: a disk that all of them share."""
    first = Start("car-1", (10, 5), "one (process 0)")
    compare([first, Start("car-1", (10, 5), "two (process 1)")])
    for other, said in (
        (
            Start("car-1", None, "two (process 1)"),
            r"two \(process 1\) has no last.ckpt, unlike one",
        ),
        (Start("car-1", (10, 6), "two"), "another last.ckpt.*on a shared disk"),
        (Start("car-2", (10, 5), "two"), r"other settings or images \(car-2, not car-1\)"),
    ):
        with pytest.raises(TrainingError, match=said):
            compare([first, other])


def test_a_checkpoint_is_known_by_its_size_and_time(tmp_path: Path) -> None:
    """And a missing one is none."""
    assert stamp(tmp_path / LAST) is None
    (tmp_path / LAST).write_bytes(b"12345")
    os.utime(tmp_path / LAST, ns=(7, 7))
    assert stamp(tmp_path / LAST) == (5, 7)


@pytest.mark.slow
def test_two_machines_train_what_one_does_also_after_a_power_cut(
    tmp_path: Path, machines: Machines
) -> None:
    """One is cut off in the middle: the other ends by itself, and both go on from the checkpoint.

    The second machine sees the checkpoints and can write none.
    """
    data = write_cache(tmp_path)
    kept = tmp_path / "kept"
    kept.mkdir()
    first = machines.start(0, program(tmp_path, 0.4))
    second = machines.start(1, program(tmp_path, 0.4), shown=kept)
    limit = time.monotonic() + SECONDS
    while not (kept / LAST).is_file() and time.monotonic() < limit:
        time.sleep(0.05)
    kill(second)
    said, _ = ended(first, second)
    assert first.returncode not in (0, None), said
    before = torch.load(kept / LAST, weights_only=True)
    assert before["epoch"] < 2, said

    again = [machines.start(0, program(tmp_path)), machines.start(1, program(tmp_path), shown=kept)]
    said = "".join(ended(*again))
    assert [one.returncode for one in again] == [0, 0], said
    history = read_history(kept / "history.csv")
    # One machine takes the step in the two parts that two machines take.
    alone = {**SETTINGS, "batch_size": 8, "accumulate": 2}
    _, expected = train(plan_of(**alone), data, tmp_path / "alone")
    weights, whole = (
        torch.load(folder / LAST, weights_only=True)["state_dict"]
        for folder in (kept, tmp_path / "alone")
    )
    for name, value in whole.items():
        if name.startswith("network.") and name.endswith(("weight", "bias")):
            assert torch.allclose(value, weights[name], atol=1e-5), name
    assert [row["epoch"] for row in history] == [0, 1, 2]
    for row, other in zip(history, expected, strict=True):
        assert row["train/loss"] == pytest.approx(other["train/loss"], rel=1e-4)


@pytest.mark.slow
def test_a_machine_without_the_shared_disk_is_told(tmp_path: Path, machines: Machines) -> None:
    """It would begin anew while the other goes on: both stop before the first step."""
    one, two = tmp_path / "one", tmp_path / "two"
    data = write_cache(one)
    train(plan_of(**{**SETTINGS, "epochs": 1}), data, one / "kept")
    (one / "kept" / "done").unlink()
    shutil.copytree(one, two)
    (two / "kept" / LAST).unlink()
    running = [machines.start(number, program(folder)) for number, folder in enumerate((one, two))]
    for said, process in zip(ended(*running), running, strict=True):
        assert process.returncode not in (0, None)
        assert "has no last.ckpt" in said and "shared disk" in said, said
