"""Near-duplicates: proposed by perceptual hash, confirmed on pixels, joined into clusters."""

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from roadworthy.data.images import open_image

# Mean absolute difference (0 to 255) of two 32 x 32 colour thumbnails up to which they are the same
# picture; a re-encoded or resized copy stays below 4, two drawings of one scene do not.
SAME = 6.0


def clusters(rows: pd.DataFrame, bits: int) -> pd.Series:
    """A cluster number per row of readable images; missing where an image stands alone.

    Args:
        rows: columns path and phash (16 hex digits).
        bits: Hamming distance up to which a pair is looked at.
    """
    pairs = [pair for pair in _candidates(rows["phash"], bits) if _same(rows, *pair)]
    left, right = ([p[0] for p in pairs], [p[1] for p in pairs])
    links = coo_array((np.ones(len(pairs)), (left, right)), shape=(len(rows), len(rows)))
    number = pd.Series(connected_components(links, directed=False)[1], index=rows.index)
    alone = ~number.duplicated(keep=False)
    return number.astype("Int64").mask(alone)


def _candidates(hashes: pd.Series, bits: int) -> list[tuple[int, int]]:
    codes = np.array([int(text, 16) for text in hashes], np.uint64)
    found = []
    for place in range(len(codes) - 1):
        distance = np.bitwise_count(codes[place + 1 :] ^ codes[place])
        found += [(place, place + 1 + int(n)) for n in np.flatnonzero(distance <= bits)]
    return found


def _same(rows: pd.DataFrame, first: int, second: int) -> bool:
    one, two = (_thumbnail(Path(rows["path"].iloc[place])) for place in (first, second))
    return bool(np.abs(one - two).mean() <= SAME)


def _thumbnail(path: Path) -> np.ndarray:
    small = open_image(path).convert("RGB").resize((32, 32), Image.Resampling.BOX)
    return np.asarray(small, np.float32)
