"""The manifest: one row per image file, with all that later stages want to know of it.

Columns: path (posix, relative to the project), label, source, group, sha256, phash (64 bits, hex),
width, height, aspect, mode, format, bytes, brightness, red, green, blue (means, 0 to 1), sharpness
(variance of the Laplacian of the grey image at 64 x 64, 0 to 1), readable, reason (why not).
"""

import hashlib
import os
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from roadworthy.data.images import SUFFIXES, open_image
from roadworthy.data.labels import read_label
from roadworthy.errors import DataError
from roadworthy.params import TaskPlan

Progress = Callable[[int, int], None]


def find_images(folder: Path) -> list[Path]:
    """All files below `folder` that are named like images, sorted.

    Raises:
        DataError: the folder is missing or has no images.
    """
    if not folder.is_dir():
        raise DataError(
            f"the images folder {folder} is missing: `make data` draws the embedded set, "
            f"`dvc pull` fetches a shared one, `roadworthy add` brings your own"
        )
    found = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
    if not found:
        raise DataError(f"{folder} holds no images ({', '.join(sorted(SUFFIXES))})")
    return found


def build(plan: TaskPlan, progress: Progress = lambda done, total: None) -> pd.DataFrame:
    """Read every image of a task, on all cores, into one row each; sorted by path."""
    paths = find_images(plan.images)
    read = partial(describe, max_pixels=plan.index.max_pixels)
    rows = []
    for row in _mapped(read, paths, plan.index.workers):
        rows.append(row)
        progress(len(rows), len(paths))
    frame = pd.DataFrame(rows)
    frame.insert(1, "label", [read_label(path, plan.label, plan.images) for path in paths])
    frame.insert(2, "source", [_source(path, plan.images) for path in paths])
    frame.insert(3, "group", [_group(path, plan.split.group) for path in paths])
    return frame.astype({"label": "string", "group": "string", "reason": "string"})


def describe(path: Path, max_pixels: int) -> dict[str, Any]:
    """The columns that come from one file alone."""
    import imagehash

    row: dict[str, Any] = {"path": path.as_posix(), "bytes": path.stat().st_size}
    data = path.read_bytes()
    row["sha256"] = hashlib.sha256(data).hexdigest()
    try:
        image = open_image(data, max_pixels)
    except DataError as error:
        return row | {"readable": False, "reason": str(error)}
    return row | {
        "readable": True,
        "reason": None,
        "width": image.width,
        "height": image.height,
        "aspect": image.width / image.height,
        "mode": image.mode,
        "format": image.format,
        "phash": str(imagehash.phash(image)),
        **_statistics(image),
    }


def _statistics(image: Image.Image) -> dict[str, float]:
    small = image.convert("RGB").resize((64, 64), Image.Resampling.BOX)
    pixels = np.asarray(small, np.float32) / 255
    red, green, blue = (float(v) for v in pixels.mean(axis=(0, 1)))
    grey = pixels @ np.array([0.299, 0.587, 0.114], np.float32)
    laplacian = (
        grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * grey[1:-1, 1:-1]
    )
    return {
        "brightness": round(float(grey.mean()), 6),
        "red": round(red, 6),
        "green": round(green, 6),
        "blue": round(blue, 6),
        "sharpness": round(float(laplacian.var()), 6),
    }


def _mapped(function: Callable[[Path], Any], paths: Sequence[Path], workers: int) -> Any:
    workers = workers or os.cpu_count() or 1
    if workers == 1 or len(paths) < 64:
        return map(function, paths)
    return _pooled(function, paths, workers)


def _pooled(function: Callable[[Path], Any], paths: Sequence[Path], workers: int) -> Any:
    with ProcessPoolExecutor(workers) as pool:
        yield from pool.map(function, paths, chunksize=32)


def _source(path: Path, root: Path) -> str:
    """The first folder below the task's, where there is one more above the image's own."""
    parts = path.relative_to(root).parts
    return parts[0] if len(parts) > 2 else root.name


def _group(path: Path, pattern: str) -> str | None:
    found = re.search(pattern, path.name) if pattern else None
    return found.group(0) if found else None
