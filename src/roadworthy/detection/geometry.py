"""Where things are: boxes (left, top, right, bottom), windows, and offsets from one to the other.

The offsets are those of R-CNN (Girshick et al. 2014, appendix C): the centre's shift in units of the
window, and the logarithm of the sizes' ratio.
"""

import numpy as np

# A box may be that many times larger or smaller than its window; more is no answer but noise.
MOST = np.log(4.0)


def encode(boxes: np.ndarray, windows: np.ndarray) -> np.ndarray:
    """Offsets float32 (N, 4) that lead from windows (N, 4) to boxes (N, 4)."""
    own, size = _centres(windows)
    wanted, wanted_size = _centres(boxes)
    return np.concatenate(
        [(wanted - own) / size, np.log(wanted_size / size)], axis=1, dtype=np.float32
    )


def decode(offsets: np.ndarray, windows: np.ndarray) -> np.ndarray:
    """Boxes float32 (N, 4) at offsets (N, 4) from windows (N, 4)."""
    centre, size = _centres(windows)
    centre = centre + offsets[:, :2] * size
    half = size * np.exp(np.clip(offsets[:, 2:], -MOST, MOST)) / 2
    return np.concatenate([centre - half, centre + half], axis=1, dtype=np.float32)


def clip(boxes: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Boxes cut off at the edges of a picture of `size` (width, height)."""
    return np.asarray(np.clip(boxes, 0, np.array([*size, *size], np.float32)))


def overlaps(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Intersection over union, float32 (N, M), of boxes (N, 4) and (M, 4); 0 where one has no area."""
    corner = np.maximum(one[:, None, :2], other[None, :, :2])
    shared = np.clip(np.minimum(one[:, None, 2:], other[None, :, 2:]) - corner, 0, None).prod(2)
    total = _areas(one)[:, None] + _areas(other)[None] - shared
    return np.asarray(np.divide(shared, total, out=np.zeros_like(shared), where=total > 0))


def absolute(relative: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Boxes in pixels of relative ones (centre x, centre y, width, height), (N, 4)."""
    centre, half = relative[:, :2], relative[:, 2:] / 2
    corners = np.concatenate([centre - half, centre + half], axis=1)
    return clip((corners * np.array([*size, *size])).astype(np.float32), size)


def _centres(boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]


def _areas(boxes: np.ndarray) -> np.ndarray:
    return np.asarray((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))
