"""The decoded cache: memory-mapped uint8 shards of one task, written once, read by every epoch.

shard-000.npy ...   uint8 (N, H, W, C), cache size
rows.parquet        one row per image in shard order: path, label, target, split, sha256, ...
cache.json          labels, input, shards
"""

import hashlib
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from roadworthy.data.images import open_image
from roadworthy.data.transforms import cache_size, fit
from roadworthy.errors import StaleError
from roadworthy.layout import read_json, write_json
from roadworthy.params import Input

ROWS = "rows.parquet"
META = "cache.json"


@dataclass(frozen=True)
class Cache:
    """An opened cache."""

    labels: tuple[str, ...]
    input: Input
    rows: pd.DataFrame
    shards: tuple[np.ndarray, ...]
    shard_rows: int

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def digest(self) -> str:
        """SHA-256 over which images are in it, as what, and how they were prepared."""
        columns = self.rows[["sha256", "target", "split"]].to_csv(index=False)
        return hashlib.sha256((columns + self.input.model_dump_json()).encode()).hexdigest()

    def pixels(self, places: np.ndarray) -> np.ndarray:
        """Cached images at row numbers `places`, uint8 (N, H, W, C)."""
        if len(self.shards) == 1:
            return np.asarray(self.shards[0][places])
        out = np.empty((len(places), *self.shards[0].shape[1:]), np.uint8)
        for number, shard in enumerate(self.shards):
            here = places // self.shard_rows == number
            out[here] = shard[places[here] % self.shard_rows]
        return out

    def places(self, split: str) -> np.ndarray:
        """Row numbers of a split, ascending."""
        return np.flatnonzero(self.rows["split"].to_numpy() == split)

    def targets(self, places: np.ndarray) -> np.ndarray:
        """Class numbers, int64."""
        return np.asarray(self.rows["target"].to_numpy(np.int64)[places])


def write(
    folder: Path,
    rows: pd.DataFrame,
    labels: tuple[str, ...],
    spec: Input,
    *,
    workers: int = 0,
    shard_mb: int = 64,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Decode all rows into `folder`, which exists and is empty.

    Args:
        rows: columns path, label, split; labels must be among `labels`.
        workers: threads that decode (Pillow releases the GIL); 0 is one per core.
    """
    shape = (*cache_size(spec), spec.channels)
    shard_rows = max(1, shard_mb * 2**20 // int(np.prod(shape)))
    done = 0
    with ThreadPoolExecutor(workers or os.cpu_count() or 1) as pool:
        for number, start in enumerate(range(0, len(rows), shard_rows)):
            paths = [Path(p) for p in rows["path"].iloc[start : start + shard_rows]]
            shard = np.empty((len(paths), *shape), np.uint8)
            for place, pixels in enumerate(pool.map(lambda p: fit(open_image(p), spec), paths)):
                shard[place] = pixels
                done += 1
                progress(done, len(rows))
            np.save(folder / f"shard-{number:03d}.npy", shard)
    target = rows["label"].map({label: n for n, label in enumerate(labels)}).astype("int64")
    rows.assign(target=target).to_parquet(folder / ROWS, index=False)
    meta = {"labels": labels, "input": spec.model_dump(mode="json"), "shard_rows": shard_rows}
    write_json(folder / META, meta)


def load(folder: Path) -> Cache:
    """Open a cache; pixels stay on disk until they are read.

    Raises:
        StaleError: there is no cache in `folder`.
    """
    if not (folder / META).is_file():
        raise StaleError(f"{folder} holds no cache: run `dvc repro` first")
    meta = read_json(folder / META)
    shards = [np.load(path, mmap_mode="r") for path in sorted(folder.glob("shard-*.npy"))]
    return Cache(
        labels=tuple(meta["labels"]),
        input=Input.model_validate(meta["input"]),
        rows=pd.read_parquet(folder / ROWS),
        shards=tuple(shards),
        shard_rows=meta["shard_rows"],
    )
