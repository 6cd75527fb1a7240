"""The decoded cache of one task: every image decoded once, read by every epoch.

shard-NAME.npy ...  uint8 (N, H, W, C), cache size, memory-mapped; NAME says what is in it (shards.py)
rows.parquet        one row per image: path, label, target, split, sha256, ..., ordered by sha256
cache.json          labels, input, shards, and where the streamed shards are (stream.py)

Writing takes over from an earlier cache what is decoded already, and gives the same bytes as without.
"""

import math
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from roadworthy.data import stream as streaming
from roadworthy.data.cached import FORMAT, META, ROWS, Cache, load
from roadworthy.data.decoding import Maker
from roadworthy.data.shards import Layout, file_sha256, name, recipe, shape
from roadworthy.data.stream import Parcel
from roadworthy.errors import DataError, StaleError
from roadworthy.layout import write_json
from roadworthy.params import Input

__all__ = ["Cache", "Written", "load", "write"]


@dataclass(frozen=True)
class Written:
    """What it took to write a cache."""

    decoded: int
    taken_over: int
    """Images whose pixels were there already."""
    shards: int
    rewritten: int
    """Shards that were not there already as they are now."""
    refused: str = ""
    """Why an earlier cache was not used."""


def write(
    folder: Path,
    rows: pd.DataFrame,
    labels: tuple[str, ...],
    spec: Input,
    *,
    workers: int = 0,
    shard_mb: float = 64,
    stream: str | None = None,
    earlier: Path | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Written:
    """Write the cache of all rows into `folder`, which exists and is empty.

    Args:
        rows: columns path, label, split, sha256 (of the file at path); labels must be among `labels`.
        workers: threads that decode (Pillow releases the GIL); 0 is one per core.
        shard_mb: largest shard, in MiB.
        stream: folder or `s3://bucket/folder` where the pixels of training images go instead.
        earlier: a cache whose pixels are used again; nothing but time depends on it.
        progress: called with how many images are done, of how many different ones.

    Raises:
        DataError: an image cannot be read or is another by now; the stream's place refuses.
    """
    target = rows["label"].map({label: n for n, label in enumerate(labels)}).astype("int64")
    table = rows.assign(target=target).sort_values(["sha256", "path"], ignore_index=True)
    layout = Layout.of(table, stream is not None)
    with ThreadPoolExecutor(workers or os.cpu_count() or 1) as pool:
        maker = Maker(_files(table, layout), spec, pool, progress)
        old, refused = _opened(earlier, layout, maker, pool)
        writer = _Writer(folder, layout.keys, recipe(spec), maker, old)
        parts = layout.shards(max(1, int(shard_mb * 2**20 / math.prod(shape(spec)))))
        shards = [writer.shard(part) for part in parts if part.stop <= layout.local]
        parcels = [writer.parcel(part) for part in parts if part.start >= layout.local]
        sent = streaming.send(stream, parcels, shape(spec)) if stream else None
    table.to_parquet(folder / ROWS, index=False)
    meta = {"labels": labels, "input": spec.model_dump(mode="json"), "recipe": recipe(spec)}
    write_json(folder / META, {"format": FORMAT, **meta, "shards": shards, "stream": sent})
    if missed := len(layout.keys) - maker.done:  # in chunks that were at their place already
        maker.took(missed)
    taken_over = len(layout.keys) - maker.decoded
    return Written(maker.decoded, taken_over, len(parts), writer.rewritten, refused)


def _files(table: pd.DataFrame, layout: Layout) -> list[tuple[Path, str]]:
    """A file and its SHA-256 for each slot."""
    first = table.iloc[np.unique(layout.slots, return_index=True)[1]]
    return [(Path(path), key) for path, key in zip(first["path"], first["sha256"], strict=True)]


def _opened(
    earlier: Path | None, layout: Layout, maker: Maker, pool: ThreadPoolExecutor
) -> tuple[Cache | None, str]:
    """An earlier cache that is whole and was made as this one, or none and why."""
    try:
        old = load(earlier) if earlier else None
        if old is None or old.meta["recipe"] != recipe(maker.spec):
            return None, ""
        files = [(old.folder / shard["file"], shard["sha256"]) for shard in old.meta["shards"]]
        hashes = pool.map(file_sha256, [path for path, _ in files])
        for (path, wanted), found in zip(files, hashes, strict=True):
            if found != wanted:
                return None, f"{path} was damaged"
        if maker.know(old, layout.slots_in(old.layout)):
            return old, ""
        return None, "this Pillow makes other pixels than the one before"
    except StaleError:
        return None, ""
    except (DataError, OSError, KeyError) as error:
        return None, str(error)


class _Writer:
    """Shards, each taken over as a file where it is there already."""

    def __init__(
        self, folder: Path, keys: np.ndarray, made: str, maker: Maker, old: Cache | None
    ) -> None:
        self.folder, self.keys, self.made, self.maker = folder, keys, made, maker
        self.old = old
        self.there = {shard["file"]: shard for shard in old.meta["shards"]} if old else {}
        self.rewritten = 0

    def shard(self, part: slice) -> dict[str, Any]:
        """Write the shard of these slots; its entry in `cache.json`."""
        file = f"shard-{name(self.keys[part], self.made)}.npy"
        path = self.folder / file
        if self.old and file in self.there:
            _take_over(self.old.folder / file, path)
            self.maker.took(part.stop - part.start)
            return dict(self.there[file])
        np.save(path, self.make(part))
        return {"file": file, "images": part.stop - part.start, "sha256": file_sha256(path)}

    def parcel(self, part: slice) -> Parcel:
        """The streamed shard of these slots."""
        file = f"chunk-{name(self.keys[part], self.made)}.bin"
        return Parcel(file, part.stop - part.start, partial(self.make, part))

    def make(self, part: slice) -> np.ndarray:
        """Pixels of these slots."""
        self.rewritten += 1
        return self.maker.make(part)


def _take_over(old: Path, new: Path) -> None:
    """The same file under another folder: shards are replaced, never changed."""
    try:
        os.link(old.resolve(), new)
    except OSError:  # another disk, or a file system without links
        shutil.copyfile(old, new)
