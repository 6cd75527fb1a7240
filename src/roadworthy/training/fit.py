"""Run Lightning over a classifier: seeded, resumable, with the best weights at the end."""

import json
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from datetime import timedelta
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping
from lightning.pytorch.strategies import DDPStrategy
from safetensors.torch import load_file

from roadworthy.progress import Report, bar
from roadworthy.training.average import MovingAverage
from roadworthy.training.callbacks import EpochReport, History, Images
from roadworthy.training.checkpoints import BEST, DONE, LAST, AtomicIO, Keeper, Signals, write
from roadworthy.training.data import Batches
from roadworthy.training.machine import Machine
from roadworthy.training.module import Classifier
from roadworthy.training.nodes import SameStart
from roadworthy.training.optimising import mode_of
from roadworthy.training.ranks import local_world, rank, world
from roadworthy.training.watch import DivergedError

ROLLBACKS = "rollbacks.json"
# A machine whose network is gone says nothing: after so long the others give it up.
SILENCE = timedelta(minutes=10)
# Halving the learning rate more often than this means that something else is wrong.
MOST_ROLLBACKS = 5
log = logging.getLogger(__name__)


def fit(
    module: Classifier,
    data: Batches,
    machine: Machine,
    folder: Path,
    title: str = "train",
    report: EpochReport = lambda epoch, metrics: None,
) -> list[dict[str, Any]]:
    """Train, then put the weights of the best epoch into `module.network`.

    Args:
        machine: what `survey` chose; its threads are in use already.
        folder: where checkpoints are kept. A training that was interrupted goes on from the last
            one found there; the caller makes the name unique to data and settings.
        title: of the progress bar.
        report: called in the first process with the epoch (from 0) and its metrics. What it raises
            ends training.

    Returns:
        One row of metrics per epoch. In other processes than the first, the weights are the last ones.

    Raises:
        TrainingError: the loss diverged, or a checkpoint could not be written.
        SystemExit: SIGTERM or SIGINT came; a checkpoint was written.
    """
    settings = module.plan.train
    history = History(folder / "history.csv", report)
    start = deepcopy(module.state_dict()) if settings.divergence == "rollback" else None
    said = _rollbacks(folder)
    signals = Signals()
    with bar(title) as progress, _quiet(), signals.caught(), _deterministic(settings.deterministic):
        module.progress = progress
        done = (folder / DONE).is_file()
        while not done:
            module.rate = 0.5 ** len(said)
            last = folder / LAST
            begun = last.stat().st_mtime_ns if last.is_file() else None
            # DDP leaves out for good what is frozen when it is made.
            module.network.requires_grad_(True)
            try:
                trainer = _trainer(module, machine, folder, history, signals, progress)
                trainer.fit(module, datamodule=data, ckpt_path=last if last.is_file() else None)
                done = True
            except DivergedError as error:
                # Twice from the same checkpoint: it was written after the step that broke the weights.
                broken = begun is not None and begun == last.stat().st_mtime_ns
                if start is None or (len(said) == MOST_ROLLBACKS and not broken):
                    raise
                if not broken:
                    said.append(str(error))
                trainer.strategy.barrier()
                if rank() == 0:
                    _roll_back(folder, said, broken)
                trainer.strategy.barrier()
                module.load_state_dict(start)
    if rank() == 0:
        # The others need no weights, and their folder may be gone by now.
        module.network.load_state_dict(load_file(folder / BEST))
    return history.rows


def _trainer(
    module: Classifier,
    machine: Machine,
    folder: Path,
    history: History,
    signals: Signals,
    progress: Report,
) -> L.Trainer:
    s = module.plan.train
    average = MovingAverage(s.ema) if s.ema else None
    early: list[Callback] = []
    if s.patience:
        early = [EarlyStopping(s.monitor, patience=s.patience, mode=mode_of(s.monitor))]
    keeper = Keeper(folder, s.checkpoint_seconds, s.monitor, signals, average)
    first: list[Callback] = [average] if average else []
    cuda = machine.device == "cuda"
    trainer = L.Trainer(
        max_epochs=s.epochs,
        accelerator="gpu" if cuda else "cpu",
        devices=local_world(),
        num_nodes=world() // local_world(),
        strategy=_strategy(s.unfreeze, cuda),
        sync_batchnorm=cuda and world() > 1,
        precision=machine.precision,
        callbacks=[SameStart(folder), *first, history, *early, Images(progress, s.monitor), keeper],
        plugins=[AtomicIO()],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        num_sanity_val_steps=0,
    )
    # Lightning's own handler talks to the other processes from inside a signal; `Signals` does not.
    trainer._signal_connector.register_signal_handlers = lambda: None  # type: ignore[method-assign]
    return trainer


def _strategy(unfreeze: tuple[str, ...], cuda: bool) -> Any:
    if world() == 1:
        return "auto"
    # Parts that are frozen in some epochs have no gradients there.
    return DDPStrategy(
        process_group_backend="nccl" if cuda else "gloo",
        timeout=SILENCE,
        find_unused_parameters=set(unfreeze) != {"all"},
    )


def _rollbacks(folder: Path) -> list[str]:
    path = folder / ROLLBACKS
    return list(json.loads(path.read_text())) if path.is_file() else []


def _roll_back(folder: Path, said: list[str], broken: bool) -> None:
    """Remember that the training went back; also a training that is resumed has half the rate."""
    if broken:
        (folder / LAST).unlink()
    write(folder / ROLLBACKS, lambda path: path.write_text(json.dumps(said)))
    where = "the last checkpoint" if (folder / LAST).is_file() else "the beginning"
    rate = 0.5 ** len(said)
    log.warning("%s; back to %s, learning rate times %g", said[-1], where, rate)


@contextmanager
def _deterministic(wanted: bool) -> Iterator[None]:
    """Only deterministic kernels inside the block."""
    if not wanted:
        yield
        return
    # cuBLAS asks for this before its first use.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    # Filling memory that is written anyway is for finding bugs.
    filling: Any = torch.utils.deterministic
    filling.fill_uninitialized_memory = False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)
        filling.fill_uninitialized_memory = True


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Lightning's hints: they are about choices made here on purpose."""
    logger = logging.getLogger("lightning.pytorch")
    level = logger.level
    logger.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        # Batches come ready-made from a memory map: worker processes would only copy them.
        warnings.filterwarnings("ignore", ".*does not have many workers.*")
        # The sampler goes on where it was, see `Order`.
        warnings.filterwarnings("ignore", ".*your dataloader is not resumable.*")
        # Frozen parts are in eval mode, so that their BatchNorm stays as it is.
        warnings.filterwarnings("ignore", ".*module.s. in eval mode at the start of training.*")
        # Lightning looks at tree specs in a way that torch has deprecated.
        warnings.filterwarnings("ignore", ".*treespec.*", FutureWarning)
        warnings.filterwarnings("ignore", ".*LeafSpec.*")
        try:
            yield
        finally:
            logger.setLevel(level)
