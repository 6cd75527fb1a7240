"""Pixels for the cache, taken over from an earlier one where they are known, else decoded."""

from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from hashlib import sha256
from pathlib import Path
from typing import Protocol

import numpy as np

from roadworthy.data.images import open_image
from roadworthy.data.shards import shape
from roadworthy.data.transforms import fit
from roadworthy.errors import DataError
from roadworthy.params import Input

# Images that are decoded again to see whether an earlier cache was made as this one would be.
SAMPLE = 8


def decode(path: Path, key: str, spec: Input) -> np.ndarray:
    """Pixels of cache size, uint8 (H, W, C), of the file whose SHA-256 is `key`.

    Raises:
        DataError: it cannot be read, or is another image by now.
    """
    try:
        data = path.read_bytes()
        # Pixels are kept under this name for good: they had better be the ones.
        if sha256(data).hexdigest() != key:
            raise DataError("has changed since it was indexed: run `dvc repro`")
        return fit(open_image(data), spec)
    except (OSError, DataError) as error:
        raise DataError(f"{path}: {error}") from error


class Known(Protocol):
    """Pixels that are there already."""

    def at(self, slots: np.ndarray) -> np.ndarray:
        """Pixels in these slots, uint8 (N, H, W, C)."""


class Maker:
    """Makes the pixels of images by slot, and counts how."""

    def __init__(
        self,
        files: list[tuple[Path, str]],
        spec: Input,
        pool: Executor,
        progress: Callable[[int, int], None],
    ) -> None:
        """Of each slot, the file and its SHA-256."""
        self.files, self.spec, self.pool, self.progress = files, spec, pool, progress
        self.known: Known | None = None
        self.slots = np.full(len(files), -1)
        self.decoded = self.done = 0

    def know(self, known: Known, slots: np.ndarray) -> bool:
        """Take pixels from `known`: for each slot here, its slot there, or -1.

        Returns:
            False, and nothing is taken, where they are not those that would be made now.
        """
        here = np.flatnonzero(slots >= 0)
        some = here[:: max(1, len(here) // SAMPLE)]
        for pixels, wanted in zip(known.at(slots[some]), self._decoded(some), strict=True):
            if not np.array_equal(pixels, wanted):
                return False
        self.known, self.slots = known, slots
        return True

    def make(self, part: slice) -> np.ndarray:
        """Pixels of the slots `part`, uint8 (N, H, W, C)."""
        slots = np.arange(part.start, part.stop)
        out = np.empty((len(slots), *shape(self.spec)), np.uint8)
        old = self.slots[part] >= 0
        if self.known and old.any():
            out[old] = self.known.at(self.slots[part][old])
            self.took(int(old.sum()))
        new = np.flatnonzero(~old)
        for place, pixels in zip(new.tolist(), self._decoded(slots[new]), strict=True):
            out[place] = pixels
            self.decoded += 1
            self.took(1)
        return out

    def took(self, count: int) -> None:
        """So many more images are done."""
        self.done += count
        self.progress(self.done, len(self.files))

    def _decoded(self, slots: np.ndarray) -> Iterator[np.ndarray]:
        jobs = [self.files[slot] for slot in slots.tolist()]
        return self.pool.map(lambda job: decode(job[0], job[1], self.spec), jobs)
