"""Run Lightning over a module: seeded, resumable, with the best weights at the end."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint
from torch.utils.data import DataLoader

from roadworthy.progress import bar
from roadworthy.training.callbacks import EpochReport, EpochSeed, History, Images
from roadworthy.training.machine import precision, set_threads

LAST = "last.ckpt"


@dataclass(frozen=True)
class Schedule:
    """How long and how a training runs, apart from what it trains."""

    title: str
    epochs: int
    seed: int
    monitor: str = "val/loss"
    patience: int = 0
    accumulate: int = 1
    clip_norm: float = 0.0
    precision: str = "auto"
    threads: int = 0


def fit(
    module: L.LightningModule,
    train: DataLoader[Any],
    val: DataLoader[Any],
    schedule: Schedule,
    folder: Path,
    report: EpochReport = lambda epoch, metrics: None,
) -> list[dict[str, Any]]:
    """Train, then put the weights of the best epoch into `module`.

    Args:
        folder: where checkpoints are kept. A training that was interrupted goes on from the last
            one found there; the caller makes the name unique to data and settings.

    Returns:
        One row of metrics per epoch.
    """
    set_threads(schedule.threads)
    mode = "max" if schedule.monitor.endswith("accuracy") else "min"
    keep = partial(
        ModelCheckpoint, folder, enable_version_counter=False, save_on_train_epoch_end=True
    )
    best = keep("best", schedule.monitor, mode=mode, save_weights_only=True)
    last = keep("last")
    best_file = folder / "best.ckpt"
    history = History(folder / "history.csv", report)
    callbacks: list[Callback] = [EpochSeed(schedule.seed), history, best, last]
    if schedule.patience:
        callbacks.append(EarlyStopping(schedule.monitor, patience=schedule.patience, mode=mode))
    with bar(schedule.title) as progress, _quiet():
        L.seed_everything(schedule.seed, verbose=False)
        trainer = L.Trainer(
            max_epochs=schedule.epochs,
            accelerator="auto",
            devices=1,
            precision=precision(schedule.precision),
            accumulate_grad_batches=schedule.accumulate,
            gradient_clip_val=schedule.clip_norm or None,
            callbacks=[*callbacks, Images(progress, schedule.monitor)],
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
        )
        resume = folder / LAST
        trainer.fit(module, train, val, ckpt_path=resume if resume.is_file() else None)
    checkpoint = torch.load(best_file, map_location="cpu", weights_only=True)
    module.load_state_dict(checkpoint["state_dict"])
    return history.rows


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Lightning's hints: they are about choices made here on purpose."""
    logger = logging.getLogger("lightning.pytorch")
    level = logger.level
    logger.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        # Batches come ready-made from a memory map: worker processes would only copy them.
        warnings.filterwarnings("ignore", ".*does not have many workers.*")
        warnings.filterwarnings("ignore", ".*Checkpoint directory .* exists and is not empty.*")
        # Lightning looks at tree specs in a way that torch has deprecated.
        warnings.filterwarnings("ignore", ".*treespec.*", FutureWarning)
        warnings.filterwarnings("ignore", ".*LeafSpec.*")
        try:
            yield
        finally:
            logger.setLevel(level)
