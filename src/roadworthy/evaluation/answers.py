"""What a model said on a split, beside the truth."""

from dataclasses import dataclass
from typing import Self

import numpy as np


@dataclass(frozen=True)
class Answers:
    """The answers of one model, row by row.

    Attributes:
        targets: class numbers, int64 (N,).
        predicted: class numbers after the threshold, int64 (N,).
        probabilities: calibrated, float64 (N, C).
        units: a number per row, int64 (N,); rows that share it hang together (near-duplicates,
            frames of one clip), so that together they are one piece of evidence.
    """

    targets: np.ndarray
    predicted: np.ndarray
    probabilities: np.ndarray
    units: np.ndarray

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def correct(self) -> np.ndarray:
        """Booleans (N,)."""
        return np.asarray(self.targets == self.predicted)

    def take(self, places: np.ndarray) -> Self:
        """The rows at `places`, in that order; a row may come more than once."""
        return type(self)(
            self.targets[places],
            self.predicted[places],
            self.probabilities[places],
            self.units[places],
        )
