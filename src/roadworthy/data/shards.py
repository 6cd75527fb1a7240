"""Which image lies where: shards are named by what is in them, and a new image touches one of them.

Distinct images are ordered by their SHA-256. Where more of them share a prefix than a shard holds, the
prefix is split in two, as in a binary trie: the shards follow from the set of images alone, not from
its history, and one image more or less changes its own shard, or splits or joins that one.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from roadworthy.data import images, transforms
from roadworthy.data.transforms import cache_size
from roadworthy.params import Input

# What is learned from can be streamed; what is measured on stays here.
STREAMED = "train"
# Bytes of an image from which it is copied by itself: two copies in bulk cost more than a loop.
LARGE = 2**16


@dataclass(frozen=True)
class Layout:
    """Distinct images have slots: first those in shards of this machine, then the streamed ones."""

    keys: np.ndarray
    """SHA-256 in slot order, (slots,) of 64 bytes each."""
    slots: np.ndarray
    """Slot of each row, int64; exact copies share one."""
    local: int
    """Slots that are on this machine."""

    @classmethod
    def of(cls, rows: pd.DataFrame, streamed: bool) -> "Layout":
        """Where the images of `rows` (columns sha256, split) are."""
        keys = rows["sha256"].to_numpy(dtype="S64")
        away = (rows["split"] == STREAMED).to_numpy(bool) & streamed
        here, there = np.unique(keys[~away]), np.unique(keys[away])
        slots = np.searchsorted(here, keys)
        slots[away] = len(here) + np.searchsorted(there, keys[away])
        return cls(np.concatenate([here, there]), slots, len(here))

    def shards(self, most: int) -> list[slice]:
        """Slots of each shard of at most `most` images; those of this machine come first."""
        here = _split(_fronts(self.keys[: self.local]), most, 0)
        return here + _split(_fronts(self.keys[self.local :]), most, self.local)

    def slots_in(self, other: "Layout") -> np.ndarray:
        """For each slot here, the slot of the same image there, or -1."""
        if not len(other.keys):
            return np.full(len(self.keys), -1)
        order = np.argsort(other.keys, kind="stable")
        found = np.searchsorted(other.keys, self.keys, sorter=order)
        there = order[np.minimum(found, len(order) - 1)]
        return np.where(other.keys[there] == self.keys, there, -1)


def _fronts(keys: np.ndarray) -> np.ndarray:
    return np.array([int(key[:16], 16) for key in keys.tolist()], np.uint64)


def _split(fronts: np.ndarray, most: int, begin: int) -> list[slice]:
    """Leaves of the trie over sorted 64-bit prefixes, as slots from `begin`."""
    leaves, todo = [], [(0, len(fronts), 63)]
    while todo:
        start, stop, bit = todo.pop()
        if stop - start <= most or bit < 0:
            if stop > start:
                leaves.append(slice(begin + start, begin + stop))
            continue
        ones = (fronts[start:stop] >> np.uint64(bit)) & np.uint64(1)
        middle = start + int(np.searchsorted(ones, 1))
        todo += [(middle, stop, bit - 1), (start, middle, bit - 1)]
    return leaves


@cache
def _code() -> bytes:
    """The code that makes the pixels: another decoder makes others."""
    return b"".join(Path(str(module.__file__)).read_bytes() for module in (images, transforms))


def shape(spec: Input) -> tuple[int, int, int]:
    """Height, width and channels of a cached image."""
    return (*cache_size(spec), spec.channels)


def recipe(spec: Input) -> str:
    """Names how pixels are made: by the settings that shape them, and by the code."""
    settings = f"{shape(spec)} {spec.fit} ".encode()
    return hashlib.sha256(settings + _code()).hexdigest()


def name(keys: np.ndarray, made: str) -> str:
    """Names a shard: these images, made by this recipe, in this order."""
    return hashlib.sha256(made.encode() + np.ascontiguousarray(keys).tobytes()).hexdigest()[:20]


def file_sha256(path: Path) -> str:
    """Hash of a file; other threads run meanwhile."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def gather(
    slots: np.ndarray,
    starts: np.ndarray,
    size: int,
    opened: Callable[[list[int]], Iterator[np.ndarray]],
) -> np.ndarray:
    """Pixels in `slots`, uint8 (N, size), each shard opened once.

    Args:
        starts: first slot of each shard, and the end, ascending.
        opened: gives shards by number, uint8 (images, size), one after the other.
    """
    out = np.empty((len(slots), size), np.uint8)
    order = np.argsort(slots, kind="stable")
    ordered = slots[order]
    shard = np.searchsorted(starts, ordered, side="right") - 1
    edges = np.flatnonzero(np.diff(shard, prepend=-1, append=-1)).tolist()
    numbers = [int(shard[edge]) for edge in edges[:-1]]
    for number, (start, stop), pixels in zip(
        numbers, pairwise(edges), opened(numbers), strict=True
    ):
        begin = int(starts[number])
        if size < LARGE:
            out[order[start:stop]] = pixels[ordered[start:stop] - begin]
            continue
        for place, slot in zip(
            order[start:stop].tolist(), ordered[start:stop].tolist(), strict=True
        ):
            out[place] = pixels[slot - begin]
    return out
