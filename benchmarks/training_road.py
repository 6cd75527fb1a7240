"""The road's own way of training, `roadworthy.training.fit`, with a clock around the steps of each epoch."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from benchmarks.reporting import Seconds
from benchmarks.training_images import CLASSES
from benchmarks.training_reference import network, synchronised
from roadworthy.params import Augment, Input, Train
from roadworthy.training.data import Batches, Source
from roadworthy.training.fit import fit
from roadworthy.training.machine import Machine
from roadworthy.training.module import Classifier

Ways = dict[str, Callable[[], float]]


@dataclass(frozen=True)
class Recipe:
    """What of a task's plan shapes training."""

    input: Input
    augment: Augment
    train: Train
    seed: int = 0


class Timed(Classifier):
    """The module that trains, with a clock: from an epoch's start, before its first batch is read, to the
    end of its last step. Validation and checkpoints come after that, once an epoch."""

    def __init__(self, *args: Any, **others: Any) -> None:
        super().__init__(*args, **others)
        self.spans: list[tuple[float, float]] = []
        self._began = 0.0

    def on_train_epoch_start(self) -> None:
        """Start the clock."""
        super().on_train_epoch_start()
        self._began = synchronised(self.device.type)

    def on_validation_start(self) -> None:
        """Stop it."""
        self.spans.append((self._began, synchronised(self.device.type)))

    @property
    def seconds(self) -> list[float]:
        """Of each epoch but the first, in which everything is done for the first time."""
        return [end - began for began, end in self.spans[1:]]


def trained(
    source: Source,
    recipe: Recipe,
    machine: Machine,
    backbone: str,
    between: Callable[[], None] = lambda: None,
) -> Timed:
    """Train a new network for `recipe.train.epochs`, and call `between` after each of them."""
    data = Batches(source, recipe.train, recipe.seed)
    steps = len(data.order) * recipe.train.epochs
    model = network(backbone, recipe.input)
    module = Timed(model, recipe, torch.ones(CLASSES), steps)
    with TemporaryDirectory() as folder:
        fit(module, data, machine, Path(folder) / "kept", report=lambda epoch, row: between())
    return module


def beside(
    others: Ways, source: Source, recipe: Recipe, machine: Machine, backbone: str
) -> tuple[Seconds, "float | None"]:
    """Seconds of the road's epochs (`road`) and of other ways, each of which has its turn after each epoch.

    Returns:
        The seconds, without the first round; and the share of the road's time in which the GPU was
        busy, None where there is none to ask.
    """
    taken: Seconds = {name: [] for name in others}

    def between() -> None:
        for name, way in others.items():
            taken[name].append(way())

    with Busy() as busy:
        module = trained(source, recipe, machine, backbone, between)
    seconds = {name: each[1:] for name, each in taken.items()}
    return {"road": module.seconds, **seconds}, busy.during(module.spans[1:])


class Busy:
    """Asks the driver some times a second for the share of time in which a kernel ran."""

    def __init__(self) -> None:
        self.seen: list[tuple[float, int]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "Busy":
        if torch.cuda.is_available():
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.1):
            try:
                share = torch.cuda.utilization()
            except (ModuleNotFoundError, RuntimeError):
                return  # no pynvml, or a driver that does not say
            self.seen.append((time.perf_counter(), share))

    def during(self, spans: list[tuple[float, float]]) -> float | None:
        """Mean share, 0 to 1, inside these spans of the clock; the driver looks back up to a second."""
        inside = [
            share / 100
            for at, share in self.seen
            if any(began + 1 < at < end for began, end in spans)
        ]
        return sum(inside) / len(inside) if inside else None
