"""Images to train on, and the two ways to them: files for the reference, a cache or memory for the road."""

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from roadworthy.data import cache
from roadworthy.data.transforms import cache_size
from roadworthy.params import Augment, Input

CLASSES = 10
# Different pictures; where more images are asked for, they are the same files under other names.
DISTINCT = 512
# Images of the validation split: there must be one, and it is not what is measured.
VAL = 2


def spec(size: int) -> Input:
    """Square input, cached with the short side a little longer."""
    return Input(height=size, width=size, fit="crop")


def crop_and_flip() -> Augment:
    """A part anywhere, and a mirror image."""
    return Augment(crop="random", **_NOTHING_ELSE)


def resized_crop_and_flip() -> Augment:
    """What torchvision's reference script does to a training image."""
    return Augment(crop="resized", crop_scale=(0.08, 1.0), **_NOTHING_ELSE)


_NOTHING_ELSE = {
    "rotate": 0,
    "scale": (1, 1),
    "translate": 0,
    "brightness": 0,
    "contrast": 0,
    "saturation": 0,
}


def photos(folder: Path, count: int) -> Path:
    """JPEGs of 500 x 375 like photos (smooth shapes, a little noise, quality 90) in a folder per class."""
    for number in range(CLASSES):
        (folder / f"class_{number}").mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        drawn = list(pool.map(lambda n: _photo(folder, n), range(min(count, DISTINCT))))
    for number in range(len(drawn), count):
        os.link(drawn[number % DISTINCT], _place(folder, number))
    return folder


def _place(folder: Path, number: int) -> Path:
    return folder / f"class_{number % CLASSES}" / f"{number:06d}.jpg"


def _photo(folder: Path, number: int) -> Path:
    rng = np.random.default_rng(number)
    coarse = Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((500, 375), Image.Resampling.BICUBIC), np.int16)
    noisy = smooth + rng.integers(-12, 13, smooth.shape, dtype=np.int16)
    Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(
        _place(folder, number), quality=90
    )
    return _place(folder, number)


def cached(images: Path, folder: Path, size: int) -> cache.Cache:
    """The road's cache of a folder of photos; the first ones are for validation as well."""
    paths = sorted(images.rglob("*.jpg"))
    table = pd.DataFrame({"path": [str(path) for path in paths], "split": "train"})
    table["label"] = [path.parent.name for path in paths]
    table["sha256"] = [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]
    table = pd.concat([table, table.head(VAL).assign(split="val")], ignore_index=True)
    folder.mkdir(parents=True)
    cache.write(folder, table, tuple(sorted(table["label"].unique())), spec(size))
    return cache.load(folder)


@dataclass(frozen=True)
class Memory:
    """Random pixels in memory, in place of a cache: enough where only speed is looked at."""

    images: np.ndarray
    """uint8 (distinct images, H, W, C)."""
    count: int
    """Training images."""

    @classmethod
    def of(cls, count: int, size: int) -> "Memory":
        """So many training images of cache size."""
        shape = (min(count, DISTINCT), *cache_size(spec(size)), 3)
        return cls(np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8), count)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width, channels of every image."""
        height, width, channels = self.images.shape[1:]
        return height, width, channels

    def __len__(self) -> int:
        return self.count + VAL

    def places(self, split: str) -> np.ndarray:
        """Row numbers of a split."""
        return {"train": np.arange(self.count), "val": self.count + np.arange(VAL)}[split]

    def chunks(self, split: str) -> list[np.ndarray]:
        """The same row numbers: all lie together."""
        return [self.places(split)]

    def pixels(self, places: np.ndarray) -> np.ndarray:
        """uint8 (N, H, W, C)."""
        return self.images[places % len(self.images)]

    def targets(self, places: np.ndarray) -> np.ndarray:
        """Class numbers, int64 (N,)."""
        return places.astype(np.int64) % CLASSES


def batches(places: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """Row numbers in shuffled batches."""
    order = np.random.default_rng(0).permutation(places)
    yield from np.array_split(order, max(1, len(order) // size))
