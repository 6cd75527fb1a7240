"""Live drift: how far the latest images and answers are from what the bundle was validated on.

The measure is the population stability index (PSI), the sum of (p - q) ln(p / q) over bins, where q
are the shares of the reference and p those of the latest images: below 0.1 is usually called
stable, above 0.25 drifted. Without any drift its expectation is not 0 but (1/n + 1/m)(bins - 1),
and (1/n + 1/m) times a chi-squared with bins - 1 degrees of freedom (Yurdakul and Naranjo,
"Statistical properties of the population stability index", 2020). What that chance explains in 99
of 100 cases is subtracted, so that few images, or a small reference, raise no false alarm.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from threading import Lock
from typing import Any

import numpy as np

from roadworthy.monitoring.reference import QUANTILES

CONFIDENCE = "confidence"
ANSWERS = "answers"
SIZE = 500
LEAST = 100
"""Nothing is said about fewer images."""
DECILES = slice(2, -2, 2)
"""Of the reference's 21 quantiles."""
STEP = 0.05
UP_TO = QUANTILES.round(2)


@dataclass(frozen=True)
class Bins:
    """Where a figure is expected. Bin i holds what is above `edges[i - 1]` and not above `edges[i]`."""

    edges: np.ndarray
    """Float64 (B - 1,), rising."""
    low: np.ndarray
    high: np.ndarray
    """Float64 (B - 1,): the share of the reference up to each edge is between these."""


def bins(quantiles: Sequence[float]) -> Bins:
    """Bins between the deciles of a reference, given its 21 quantiles.

    A value that fills whole quantiles (the shape of one camera's images) gets a bin of its own, of
    which the quantiles tell the share to within one step at both ends.
    """
    values = np.asarray(quantiles, np.float64)
    found = []
    for edge in np.unique(values[DECILES]):
        same = UP_TO[values == edge]
        if len(same) > 1:
            found.append((np.nextafter(edge, -np.inf), max(0.0, round(same[0] - STEP, 2)), same[0]))
            found.append((edge, same[-1], min(1.0, round(same[-1] + STEP, 2))))
        else:
            found.append((edge, same[0], same[0]))
    return Bins(*np.array(found).T)


def psi(counts: np.ndarray, shares: np.ndarray, images: int) -> float:
    """PSI beyond what chance explains, 0 or more.

    Args:
        counts: of the latest images by bin (B,), whole or not.
        shares: expected (B,), positive.
        images: of the reference.
    """
    n, size = float(counts.sum()), len(counts)
    found = (counts + 0.5) / (n + 0.5 * size)
    raw = float(((found - shares) * np.log(found / shares)).sum())
    free = size - 1
    # Mean and three standard deviations of a chi-squared: its 99 % quantile, from 2 degrees on.
    chance = (1 / n + 1 / images) * (free + 3 * sqrt(2 * free))
    return max(0.0, raw - chance)


class Window:
    """The latest images of one task, compared with its bundle's `reference.json`. Thread-safe.

    Args:
        reference: what `monitoring.reference.profile` gave; what it lacks is not compared.
        size: images that are looked at.
    """

    def __init__(self, reference: Mapping[str, Any], size: int = SIZE) -> None:
        self.images = int(reference.get("images") or 0)
        quantiles = reference.get("quantiles") or {} if self.images else {}
        self.bins = {
            name: bins(values)
            for name, values in quantiles.items()
            if len(values) == len(QUANTILES) and np.isfinite(values).all()
        }
        answers = np.asarray(reference.get("answers") or [], np.float64)
        self.answers = _positive(answers, self.images) if self.images and len(answers) else None
        self._rows = np.full((size, len(self.bins)), np.nan)
        self._answers = np.zeros((size, len(answers)))
        self._seen = 0
        self._lock = Lock()

    def add(
        self, statistics: Mapping[str, float], confidence: float, answers: np.ndarray | None = None
    ) -> None:
        """Take in one image.

        Args:
            statistics: its figures by name; others than those of the reference are left out.
            confidence: probability of the largest label.
            answers: calibrated probabilities (C,), in the order of the labels.
        """
        figures = {**statistics, CONFIDENCE: confidence}
        # The quantiles were rounded so too; else a whole class of values would lie beyond its bin.
        row = [round(figures.get(name, np.nan), 6) for name in self.bins]
        with self._lock:
            place = self._seen % len(self._rows)
            self._rows[place] = row
            if self.answers is not None and answers is not None:
                self._answers[place] = answers
            self._seen += 1

    def __len__(self) -> int:
        """Images in the window."""
        return min(self._seen, len(self._rows))

    def scores(self) -> dict[str, float | None]:
        """PSI by figure, with `confidence` and `answers`; None below 100 images that have it."""
        with self._lock:
            rows, answers = self._rows[: len(self)].copy(), self._answers[: len(self)].copy()
        found = {
            name: self._score(rows[:, column], self.bins[name])
            for column, name in enumerate(self.bins)
        }
        if self.answers is not None:
            given = answers[answers.any(axis=1)]
            counts = given.sum(axis=0)
            enough = len(given) >= LEAST
            found[ANSWERS] = psi(counts, self.answers, self.images) if enough else None
        return found

    def _score(self, values: np.ndarray, expected: Bins) -> float | None:
        values = values[np.isfinite(values)]
        if len(values) < LEAST:
            return None
        places = np.searchsorted(expected.edges, values)
        counts = np.bincount(places, minlength=len(expected.edges) + 1)
        found = counts.cumsum()[:-1] / len(values)
        # Where the reference leaves the share open, it is taken to be as found.
        up_to = np.clip(found, expected.low, expected.high)
        shares = np.diff(up_to, prepend=0.0, append=1.0)
        return psi(counts, _positive(shares, self.images), self.images)


def _positive(shares: np.ndarray, images: int) -> np.ndarray:
    """With half an image in every bin that had none, and a sum of 1."""
    shares = np.maximum(shares, 0.5 / images)
    positive: np.ndarray = shares / shares.sum()
    return positive
