"""Near-duplicates: proposed by perceptual hash, compared by thumbnail, confirmed on the files' pixels.

The hash of a picture is compared with that of another one, of its middle, and of its mirror image,
all with all: 20,000 pictures take about a second, and nothing within the distance is missed.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image
from scipy.cluster.hierarchy import DisjointSet
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from threadpoolctl import threadpool_limits

from roadworthy.data import hashing
from roadworthy.data.images import decode
from roadworthy.params import Validation
from roadworthy.quality import alignment

# Correlations from which a pair goes on: of 8 x 8 thumbnails as they are (a mirrored copy is seldom
# cut as well), through windows, and of 16 x 16 through windows; and the mean of the last one and of the
# files' details from which it is one picture. Copies that are resized, compressed again or cut by a
# twentieth at the sides come to 0.94 and more; different cars of one make in one studio, and drawings
# of one scene, to 0.92 at most.
GLANCE, MIRRORED, GAZE, LOOK, SAME = 0.76, 0.95, 0.95, 0.92, 0.93
# Of pictures with a side under 30 pixels, few details are left to tell them apart.
SAME_SMALL = 0.955
# Rows of the all-with-all comparison for one thread, and at once; pairs of thumbnails, and of files,
# at once.
BLOCK, ROWS, PAIRS, FILES = 2048, 32, 256, 64
COLUMNS = ("first", "second", "bits", "likeness", "mirrored")
Progress = Callable[[int, int], None]


def find(
    rows: pd.DataFrame,
    thumbnails: np.ndarray,
    settings: Validation,
    progress: Progress = lambda done, total: None,
) -> pd.DataFrame:
    """Pairs of rows that show one picture.

    Args:
        rows: columns path, width and height.
        thumbnails: uint8 (rows, 32, 32, 3).

    Returns:
        first and second (row numbers, first < second), bits (distance of their hashes), likeness
        (0 to 1) and mirrored. Of pictures that are joined already by likelier pairs, not every pair
        is confirmed: the pairs join all that belong together.
    """
    if len(rows) < 2:
        return pd.DataFrame({name: pd.Series(dtype="int64") for name in COLUMNS})
    # The threads are ours: more of them inside each small product only get in each other's way.
    with threadpool_limits(1):
        found = _compared(proposals(thumbnails, settings), thumbnails)
        return _confirmed(found, rows, progress)


def clusters(rows: pd.DataFrame, pairs: pd.DataFrame) -> pd.Series:
    """A cluster number per row; missing where an image stands alone."""
    size = len(rows)
    links = (np.ones(len(pairs)), (pairs["first"], pairs["second"]))
    joined = connected_components(coo_array(links, shape=(size, size)), directed=False)[1]
    number = pd.Series(joined, index=rows.index)
    return number.astype("Int64").mask(~number.duplicated(keep=False))


def proposals(thumbnails: np.ndarray, settings: Validation) -> pd.DataFrame:
    """All pairs of thumbnails within the Hamming distance: first, second, bits, mirrored."""
    grey = hashing.to_grey(thumbnails)
    whole, middle = hashing.phash(grey), hashing.phash(alignment.middle(grey))
    asked = [(whole, whole, False), (whole, middle, False), (middle, whole, False)]
    if settings.mirrored:
        asked.append((whole, hashing.phash(grey[:, :, ::-1]), True))
    jobs = [(*pair, start) for pair in asked for start in range(0, len(whole), BLOCK)]
    with ThreadPoolExecutor() as pool:  # numpy lets other threads run
        parts = list(pool.map(lambda job: _within(job, settings.near_duplicate_bits), jobs))
    first, second, bits, mirrored = np.concatenate(parts).T
    # One row for a pair that was found in several ways, with the least distance.
    order = np.lexsort((bits, mirrored, second, first))
    pair = np.stack([first, second, mirrored])[:, order]
    once = np.append(True, (pair[:, 1:] != pair[:, :-1]).any(axis=0))[: len(order)]
    first, second, mirrored = pair[:, once]
    least = bits[order][once]
    columns = {"first": first, "second": second, "bits": least, "mirrored": mirrored.astype(bool)}
    return pd.DataFrame(columns)


def _within(job: tuple[np.ndarray, np.ndarray, bool, int], bits: int) -> np.ndarray:
    """Pairs of a block of one array with all later rows of another: first, second, bits, mirrored."""
    one, two, mirrored, start = job
    # A few rows at a time in buffers that stay in the processor's cache: four times as fast.
    difference, distance = np.empty(ROWS * len(two), np.uint64), np.empty(ROWS * len(two), np.uint8)
    found = []
    for row in range(start, min(start + BLOCK, len(one)), ROWS):
        few, later = one[row : row + ROWS, None], two[None, row + 1 :]
        shape = (len(few), later.shape[1])
        space = slice(0, shape[0] * shape[1])
        np.bitwise_xor(few, later, out=difference[space].reshape(shape))
        np.bitwise_count(difference[space], out=distance[space])
        place = np.flatnonzero(distance[space] <= bits)
        first, second = np.divmod(place, max(shape[1], 1))
        columns = (first + row, second + row + 1, distance[place], np.full(len(place), mirrored))
        found.append(np.column_stack(columns).astype(np.int32)[second >= first])
    return np.concatenate(found)


def _compared(found: pd.DataFrame, thumbnails: np.ndarray) -> pd.DataFrame:
    """Those whose thumbnails are alike, by three looks; with `likeness`, that of the last one."""
    views = alignment.views(thumbnails)
    turned = alignment.views(thumbnails[:, :, ::-1], cuts=(0.0,))[:, 0]

    def glance(part: pd.DataFrame) -> np.ndarray:
        one, two, mirrored = _places(part)
        other = views[two, 0]
        other[mirrored] = turned[two[mirrored]]
        enough: np.ndarray = np.where(mirrored, MIRRORED, GLANCE)
        return alignment.agree(views[one, 0], other) >= enough

    def gaze(part: pd.DataFrame) -> np.ndarray:
        one, two, mirrored = _places(part)
        alike: np.ndarray = mirrored | (alignment.best_view(views[one], views[two]) >= GAZE)
        return alike

    def look(part: pd.DataFrame) -> np.ndarray:
        one, two, mirrored = _places(part)
        other = thumbnails[two]
        other[mirrored] = other[mirrored][:, :, ::-1]
        return alignment.coarse(thumbnails[one].astype(np.float32), other.astype(np.float32))

    found = found[_in_parts(glance, found, 16 * PAIRS)]
    found = found[_in_parts(gaze, found, 2 * PAIRS)]
    found = found.assign(likeness=_in_parts(look, found, PAIRS))
    return found[found["likeness"] >= LOOK].reset_index(drop=True)


def _places(part: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return part["first"].to_numpy(), part["second"].to_numpy(), part["mirrored"].to_numpy()


def _in_parts(
    ask: Callable[[pd.DataFrame], np.ndarray], found: pd.DataFrame, size: int
) -> np.ndarray:
    """The answers for all pairs, a part at a time so that memory stays small, on all cores."""
    if not len(found):
        return np.zeros(0, bool)
    parts = [found.iloc[n : n + size] for n in range(0, len(found), size)]
    with ThreadPoolExecutor() as pool:
        return np.concatenate(list(pool.map(ask, parts)))


def _confirmed(found: pd.DataFrame, rows: pd.DataFrame, progress: Progress) -> pd.DataFrame:
    """Those whose files show the same details; likelier ones are looked at first."""
    paths = [Path(path) for path in rows["path"]]
    side = rows[["width", "height"]].min(axis=1).to_numpy()

    def confirm(pair: dict[Any, Any]) -> float | None:
        one, two = _grey(paths[pair["first"]]), _grey(paths[pair["second"]])
        size = _size(min(side[pair["first"]], side[pair["second"]]))
        wanted = SAME if size >= 24 else SAME_SMALL
        # The mean of both looks must reach `wanted`.
        enough = 2 * wanted - pair["likeness"]
        fine = alignment.fine(one, two[:, ::-1] if pair["mirrored"] else two, size, enough)
        return (pair["likeness"] + fine) / 2 if fine >= enough else None

    joined = DisjointSet(range(len(rows)))
    kept = []
    ordered = found.sort_values(["likeness", "first", "second"], ascending=[False, True, True])
    pairs = ordered.to_dict("records")
    with ThreadPoolExecutor() as pool:
        for start in range(0, len(pairs), FILES):
            part = [
                p
                for p in pairs[start : start + FILES]
                if not joined.connected(p["first"], p["second"])
            ]
            for pair, likeness in zip(part, pool.map(confirm, part), strict=True):
                if likeness is not None and joined.merge(pair["first"], pair["second"]):
                    kept.append(pair | {"likeness": round(likeness, 4)})
            progress(min(start + FILES, len(pairs)), len(pairs))
    confirmed = pd.DataFrame(kept, columns=list(COLUMNS))
    return confirmed.sort_values(["first", "second"], ignore_index=True)


def _size(side: float) -> int:
    """At how many pixels a side two pictures are compared: no more than the smaller one has."""
    return int(np.clip(side * 0.8, 16, 40)) // 8 * 8


@lru_cache(maxsize=4096)
def _grey(path: Path) -> np.ndarray:
    image = decode(path, at_least=128).image.convert("L")
    return np.asarray(image.resize((128, 128), Image.Resampling.BOX), np.float32)
