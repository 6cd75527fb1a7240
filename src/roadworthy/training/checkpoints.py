"""Checkpoints from which a training goes on as if nothing had happened.

FOLDER/last.ckpt         everything: weights, average, optimizer, schedule, loops, metrics
FOLDER/best.safetensors  weights of the best epoch
FOLDER/done              the training has come to its end

There is no random state in them, nor a sampler's: both follow from the counters (see
`Classifier` and `Order`). Every file is written under another name first.
"""

import math
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, cast

import lightning as L
import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning.pytorch.callbacks import Checkpoint
from safetensors.torch import save_file

from roadworthy.errors import TrainingError
from roadworthy.training.average import MovingAverage
from roadworthy.training.module import Classifier
from roadworthy.training.optimising import mode_of
from roadworthy.training.ranks import world

LAST = "last.ckpt"
BEST = "best.safetensors"
DONE = "done"
# Steps between two questions to the other processes, or to the device.
ASK = 20


class AtomicIO(TorchCheckpointIO):
    """Writes beside the earlier checkpoint, to the disk, and only then in its place."""

    def save_checkpoint(self, checkpoint: Any, path: Any, storage_options: Any = None) -> None:
        """Save; a full disk leaves the earlier file as it was.

        Raises:
            TrainingError: it could not be written.
        """
        write(Path(path), lambda temporary: torch.save(checkpoint, temporary))


def write(path: Path, save: Callable[[Path], object]) -> None:
    """Let `save` write a temporary file, and put it in the place of `path`.

    Raises:
        TrainingError: it could not be written; what was at `path` is still there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        save(temporary)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    # torch and safetensors report a full disk as errors of their own.
    except Exception as error:
        temporary.unlink(missing_ok=True)
        reason = " ".join(str(error).split())[:200]
        raise TrainingError(
            f"{path} could not be written ({reason}): make room on the disk and run this again; "
            "training goes on from the checkpoint before"
        ) from error


class Signals:
    """Remembers that somebody wants the training to stop; the second time it stops at once."""

    def __init__(self) -> None:
        self.received = 0

    @contextmanager
    def caught(self) -> Iterator[None]:
        """SIGTERM and SIGINT are remembered inside the block."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        numbers = (signal.SIGTERM, signal.SIGINT)
        before = {number: signal.signal(number, self._remember) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _remember(self, number: int, _: FrameType | None) -> None:
        if self.received:
            raise SystemExit(128 + number)
        self.received = number


class Keeper(Checkpoint):
    """Keeps the last state and the best weights in a folder.

    Args:
        seconds: between two checkpoints inside an epoch.
        monitor: a metric of validation; the first epoch with the best value is kept.
        signals: when one was received, checkpoint and end with exit status 128 plus its number.
        average: whose weights are the ones to keep, where there is one.
    """

    def __init__(
        self,
        folder: Path,
        seconds: float,
        monitor: str,
        signals: Signals,
        average: MovingAverage | None = None,
    ) -> None:
        self.folder, self.seconds, self.monitor, self.signals = folder, seconds, monitor, signals
        self.average = average
        self.sign = 1 if mode_of(monitor) == "min" else -1
        self.best: float | None = None
        self._saved = time.monotonic()

    @property
    def state_key(self) -> str:
        """One name, whatever the folder is called."""
        return "Keeper"

    def state_dict(self) -> dict[str, Any]:
        """The best value so far."""
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the best value so far."""
        self.best = state_dict["best"]

    def on_train_batch_end(
        self, trainer: L.Trainer, module: L.LightningModule, outputs: Any, batch: Any, index: int
    ) -> None:
        """Save when it is time, except after an epoch's last step: validation is still to come."""
        if index + 1 >= trainer.num_training_batches:
            return
        asked = (index + 1) % ASK == 0
        if asked:
            _check(trainer, cast(Classifier, module))
        if world() > 1 and not asked:
            return
        stop = _agreed(trainer, bool(self.signals.received))
        if _agreed(trainer, self._late()) or stop:
            self._save(trainer, cast(Classifier, module))
        if stop:
            self._leave()

    def on_train_epoch_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Keep the weights if they are the best, and the state."""
        classifier = cast(Classifier, module)
        _check(trainer, classifier)
        value = float(trainer.callback_metrics[self.monitor])
        better = math.isfinite(value) and (
            self.best is None or self.sign * value < self.sign * self.best
        )
        if self.best is None and not better:
            raise classifier.watch.error()
        last = trainer.should_stop or trainer.current_epoch + 1 == trainer.max_epochs
        stop = _agreed(trainer, bool(self.signals.received))
        if better:
            self.best = value
            if trainer.is_global_zero:
                weights = self._weights(classifier)
                write(self.folder / BEST, lambda path: save_file(weights, path))
        if last and trainer.is_global_zero:
            # Before the state: that one does not know that the training was to stop early.
            write(self.folder / DONE, Path.touch)
        if _agreed(trainer, self._late()) or better or last or stop:
            self._save(trainer, classifier)
        if stop:
            self._leave()

    def _weights(self, module: Classifier) -> dict[str, torch.Tensor]:
        network = module.network if self.average is None else self.average.network
        return {name: value.cpu().contiguous() for name, value in network.state_dict().items()}

    def _late(self) -> bool:
        return time.monotonic() - self._saved >= self.seconds

    def _leave(self) -> None:
        raise SystemExit(128 + (self.signals.received or signal.SIGTERM))

    def _save(self, trainer: L.Trainer, module: Classifier) -> None:
        _check(trainer, module)
        trainer.save_checkpoint(self.folder / LAST)
        self._saved = time.monotonic()


def _agreed(trainer: L.Trainer, wanted: bool) -> bool:
    """Whether any of the processes wants it: all save, or none does."""
    return trainer.strategy.reduce_boolean_decision(wanted, all=False) if world() > 1 else wanted


def _check(trainer: L.Trainer, module: Classifier) -> None:
    """Stop where the loss has diverged in any of the processes.

    Raises:
        DivergedError: it has.
    """
    if _agreed(trainer, bool(module.watch.bad)):
        raise module.watch.error()
