"""Read image files, on all cores, into the columns of a manifest that come from a file alone."""

import hashlib
import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from roadworthy.data import hashing, images, statistics
from roadworthy.data.files import File
from roadworthy.data.hashing import THUMBNAIL
from roadworthy.data.images import decode
from roadworthy.data.remembered import Remembered
from roadworthy.errors import DataError
from roadworthy.params import Index

CHUNK = 32
COLUMNS = (
    *("path", "sha256", "width", "height", "aspect", "mode", "format", "bytes"),
    *("brightness", "contrast", "red", "green", "blue", "border_red", "border_green"),
    *("border_blue", "sharpness", "readable", "reason", "changed", "phash"),
)
# Of one kind whatever is missing, so that the same files always give the same table.
_OTHERS = (
    *("path", "sha256", "mode", "format", "bytes", "readable", "reason", "changed", "phash"),
)
_NUMBERS = dict.fromkeys((name for name in COLUMNS if name not in _OTHERS), "float64")
# Larger files are no images that anybody trains on.
MAX_BYTES = 2**30
# A row and its thumbnail; none where the file could not be read.
Described = tuple[dict[str, Any], np.ndarray | None]
# Content that is known already, by SHA-256, in each worker process: pickled once, not per file.
_known: dict[str, int] = {}


def key(settings: Index) -> str:
    """Says how files are read: the code that does it, and its limits."""
    readers = (images, hashing, statistics, sys.modules[__name__])
    code = b"".join(Path(str(module.__file__)).read_bytes() for module in readers)
    return f"{hashlib.sha256(code).hexdigest()[:16]}/{settings.max_pixels}"


def describe_all(
    files: Sequence[File],
    known: Remembered,
    settings: Index,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[Remembered, int]:
    """Rows and thumbnails of all files, in their order, and how many had to be opened."""
    place = _places(files, known)
    old, new = np.flatnonzero(place >= 0), np.flatnonzero(place < 0).tolist()
    thumbnails = np.zeros((len(files), *THUMBNAIL), np.uint8)
    thumbnails[old] = known.thumbnails[place[old]]
    rows: list[dict[Any, Any]] = []
    content = {} if known.rows.empty else dict(_by_content(known.rows))
    for number, (row, thumbnail) in zip(
        new, _read([files[n] for n in new], content, settings), strict=True
    ):
        if (again := row.pop("again", None)) is not None:
            same: Any = known.rows.iloc[again]
            row, thumbnail = {**same.to_dict(), **row}, known.thumbnails[again]
        rows.append(row)
        if thumbnail is not None:
            thumbnails[number] = thumbnail
        progress(len(rows), len(new))
    parts = (
        [_hashed(pd.DataFrame(rows, columns=list(COLUMNS), index=new), thumbnails)] if rows else []
    )
    parts += [known.rows.iloc[place[old]].set_axis(old)] if len(old) else []
    frame = parts[0] if len(parts) == 1 else pd.concat(parts).sort_index()
    frame = frame.astype({**_NUMBERS, "readable": bool, "changed": "int64"})
    return Remembered(frame, thumbnails, known.key), len(new)


def _hashed(rows: pd.DataFrame, thumbnails: np.ndarray) -> pd.DataFrame:
    """With the perceptual hashes of the thumbnails, by row number, of what can be read."""
    readable = rows.index[rows["readable"].astype(bool)]
    codes = hashing.phash(hashing.to_grey(thumbnails[readable.to_numpy(np.int64)]))
    rows["phash"] = pd.Series(hashing.as_text(codes), index=readable, dtype=object)
    return rows


def describe(path: Path, max_pixels: int) -> Described:
    """The columns that come from one file alone, and its thumbnail, uint8 (32, 32, 3)."""
    try:
        data = path.read_bytes()
    except OSError as error:
        return {"readable": False, "reason": f"cannot be read: {error.strerror}"}, None
    digest = hashlib.sha256(data).hexdigest()
    if digest in _known:
        return {"again": _known[digest]}, None
    try:
        found = decode(data, max_pixels, at_least=statistics.SIDE)
    except DataError as error:
        return {"sha256": digest, "readable": False, "reason": str(error)}, None
    small = statistics.shrunk(found.image)
    return {
        "sha256": digest,
        "readable": True,
        "reason": None,
        "width": found.width,
        "height": found.height,
        "aspect": found.width / found.height,
        "mode": found.mode,
        "format": found.format,
        **statistics.figures(small),
    }, _halved(small)


def _halved(small: np.ndarray) -> np.ndarray:
    parts = small.reshape(32, 2, 32, 2, 3).astype(np.uint16).sum(axis=(1, 3))
    halved: np.ndarray = ((parts + 2) // 4).astype(np.uint8)
    return halved


def _places(files: Sequence[File], known: Remembered) -> np.ndarray:
    """Where each file is remembered, by path, size and time; -1 where it is not."""
    if known.rows.empty:
        return np.full(len(files), -1)
    columns = (known.rows[name].to_numpy().tolist() for name in ("path", "bytes", "changed"))
    found = {facts: n for n, facts in enumerate(zip(*columns, strict=True))}
    return np.array([found.get((f.name, f.size, f.changed), -1) for f in files], np.int64)


def _by_content(rows: pd.DataFrame) -> Iterator[tuple[str, int]]:
    return ((digest, n) for n, digest in enumerate(rows["sha256"]) if isinstance(digest, str))


def _read(files: list[File], content: dict[str, int], settings: Index) -> Iterator[Described]:
    workers = settings.workers or os.cpu_count() or 1
    work = partial(_one, max_pixels=settings.max_pixels)
    if workers == 1 or len(files) < 2 * CHUNK:
        _remember(content)
        yield from map(work, files)
        return
    # 'spawn' rather than 'fork': the caller may hold threads (a progress bar, torch).
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, _remember, (content,)) as pool:
        yield from pool.map(work, files, chunksize=CHUNK)


def _remember(content: dict[str, int]) -> None:
    _known.clear()
    _known.update(content)


def _one(file: File, max_pixels: int) -> Described:
    about = {"path": file.name, "bytes": file.size, "changed": file.changed}
    fault = file.fault or (f"{file.size:,} bytes are too many" if file.size > MAX_BYTES else None)
    if fault:
        return about | {"readable": False, "reason": fault}, None
    row, thumbnail = describe(file.path, max_pixels)
    return about | row, thumbnail
