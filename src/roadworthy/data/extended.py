"""A cache with further training images of one class behind its own."""

from dataclasses import dataclass
from hashlib import sha256

import numpy as np
import pandas as pd

from roadworthy.data.cached import Cache


@dataclass(frozen=True)
class Extended:
    """Rows of the cache, then the further ones; those are for training only."""

    cache: Cache
    further: np.ndarray
    """Uint8 (M, H, W, C) of cache size."""
    target: int
    """Their class."""

    def __len__(self) -> int:
        return len(self.cache) + len(self.further)

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes."""
        return self.cache.labels

    @property
    def rows(self) -> pd.DataFrame:
        """What is known of the cache's own images."""
        return self.cache.rows

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of every image."""
        return self.cache.shape

    @property
    def digest(self) -> str:
        """SHA-256 over which images are in it; the cache's own where nothing was added."""
        if not len(self.further):
            return self.cache.digest
        return sha256(self.cache.digest.encode() + self.further.tobytes()).hexdigest()

    def places(self, split: str) -> np.ndarray:
        """Row numbers of a split, ascending."""
        return np.concatenate([self.cache.places(split), self._behind(split)])

    def chunks(self, split: str) -> list[np.ndarray]:
        """The same row numbers, in groups that lie together, see `Cache.chunks`."""
        first, *rest = self.cache.chunks(split)
        return [np.concatenate([first, self._behind(split)]), *rest]

    def pixels(self, places: np.ndarray) -> np.ndarray:
        """Uint8 (N, H, W, C)."""
        own = places < len(self.cache)
        out = np.empty((len(places), *self.shape), np.uint8)
        out[own] = self.cache.pixels(places[own])
        out[~own] = self.further[places[~own] - len(self.cache)]
        return out

    def targets(self, places: np.ndarray) -> np.ndarray:
        """Class numbers, int64 (N,)."""
        own = places < len(self.cache)
        out = np.full(len(places), self.target, np.int64)
        out[own] = self.cache.targets(places[own])
        return out

    def fetch(self, places: np.ndarray) -> None:
        """See `Cache.fetch`."""
        self.cache.fetch(places[places < len(self.cache)])

    def _behind(self, split: str) -> np.ndarray:
        return np.arange(len(self.cache), len(self) if split == "train" else len(self.cache))
