"""A training that really runs: it learns, is the same twice, and goes on after a kill."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from roadworthy import params
from roadworthy.data import cache
from roadworthy.data.cache import Cache
from roadworthy.models.build import build
from roadworthy.params import TaskPlan
from roadworthy.training.balance import class_weights
from roadworthy.training.data import Shuffled, ordered_batches, train_batches
from roadworthy.training.fit import LAST, Schedule, fit
from roadworthy.training.module import Classifier

SETTINGS = """
tasks:
  car:
    kind: binary
    images: data/car
    label: {classes: [not_car, car]}
    input: {height: 20, width: 20, channels: 1, mean: [0.5], std: [0.25]}
    backbone: {name: patch_cnn, weights: null}
    augment: {rotate: 0, translate: 0}
    train: {epochs: 3, batch_size: 16, lr: 0.003, backbone_lr: 1.0, precision: fp32, threads: 1}
"""


@pytest.fixture
def plan(project: Path) -> TaskPlan:
    """Bright centres are cars: easy, but not without weights."""
    rng = np.random.default_rng(0)
    rows = []
    (project / "images").mkdir()
    for number in range(120):
        pixels = rng.integers(60, 140, (24, 24)).astype(np.uint8)
        pixels[8:16, 8:16] += np.uint8(50 * (number % 2))
        path = project / "images" / f"{number}.png"
        Image.fromarray(pixels).save(path)
        split = ["train", "train", "val", "test"][number // 2 % 4]
        label = ["not_car", "car"][number % 2]
        rows.append({"path": str(path), "sha256": path.name, "label": label, "split": split})
    plan = params.parse(SETTINGS).task("car")
    (project / "cache").mkdir()
    cache.write(project / "cache", pd.DataFrame(rows), ("not_car", "car"), plan.input)
    return plan


def train(plan: TaskPlan, data: Cache, folder: Path) -> tuple[Classifier, list[dict[str, float]]]:
    network = build(plan.backbone, plan.head, 1, plan.input, plan.seed)
    batches = train_batches(data, plan.train.batch_size, plan.seed)
    steps = len(batches) * plan.train.epochs
    module = Classifier(network, plan, torch.ones(2), 2, steps)
    schedule = Schedule("train", plan.train.epochs, plan.seed, precision="fp32", threads=1)
    return module, fit(module, batches, ordered_batches(data, "val"), schedule, folder)


def test_it_learns_and_is_the_same_twice(plan: TaskPlan, project: Path) -> None:
    """`dvc.lock` is committed: the same inputs must give the same weights."""
    data = cache.load(project / "cache")
    one, history = train(plan, data, project / "one")
    two, again = train(plan, data, project / "two")
    assert history == again
    assert history[-1]["val/accuracy"] > 0.9
    for name, value in one.state_dict().items():
        assert torch.equal(value, two.state_dict()[name]), name


def test_a_killed_training_goes_on_to_the_same_end(plan: TaskPlan, project: Path) -> None:
    """Power cuts happen in the middle of an epoch; nothing but time may be lost."""
    whole, history = train(plan, cache.load(project / "cache"), project / "whole")
    child = subprocess.Popen(
        [sys.executable, __file__, str(project / "killed")], cwd=project, start_new_session=True
    )
    waited = time.monotonic() + 60
    while not (project / "killed" / LAST).is_file() and time.monotonic() < waited:
        time.sleep(0.01)
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    assert (project / "killed" / LAST).is_file()
    resumed, rest = train(plan, cache.load(project / "cache"), project / "killed")
    assert rest == history
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_every_image_is_seen_once_an_epoch_in_another_order() -> None:
    """And no batch is so small that BatchNorm has nothing to measure."""
    sampler = Shuffled(101, 16, seed=3)
    orders = []
    for epoch in range(3):
        sampler.set_epoch(epoch)
        batches = list(sampler)
        assert len(batches) == len(sampler)
        assert min(map(len, batches)) > 8
        orders.append([place for batch in batches for place in batch])
        assert sorted(orders[-1]) == list(range(101))
    assert orders[0] != orders[1] != orders[2]


@pytest.mark.parametrize("rule", ["none", "balanced", "sqrt"])
def test_class_weights_average_one_over_images(rule: str) -> None:
    """Else the rule would change the learning rate, too."""
    counts = torch.tensor([10, 90, 300])
    weights = class_weights(counts, rule)
    assert float((weights * counts).sum() / counts.sum()) == pytest.approx(1)
    if rule == "balanced":
        assert torch.allclose(weights * counts, (weights * counts)[0].expand(3))


if __name__ == "__main__":
    # The child that is killed: slow enough that there is a middle to kill it in.
    slow = params.parse(SETTINGS).task("car")
    original = Classifier.training_step

    def step(
        self: Classifier, batch: tuple[torch.Tensor, torch.Tensor], index: int
    ) -> torch.Tensor:
        time.sleep(0.2)
        return original(self, batch, index)

    Classifier.training_step = step  # type: ignore[method-assign]
    train(slow, cache.load(Path("cache")), Path(sys.argv[1]))
