"""What a search found in one picture."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Found:
    """Boxes of one picture, the surest first, and the map they were read from."""

    boxes: np.ndarray
    """Left, top, right, bottom in pixels of the picture, inside it, float32 (N, 4)."""
    scores: np.ndarray
    """Calibrated probability of each, 0 to 1, float32 (N,), falling."""
    heat: np.ndarray
    """Confidence map, float32 (h, w), h <= height, w <= width, over the whole picture: the largest
    probability of all windows centred there, 0 to 1."""
    size: tuple[int, int]
    """Width and height of the picture in pixels."""

    def above(self, threshold: float) -> "Found":
        """Those that are at least so sure."""
        count = int((self.scores >= threshold).sum())
        return Found(self.boxes[:count], self.scores[:count], self.heat, self.size)

    def __len__(self) -> int:
        return len(self.scores)
