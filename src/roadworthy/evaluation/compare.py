"""Two models on the same images: is the difference more than luck?"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import stats

from roadworthy.errors import DataError
from roadworthy.evaluation.answers import Answers
from roadworthy.evaluation.bootstrap import Bootstrap, Estimate
from roadworthy.evaluation.figures import FIGURES

# Of a bootstrap's resamples; the swap test is only asked where the bootstrap saw a difference.
SWAPS = 1000


@dataclass(frozen=True)
class Comparison:
    """Challenger against champion, on the same rows."""

    rows: int
    metric: str
    """A name in `FIGURES`."""
    champion: float
    challenger: float
    difference: float
    """By how much the challenger is better; below 0 it is worse, whichever way the metric runs."""
    low: float
    high: float
    """The interval of the difference."""
    wins: int
    """Rows that only the challenger got right."""
    losses: int
    """Rows that only the champion got right."""
    p: float
    """Chance of wins and losses that unequal between equal models: McNemar's exact test, two-sided."""


def compare(
    champion: Answers,
    challenger: Answers,
    metric: str = "accuracy",
    bootstrap: Bootstrap | None = None,
) -> Comparison:
    """Compare two models by a paired bootstrap of the units.

    A bootstrap of a few rows that differ sees certainty where there is luck. So an interval that
    leaves 0 out must also pass an exact test that needs no large numbers: how often would a
    difference that large come about if the two models' answers were swapped, unit by unit, at
    random (a permutation test, Good 2005)? If it would in more than 1 - confidence of the cases, the
    interval is made to reach 0.

    Raises:
        DataError: no rows, other rows or units, another number of classes, an unknown metric, or
            answers that do not have it.
    """
    bootstrap = bootstrap or Bootstrap()
    _check(champion, challenger, metric)
    figure = FIGURES[metric]
    sign = 1 if figure.higher else -1

    def difference(places: np.ndarray) -> list[float]:
        return [sign * (figure.of(challenger.take(places)) - figure.of(champion.take(places)))]

    found = bootstrap.resample(difference, champion.units).estimate(0, bootstrap.confidence)
    if found.low > 0 or found.high < 0:
        chance = _swapped(champion, challenger, figure.of, bootstrap.seed)
        if chance > 1 - bootstrap.confidence:
            found = Estimate(found.value, min(found.low, 0.0), max(found.high, 0.0))
    wins = int((challenger.correct & ~champion.correct).sum())
    losses = int((champion.correct & ~challenger.correct).sum())
    return Comparison(
        rows=len(champion),
        metric=metric,
        champion=figure.of(champion),
        challenger=figure.of(challenger),
        difference=found.value,
        low=found.low,
        high=found.high,
        wins=wins,
        losses=losses,
        p=float(stats.binomtest(wins, wins + losses).pvalue) if wins + losses else 1.0,
    )


def _swapped(
    champion: Answers, challenger: Answers, of: Callable[[Answers], float], seed: int
) -> float:
    """Two-sided chance of so large a difference when units are swapped between the models."""
    _, unit = np.unique(champion.units, return_inverse=True)
    units = unit.max() + 1
    if units < 2:
        # Swapped or not, one unit differs by as much.
        return 1.0

    def difference(left: np.ndarray, right: np.ndarray) -> float:
        # 1 where the challenger speaks for the unit.
        return of(_mixed(champion, challenger, right[unit] == 1)) - of(
            _mixed(champion, challenger, left[unit] == 1)
        )

    found = stats.permutation_test(
        (np.zeros(units, np.int64), np.ones(units, np.int64)),
        difference,
        permutation_type="samples",
        n_resamples=SWAPS,
        vectorized=False,
        rng=np.random.default_rng(seed),
    )
    return float(found.pvalue)


def _mixed(champion: Answers, challenger: Answers, second: np.ndarray) -> Answers:
    """The challenger's answers where `second`, the champion's elsewhere."""
    return Answers(
        champion.targets,
        np.where(second, challenger.predicted, champion.predicted),
        np.where(second[:, None], challenger.probabilities, champion.probabilities),
        champion.units,
    )


def _check(champion: Answers, challenger: Answers, metric: str) -> None:
    shapes = champion.probabilities.shape, challenger.probabilities.shape
    if shapes[0] != shapes[1] or not len(champion):
        raise DataError(
            f"two models are compared on the same rows, at least one, and the same classes: "
            f"got probabilities {shapes[0]} and {shapes[1]}"
        )
    for name in ("targets", "units"):
        if not np.array_equal(getattr(champion, name), getattr(challenger, name)):
            raise DataError(
                f"two models are compared on the same rows: their {name} differ; "
                f"run both on one list of images, in one order"
            )
    known = [name for name, figure in FIGURES.items() if not figure.before]
    if metric not in known:
        raise DataError(
            f"two models cannot be compared by {metric!r}; known are {', '.join(known)}"
        )
    figure = FIGURES[metric]
    for name, answers in {"champion": champion, "challenger": challenger}.items():
        if not figure.fits(shapes[0][1]) or not np.isfinite(figure.of(answers)):
            raise DataError(
                f"the {name}'s answers on {len(champion)} rows of {shapes[0][1]} classes have no "
                f"{metric} ({figure.meaning}): compare by another figure"
            )
