"""Batches from the cache: uint8 straight from the memory map, changed and normalised on the device."""

from collections.abc import Iterable, Iterator

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from roadworthy.data.cache import Cache

Batch = tuple[Tensor, Tensor]


class Rows(Dataset[Batch]):
    """Asked for a list of places, gives pixels (N, H, W, C) uint8 and targets (N,) int64."""

    def __init__(self, cache: Cache, places: np.ndarray) -> None:
        self.cache = cache
        self.places = places

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: list[int]) -> Batch:
        places = self.places[index]
        pixels = torch.from_numpy(self.cache.pixels(places))
        return pixels, torch.from_numpy(self.cache.targets(places))


class Shuffled(Sampler[list[int]]):
    """Batches in an order that depends on the seed and the epoch alone; every row once an epoch."""

    def __init__(self, count: int, batch_size: int, seed: int) -> None:
        self.count, self.batch_size, self.seed = count, batch_size, seed
        self.epoch = 0

    def __len__(self) -> int:
        # A last batch of one image would break BatchNorm.
        return max(1, round(self.count / self.batch_size))

    def __iter__(self) -> Iterator[list[int]]:
        order = np.random.default_rng([self.seed, self.epoch]).permutation(self.count)
        yield from (part.tolist() for part in np.array_split(order, len(self)))

    def set_epoch(self, epoch: int) -> None:
        """Lightning calls this at the start of each epoch, a resumed one included."""
        self.epoch = epoch


def train_batches(cache: Cache, batch_size: int, seed: int) -> DataLoader[Batch]:
    """Shuffled batches of the train split, of nearly equal size."""
    places = cache.places("train")
    sampler = Shuffled(len(places), batch_size, seed)
    return loader(Rows(cache, places), sampler)


def loader(rows: Dataset[Batch], sampler: Iterable[list[int]]) -> DataLoader[Batch]:
    """Whole batches at a time.

    The generator is the loader's own: it draws a number for each iterator, and would take that from
    the sequence by which images are augmented, at other places when a training is resumed.
    """
    return DataLoader(rows, batch_size=None, sampler=sampler, generator=torch.Generator())


def ordered_batches(cache: Cache, split: str, batch_size: int = 64) -> DataLoader[Batch]:
    """Batches of a split in the order of the cache's rows."""
    places = cache.places(split)
    parts = [
        part.tolist()
        for part in np.array_split(np.arange(len(places)), _ceil(len(places), batch_size))
    ]
    return loader(Rows(cache, places), parts)


def _ceil(count: int, size: int) -> int:
    return max(1, -(-count // size))
