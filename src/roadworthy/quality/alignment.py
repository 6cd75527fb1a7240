"""Whether two pictures are the same one, when one may be cut a little at each side.

Each picture is seen through windows that leave out up to a twentieth at each side, and the best
correlation of a view of one with the whole of the other, both ways, is their likeness: -1 to 1. It
does not see changes of brightness and contrast.
"""

from functools import cache
from itertools import product

import numpy as np
from scipy.ndimage import gaussian_filter1d

CHUNK = 2048
# How much the windows leave out at a side when details are compared.
CUTS = (0.0, 0.025, 0.05)


def coarse(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """Likeness of thumbnails, pair by pair, in colour at 16 x 16.

    Args:
        one, two: float32 (N, 32, 32, 3).

    Returns:
        float32 (N,).
    """
    cuts = (0.0, 0.05)
    best: np.ndarray = np.maximum(
        _likeness(one, two, cuts, 16, 0), _likeness(two, one, cuts, 16, 0)
    )
    return best


def fine(one: np.ndarray, two: np.ndarray, size: int, enough: float) -> float:
    """Likeness of the details (what is left when a blurred copy is taken away) at `size`.

    Args:
        one, two: grey float32 (S, S).
        size: pixels a side at which they are compared.
        enough: stop looking through more windows at this likeness.
    """
    a, b = (image[None, ..., None] for image in (one, two))
    best = -1.0
    for seen, whole, cuts in ((a, b, (0.0,)), (a, b, CUTS), (b, a, CUTS)):
        best = max(best, float(_likeness(seen, whole, cuts, size, size * 0.075)[0]))
        if best >= enough:
            break
    return best


def middle(images: np.ndarray) -> np.ndarray:
    """The middle 95 % of each side, in the same size: float32 (N, S, S)."""
    window = _resize(images.shape[1], images.shape[1], 0.025, 0.975)
    middle: np.ndarray = window @ images @ window.T
    return middle


def views(thumbnails: np.ndarray, cuts: tuple[float, ...] = (0.0, 0.05)) -> np.ndarray:
    """Each thumbnail, uint8 (N, 32, 32, 3), through every window at 8 x 8, the whole first.

    Args:
        cuts: how much the windows leave out at a side.

    Returns:
        float16 (N, len(cuts) ** 4, 192), each view with mean 0 and standard deviation 1.
    """
    sharp, _ = _windows(32, 8, cuts, 0)
    found = np.empty((len(thumbnails), len(sharp) ** 2, 192), np.float16)
    for n in range(0, len(thumbnails), CHUNK):
        seen = _through(thumbnails[n : n + CHUNK].astype(np.float32), sharp)
        found[n : n + CHUNK] = _normal(seen.reshape(len(seen), -1, 192))
    return found


def agree(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """Correlation, pair by pair, of views (N, F): float32 (N,)."""
    found: np.ndarray = np.einsum("nf,nf->n", one.astype(np.float32), two.astype(np.float32))
    found /= one.shape[1]
    return found


def best_view(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """The best correlation of any view of one with the whole of the other: (N, V, F) to (N,)."""
    one, two = one.astype(np.float32), two.astype(np.float32)
    both = (np.einsum("nvf,nf->nv", a, b[:, 0]) for a, b in ((one, two), (two, one)))
    best: np.ndarray = np.maximum(*(part.max(axis=1) for part in both)) / one.shape[2]
    return best


def _likeness(
    seen: np.ndarray, whole: np.ndarray, cuts: tuple[float, ...], size: int, blur: float
) -> np.ndarray:
    """The best correlation of any view of `seen` with all of `whole`, both (N, S, S, C)."""
    count, side, _, channels = seen.shape
    views = _views(seen, _windows(side, size, cuts, blur))
    target = _views(whole, _windows(side, size, (0.0,), blur))
    shape = (count, -1, size * size * channels)
    views, target = _normal(views.reshape(shape)), _normal(target.reshape(shape))
    found: np.ndarray = np.einsum("nvf,nf->nv", views, target[:, 0]).max(axis=1) / shape[2]
    return found


def _views(images: np.ndarray, windows: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """All pairs of a window down and a window across: (N, V, V, size, size, C)."""
    sharp, soft = windows
    if not soft.any():
        return _through(images, sharp)
    details: np.ndarray = _through(images, sharp) - _through(images, soft)
    return details


def _through(images: np.ndarray, matrices: np.ndarray) -> np.ndarray:
    count, side, _, channels = images.shape
    windows, size, _ = matrices.shape
    flat = matrices.reshape(windows * size, side)
    planes = np.ascontiguousarray(np.moveaxis(images, -1, 1))
    seen = (flat @ planes @ flat.T).reshape(count, channels, windows, size, windows, size)
    paired: np.ndarray = seen.transpose(0, 2, 4, 3, 5, 1)
    return paired


@cache
def _windows(
    side: int, size: int, cuts: tuple[float, ...], blur: float
) -> tuple[np.ndarray, np.ndarray]:
    """Matrices (V, size, side) that resize what each window shows, and the same with blur."""
    sharp = np.stack([_resize(side, size, low, 1 - high) for low, high in product(cuts, cuts)])
    soft = gaussian_filter1d(sharp, blur, axis=1, mode="nearest") if blur else sharp * 0
    return sharp, soft


def _resize(side: int, size: int, low: float, high: float) -> np.ndarray:
    """Area resampling of the part from `low` to `high` (0 to 1) of a line of `side` pixels."""
    edges = np.linspace(low * side, high * side, size + 1)[:, None]
    start = np.maximum(edges[:-1], np.arange(side))
    stop = np.minimum(edges[1:], np.arange(side) + 1)
    share: np.ndarray = np.maximum(stop - start, 0) * size / ((high - low) * side)
    return share.astype(np.float32)


def _normal(values: np.ndarray) -> np.ndarray:
    """Mean 0 and standard deviation 1 along the last axis; all 0 where there is nothing to see."""
    centred = values - values.mean(axis=-1, keepdims=True)
    spread = np.sqrt(np.mean(centred**2, axis=-1, keepdims=True))
    normal: np.ndarray = np.where(spread > 1, centred / np.maximum(spread, 1), 0)
    return normal
