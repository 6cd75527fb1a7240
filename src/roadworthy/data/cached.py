"""Reading the decoded cache (`cache`): pixels, labels and splits by row number."""

import math
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from roadworthy.data.shards import STREAMED, Layout, gather, shape
from roadworthy.data.stream import Stream
from roadworthy.errors import DataError, StaleError
from roadworthy.layout import read_json
from roadworthy.params import Input

FORMAT = 2
ROWS = "rows.parquet"
META = "cache.json"


@dataclass(frozen=True)
class Cache:
    """An opened cache; pixels stay where they are until they are read."""

    folder: Path
    labels: tuple[str, ...]
    input: Input
    rows: pd.DataFrame
    shards: tuple[np.ndarray, ...]
    """Of this machine, uint8 (N, H, W, C) each."""
    starts: np.ndarray
    """First slot (`Layout`) of each shard, those of the stream after those of this machine, and the end."""
    stream: Stream | None
    meta: dict[str, Any]

    def __len__(self) -> int:
        return len(self.rows)

    def __reduce__(self) -> Any:
        """Travels to other processes as a path: no pixels are copied."""
        return load, (self.folder,)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of a cached image."""
        return shape(self.input)

    @property
    def digest(self) -> str:
        """SHA-256 over which images are in it, as what, and how they were prepared."""
        columns = self.rows[["sha256", "target", "split"]].to_csv(index=False)
        return sha256((columns + self.input.model_dump_json()).encode()).hexdigest()

    @cached_property
    def layout(self) -> Layout:
        """Where each row's pixels are."""
        return Layout.of(self.rows, self.stream is not None)

    def pixels(self, places: np.ndarray) -> np.ndarray:
        """Cached images at row numbers `places`, in that order, uint8 (N, H, W, C).

        Raises:
            DataError: a streamed image cannot be fetched.
        """
        return self.at(self.layout.slots[places])

    def at(self, slots: np.ndarray) -> np.ndarray:
        """As `pixels`, by slot."""
        flat = gather(slots, self.starts, math.prod(self.shape), self._opened)
        return flat.reshape(len(slots), *self.shape)

    def _opened(self, numbers: list[int]) -> Iterator[np.ndarray]:
        """Shards by number, uint8 (images, H * W * C)."""
        here = len(self.shards)
        for number in numbers:
            if number < here:
                yield self.shards[number].reshape(len(self.shards[number]), -1)
        if self.stream and numbers and numbers[-1] >= here:
            yield from self.stream.opened([n - here for n in numbers if n >= here])

    def places(self, split: str) -> np.ndarray:
        """Row numbers of a split, ascending."""
        return np.flatnonzero(self.rows["split"].to_numpy() == split)

    def chunks(self, split: str) -> list[np.ndarray]:
        """Row numbers of a split, in groups that lie together: one, or one per streamed shard.

        Whoever shuffles within a few groups at a time fetches each streamed shard about once an epoch.
        """
        places = self.places(split)
        if self.stream is None or split != STREAMED:
            return [places]
        shard = np.searchsorted(self.starts, self.layout.slots[places], side="right")
        return np.split(places, np.flatnonzero(np.diff(shard)) + 1)

    def fetch(self, places: np.ndarray) -> None:
        """Wait until the streamed shards of these rows are on this machine: for a thread that runs ahead."""
        if self.stream:
            shard = np.searchsorted(self.starts, self.layout.slots[places], side="right") - 1
            away = np.unique(shard) - len(self.shards)
            self.stream.fetch(away[away >= 0].tolist())

    def targets(self, places: np.ndarray) -> np.ndarray:
        """Class numbers, int64."""
        return np.asarray(self.rows["target"].to_numpy(np.int64)[places])


def load(folder: Path) -> Cache:
    """Open a cache; pixels stay on disk until they are read.

    Raises:
        StaleError: there is no cache in `folder`, or one of an earlier version.
        DataError: it is damaged.
    """
    if not (folder / META).is_file():
        raise StaleError(f"{folder} holds no cache: run `dvc repro` first")
    try:
        meta = read_json(folder / META)
        if meta.get("format") != FORMAT:
            raise StaleError(f"{folder} is of another version: run `dvc repro` first")
        return _open(folder, meta)
    except (OSError, EOFError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise DataError(f"{folder} is damaged ({error}): run `dvc repro`") from error


def _open(folder: Path, meta: dict[str, Any]) -> Cache:
    spec = Input.model_validate(meta["input"])
    _allow_open_files(len(meta["shards"]))
    shards = tuple(np.load(folder / shard["file"], mmap_mode="r") for shard in meta["shards"])
    for entry, shard in zip(meta["shards"], shards, strict=True):
        if shard.shape != (entry["images"], *shape(spec)):
            raise ValueError(f"{entry['file']} holds {shard.shape}")
    stream = Stream.of(meta["stream"], math.prod(shape(spec))) if meta["stream"] else None
    counts = [len(shard) for shard in shards] + (stream.counts if stream else [])
    return Cache(
        folder=folder.resolve(),
        labels=tuple(meta["labels"]),
        input=spec,
        rows=pd.read_parquet(folder / ROWS),
        shards=shards,
        starts=np.cumsum([0, *counts]),
        stream=stream,
        meta=meta,
    )


def _allow_open_files(shards: int) -> None:
    """Each mapped shard holds a file open, and 1,024 is a common limit that may be raised."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft < shards + 512:
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(shards + 512, hard), hard))
