"""What happens around the steps: history, progress, and word to whoever keeps track."""

import csv
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import lightning as L
import torch
from torch import Tensor
from torchmetrics import MeanMetric

from roadworthy.progress import Report

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
        self._started = 0.0

    def on_train_epoch_start(self, trainer: L.Trainer, _: L.LightningModule) -> None:
        """Start the clock."""
        self._started = time.monotonic()

    def on_train_epoch_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Write the row; Lightning has validated by now."""
        epoch = trainer.current_epoch
        row: dict[str, float] = {"epoch": epoch}
        row["train/loss"] = float(f"{float(cast(MeanMetric, module.train_loss).compute()):.6g}")
        row |= {k: float(f"{float(v):.6g}") for k, v in sorted(trainer.callback_metrics.items())}
        row["lr"] = float(f"{trainer.optimizers[0].param_groups[-1]['lr']:.6g}")
        self.rows = [old for old in self.rows if old["epoch"] < epoch] + [row]
        write_history(self.path, self.rows)
        assert trainer.train_dataloader is not None
        images = len(trainer.train_dataloader.dataset)
        speed = images / max(time.monotonic() - self._started, 1e-9)
        self.report(epoch, {**row, "speed/images_per_second": speed})


class EpochSeed(L.Callback):
    """Draws of an epoch depend on the seed and the epoch alone, so that a resumed one repeats them."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_epoch_start(self, trainer: L.Trainer, _: L.LightningModule) -> None:
        """Begin the epoch's own sequence."""
        torch.manual_seed(self.seed * 10_000 + trainer.current_epoch)


class Images(L.Callback):
    """Shows how many images were trained on, with the loss and the watched metric."""

    def __init__(self, report: Report, monitor: str) -> None:
        self.show, self.monitor = report, monitor

    def on_train_batch_end(
        self, trainer: L.Trainer, module: L.LightningModule, outputs: Any, batch: Any, index: int
    ) -> None:
        """Count one batch."""
        assert trainer.train_dataloader is not None and trainer.max_epochs is not None
        images = len(trainer.train_dataloader.dataset)
        share = (index + 1) / max(int(trainer.num_training_batches), 1)
        loss: Tensor = outputs["loss"] if isinstance(outputs, dict) else outputs
        note = f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs} loss {float(loss):.3f}"
        if self.monitor in trainer.callback_metrics:
            note += f" {self.monitor} {float(trainer.callback_metrics[self.monitor]):.3f}"
        done = round(images * (trainer.current_epoch + share))
        self.show(done, images * trainer.max_epochs, note)


def write_history(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write rows with the same keys as CSV, by way of a temporary file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    os.replace(temporary, path)


def read_history(path: Path) -> list[dict[str, Any]]:
    """The rows of a history, numbers as numbers."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]
    return [row | {"epoch": int(row["epoch"])} for row in rows]
