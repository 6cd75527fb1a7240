"""What happens around the steps: history, progress, and word to whoever keeps track."""

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import lightning as L
from torchmetrics import MeanMetric

from roadworthy.progress import Report
from roadworthy.training.data import Batches
from roadworthy.training.history import read_history, write_history
from roadworthy.training.module import Classifier

EpochReport = Callable[[int, dict[str, float]], None]


class History(L.Callback):
    """Keeps one row of metrics per epoch in `history.csv`, and passes it on.

    The file has no times in it: the same training gives the same file. It is read again when a
    training is resumed, so that earlier epochs are not lost.

    Args:
        path: the file, rewritten after every epoch by way of a temporary one.
        report: called with the epoch (from 0) and its metrics, images per second included.
    """

    def __init__(self, path: Path, report: EpochReport = lambda epoch, metrics: None) -> None:
        self.path, self.report = path, report
        self.rows: list[dict[str, Any]] = read_history(path) if path.is_file() else []
        self._started: float | None = None
        self._share = 1.0

    def on_train_batch_start(
        self, trainer: L.Trainer, _: L.LightningModule, batch: Any, index: int
    ) -> None:
        """Start the clock at the first step of the epoch that this process takes."""
        if self._started is None:
            self._started = time.monotonic()
            self._share = 1 - index / max(int(trainer.num_training_batches), 1)

    def on_train_epoch_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Write the row; Lightning has validated by now."""
        epoch = trainer.current_epoch
        row: dict[str, float] = {"epoch": epoch}
        # In all processes: the mean is over all of them.
        row["train/loss"] = float(f"{float(cast(MeanMetric, module.train_loss).compute()):.6g}")
        row |= {k: float(f"{float(v):.6g}") for k, v in sorted(trainer.callback_metrics.items())}
        rate = _head_rate(trainer) * cast(Classifier, module).factor(epoch)
        row["lr"] = float(f"{rate:.6g}")
        self.rows = [old for old in self.rows if old["epoch"] < epoch] + [row]
        started, self._started = self._started, None
        if not trainer.is_global_zero or started is None:
            return
        write_history(self.path, self.rows)
        speed = _images(trainer) * self._share / max(time.monotonic() - started, 1e-9)
        rollbacks = -math.log2(cast(Classifier, module).rate)
        extra = {"speed/images_per_second": speed, "rollbacks": rollbacks}
        self.report(epoch, {**row, **extra})


class Images(L.Callback):
    """Shows how many images were trained on, with the loss and the watched metric."""

    def __init__(self, report: Report, monitor: str) -> None:
        self.show, self.monitor = report, monitor

    def on_train_batch_end(
        self, trainer: L.Trainer, module: L.LightningModule, outputs: Any, batch: Any, index: int
    ) -> None:
        """Count one batch."""
        assert trainer.max_epochs is not None
        images = _images(trainer)
        share = (index + 1) / max(int(trainer.num_training_batches), 1)

        def note() -> str:
            # Only what is shown is asked for: it waits for the device.
            text = f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}"
            text += f" loss {float(outputs['loss']):.3f}"
            if self.monitor in trainer.callback_metrics:
                text += f" {self.monitor} {float(trainer.callback_metrics[self.monitor]):.3f}"
            return text

        done = round(images * (trainer.current_epoch + share))
        self.show(done, images * trainer.max_epochs, note)


def _head_rate(trainer: L.Trainer) -> float:
    groups = trainer.optimizers[0].param_groups
    return float(next(group["lr"] for group in groups if group["name"] == "head"))


def _images(trainer: L.Trainer) -> int:
    return cast(Batches, trainer.datamodule).order.images  # type: ignore[attr-defined]
