"""Batches from the cache: one batch is one optimizer step, changed and normalised on the device."""

import signal
from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

import lightning as L
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from roadworthy.params import Train
from roadworthy.training.balance import balanced_chances
from roadworthy.training.machine import cores, fits_on_device
from roadworthy.training.ranks import rank, world

# Images validated at a time.
VAL_IMAGES = 64
# Streamed chunks whose images are shuffled among each other.
WINDOW = 8
# Images that are put on the device at a time.
PIECE = 4096


class Source(Protocol):
    """Where images come from: a `Cache`, or several joined."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width, channels of every image."""

    def __len__(self) -> int: ...

    def places(self, split: str) -> np.ndarray:
        """Row numbers of a split."""

    def chunks(self, split: str) -> list[np.ndarray]:
        """The same row numbers, those apart that lie apart."""

    def pixels(self, places: np.ndarray) -> np.ndarray:
        """uint8 (N, H, W, C)."""

    def targets(self, places: np.ndarray) -> np.ndarray:
        """Class numbers, int64 (N,)."""


class Batch(NamedTuple):
    """What one process sees of one step."""

    pixels: Tensor
    """uint8 (N, H, W, C), or (0,) where pixels lie on the device or only features are asked for."""
    targets: Tensor
    """int64 (N,)."""
    places: Tensor
    """int64 (N,), row numbers in the source."""
    total: int
    """Images of the step in all processes together."""


class Order(Sampler[tuple[np.ndarray, int]]):
    """Row numbers step by step, in an order that depends on the seed and the epoch alone.

    Each step has nearly the same number of images, so that no batch is too small for BatchNorm; a
    process takes its part of every step. It begins where `position` says, so that a training that
    was interrupted inside an epoch sees each image once.

    Args:
        chunks: row numbers; those of one chunk lie together, and are not torn apart by far.
        step_images: images of one optimizer step.
        chances: draw with these instead of each row once, float (N,).
        position: epoch, and how many of its steps are done.
    """

    def __init__(
        self,
        chunks: list[np.ndarray],
        step_images: int,
        seed: int,
        chances: np.ndarray | None = None,
        position: Callable[[], tuple[int, int]] = lambda: (0, 0),
    ) -> None:
        self.chunks, self.seed, self.chances, self.position = chunks, seed, chances, position
        self.images = sum(map(len, chunks))
        self.steps = max(1, -(-self.images // step_images))

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[tuple[np.ndarray, int]]:
        epoch, done = self.position()
        steps = np.array_split(self._shuffled(epoch), self.steps)
        for step in steps[done:]:
            yield np.array_split(step, world())[rank()], len(step)

    def _shuffled(self, epoch: int) -> np.ndarray:
        rng = np.random.default_rng([self.seed, epoch])
        if self.chances is not None:
            return rng.choice(np.concatenate(self.chunks), self.images, p=self.chances)
        order = [self.chunks[number] for number in rng.permutation(len(self.chunks))]
        windows = [order[n : n + WINDOW] for n in range(0, len(order), WINDOW)]
        return np.concatenate([rng.permutation(np.concatenate(window)) for window in windows])


class Rows(Dataset[Batch]):
    """Asked for row numbers and the size of the step, gives the batch."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.with_pixels = True

    def __getitem__(self, asked: tuple[np.ndarray, int]) -> Batch:
        places, total = asked
        pixels = self.source.pixels(places) if self.with_pixels else np.empty(0, np.uint8)
        targets = torch.from_numpy(self.source.targets(places))
        return Batch(torch.from_numpy(pixels), targets, torch.from_numpy(places), total)


class Batches(L.LightningDataModule):
    """Training and validation batches of a source.

    Args:
        settings: `batch_size` must be a number by now.
    """

    def __init__(self, source: Source, settings: Train, seed: int) -> None:
        super().__init__()
        assert settings.batch_size != "auto"
        self.source, self.settings = source, settings
        train = source.places("train")
        balanced = settings.sampler == "balanced"
        self.order = Order(
            [train] if balanced else source.chunks("train"),
            settings.batch_size * settings.accumulate,
            seed,
            balanced_chances(source.targets(train)) if balanced else None,
            self._position,
        )
        self.rows = Rows(source)
        self._resident: Tensor | None = None
        self._slot: Tensor | None = None

    def setup(self, stage: str) -> None:
        """Put all images on the device if they are to be kept there."""
        wanted = np.concatenate([self.source.places("train"), self.source.places("val")])
        size = len(wanted) * int(np.prod(self.source.shape))
        if not fits_on_device(size, self.settings.device_cache):
            return
        device = self.trainer.strategy.root_device if self.trainer else torch.device("cpu")
        self._resident = torch.empty(
            (len(wanted), *self.source.shape), dtype=torch.uint8, device=device
        )
        for start in range(0, len(wanted), PIECE):
            # Piece by piece: the machine may have less memory than the GPU.
            part = self.source.pixels(wanted[start : start + PIECE])
            self._resident[start : start + len(part)] = torch.from_numpy(part)
        slot = torch.empty(len(self.source), dtype=torch.int64)
        slot[torch.from_numpy(wanted)] = torch.arange(len(wanted))
        self._slot = slot.to(device)
        self.rows.with_pixels = False

    def features_only(self, wanted: bool) -> None:
        """From the next epoch on, leave the pixels out, or not."""
        self.rows.with_pixels = not wanted and self._resident is None

    def train_dataloader(self) -> DataLoader[Batch]:
        """One batch per optimizer step."""
        return self._loader(self.order)

    def val_dataloader(self) -> DataLoader[Batch]:
        """This process's part of the validation split, in the order of its rows."""
        return self.ordered("val")

    def ordered(self, split: str, whole: bool = False) -> DataLoader[Batch]:
        """A split in the order of its rows: this process's part, or the whole."""
        places = self.source.places(split)
        if not whole:
            places = np.array_split(places, world())[rank()]
        count = max(1, -(-len(places) // VAL_IMAGES))
        return self._loader([(part, len(part)) for part in np.array_split(places, count)])

    def on_after_batch_transfer(self, batch: Batch, _: int) -> Batch:
        """Fetch pixels that lie on the device already."""
        if self._resident is None or self._slot is None:
            return batch
        return batch._replace(pixels=self._resident[self._slot[batch.places]])

    def _loader(self, sampler: Order | list[tuple[np.ndarray, int]]) -> DataLoader[Batch]:
        workers = self.settings.workers
        cuda = torch.cuda.is_available()
        if cuda and self._resident is None:
            # A GPU must not wait for copies: half of the cores feed it well.
            workers = workers or min(8, max(1, cores() // 2))
        # The loader draws a number for each iterator. From a generator of its own, it does not take it
        # from the sequence by which images are augmented.
        return DataLoader(
            self.rows,
            batch_size=None,
            sampler=sampler,
            generator=torch.Generator(),
            num_workers=workers,
            worker_init_fn=_leave_signals_to_the_trainer,
            pin_memory=cuda and self._resident is None,
        )

    def _position(self) -> tuple[int, int]:
        """Epoch and steps done, as the loops of a trainer count them, a resumed one's too."""
        if self.trainer is None:
            return 0, 0
        ready = self.trainer.fit_loop.epoch_loop.batch_progress.current.ready
        return self.trainer.current_epoch, ready % len(self.order)


def _leave_signals_to_the_trainer(_: int) -> None:
    """Schedulers signal all processes of a group; a worker that dies of it would take the step along."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
