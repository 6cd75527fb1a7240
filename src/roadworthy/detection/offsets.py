"""Offsets from a window to the box of what is in it.

They are those of R-CNN (Girshick et al. 2014, appendix C): the centre's shift in units of the
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


def _centres(boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
