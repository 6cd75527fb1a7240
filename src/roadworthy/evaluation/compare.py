"""Two models on the same images: is the difference more than luck?"""

from dataclasses import dataclass

import numpy as np

from roadworthy.errors import DataError


@dataclass(frozen=True)
class Comparison:
    """Challenger against champion, as accuracy on the same rows."""

    rows: int
    champion: float
    challenger: float
    difference: float
    """Challenger minus champion, -1 to 1."""
    low: float
    high: float
    """The interval of the difference."""
    wins: int
    """Rows that only the challenger got right."""
    losses: int
    """Rows that only the champion got right."""


def compare(
    champion_correct: np.ndarray,
    challenger_correct: np.ndarray,
    *,
    draws: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Comparison:
    """Compare two models row by row, with a paired bootstrap of the difference (Efron, 1979).

    Args:
        champion_correct: whether its answer was right, bool (N,).
        challenger_correct: the same for the challenger, in the same order of rows.
        draws: resamples of the rows.
        confidence: of the percentile interval, between 0 and 1.
        seed: the same seed gives the same interval.

    Raises:
        DataError: there are no rows, or the two do not belong to the same rows.
    """
    champion = np.asarray(champion_correct, bool)
    challenger = np.asarray(challenger_correct, bool)
    if champion.shape != challenger.shape or champion.ndim != 1 or not len(champion):
        raise DataError(
            f"two models are compared on the same rows, at least one: "
            f"got {champion.shape} and {challenger.shape}"
        )
    rows = len(champion)
    wins = int((challenger & ~champion).sum())
    losses = int((champion & ~challenger).sum())
    # To draw rows with replacement is to draw how many wins, losses and equal rows there are.
    chances = np.array([wins, losses, rows - wins - losses]) / rows
    drawn = np.random.default_rng(seed).multinomial(rows, chances, size=draws)
    tail = (1 - confidence) / 2
    low, high = np.quantile((drawn[:, 0] - drawn[:, 1]) / rows, [tail, 1 - tail])
    return Comparison(
        rows=rows,
        champion=float(champion.mean()),
        challenger=float(challenger.mean()),
        difference=(wins - losses) / rows,
        low=float(low),
        high=float(high),
        wins=wins,
        losses=losses,
    )
