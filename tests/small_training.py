"""A training that takes a second, and programs that are killed in the middle of it."""

import hashlib
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from roadworthy import params
from roadworthy.data import cache
from roadworthy.data.cached import Cache
from roadworthy.models.build import build
from roadworthy.params import TaskPlan
from roadworthy.pipeline.fitting import fitted
from roadworthy.training.criterion import outputs
from roadworthy.training.data import Batch
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
    train: {epochs: 3, batch_size: 16, lr: 0.003, backbone_lr: 1.0, deterministic: true,
            precision: fp32, threads: 1, checkpoint_seconds: 0}
"""


def plan_of(changes: dict[str, Any] | None = None, **train: Any) -> TaskPlan:
    """The plan, with other sections and other settings of `train`."""
    plan = params.parse(SETTINGS).task("car")
    changed = {**plan.as_dict(), **(changes or {})}
    changed["train"] = {**changed["train"], **train}
    return TaskPlan.model_validate(changed)


def write_cache(
    folder: Path, images: int = 120, plan: TaskPlan | None = None, stream: str | None = None
) -> Cache:
    """Bright centres are cars: easy, but not without weights. Half train, a quarter each val and test."""
    spec = (plan or plan_of()).input
    rng = np.random.default_rng(0)
    rows = []
    (folder / "images").mkdir(parents=True)
    for number in range(images):
        pixels = rng.integers(60, 140, (24, 24)).astype(np.uint8)
        pixels[8:16, 8:16] += np.uint8(50 * (number % 2))
        path = folder / "images" / f"{number}.png"
        Image.fromarray(pixels).save(path)
        split = ["train", "train", "val", "test"][number // 2 % 4]
        label = ["not_car", "car"][number % 2]
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        rows.append({"path": str(path), "sha256": digest, "label": label, "split": split})
    (folder / "cache").mkdir()
    cache.write(folder / "cache", pd.DataFrame(rows), ("not_car", "car"), spec, stream=stream)
    return cache.load(folder / "cache")


def train(
    plan: TaskPlan, data: Cache, kept: Path, report: Any = lambda epoch, row: None
) -> tuple[dict[str, Any], list[dict[str, float]]]:
    """Weights of the best epoch, and the history."""
    network = build(plan.backbone, plan.head, outputs(plan, 2), plan.input, plan.seed)
    history = fitted(plan, data, network, kept, report)
    return network.state_dict(), history


def slowly(folder: Path, settings: dict[str, Any], delay: float) -> None:
    """Train with a pause before each step, so that there is a middle to be killed in."""
    original = Classifier.training_step

    def step(self: Classifier, batch: Batch, index: int) -> Any:
        time.sleep(delay)
        return original(self, batch, index)

    Classifier.training_step = step  # type: ignore[method-assign]
    train(plan_of(**settings), cache.load(folder / "cache"), folder / "kept")


def killed(folder: Path, settings: dict[str, Any], delay: float, times: int) -> None:
    """Train in processes of which `times` are killed at random moments; then once to the end.

    Forked, so that torch is imported once; nothing has been computed in this process.
    """
    rng = np.random.default_rng(len(str(settings)))
    reached = []
    while True:
        child = os.fork()
        if child == 0:
            slowly(folder, settings, delay)
            os._exit(0)
        if len(reached) < times:
            time.sleep(rng.uniform(0.2, 0.8))
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if status == 0:
            break
        assert os.WIFSIGNALED(status), "the training failed"
        reached.append(sum(1 for _ in (folder / "kept").glob("last.ckpt")))
    print("killed", len(reached), "times, with a checkpoint", sum(reached), "times")


if __name__ == "__main__":
    arguments: Any = (Path(sys.argv[2]), json.loads(sys.argv[3]), float(sys.argv[4]))
    if sys.argv[1] == "killed":
        killed(*arguments, times=12)
    else:
        slowly(*arguments)
