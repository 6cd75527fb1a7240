"""Temperature, fitted on validation: one number by which logits are divided."""

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar
from scipy.stats import binned_statistic

from roadworthy.evaluation.answers import Answers
from roadworthy.models.outputs import to_probabilities

# Sharper or flatter than this is no calibration but a broken model.
BOUNDS = (0.05, 20.0)
# Standard deviation of log temperature that is expected before any validation image is seen.
SPREAD = 0.3
# As many as the figure `ece` has, so that the picture shows what the figure measures.
BINS = 15


def fit_temperature(logits: np.ndarray, targets: np.ndarray) -> float:
    """The temperature of the least log loss (Guo et al. 2017, "On Calibration of Modern Networks").

    A temperature far from 1 must be earned: log temperature has a normal prior around 0, of `SPREAD`.
    It outweighs what a handful of images say, which without it ask for certainty where a split has no
    errors, and is outweighed by some hundred. On halves of four validation splits it had the least
    log loss of fits without a prior, with smoothed truth (Platt 1999), of the Brier score, and none.

    Args:
        logits: (N, 1) or (N, C).
        targets: class numbers (N,).
    """
    places = np.arange(len(targets))

    def loss(log_temperature: float) -> float:
        probabilities = to_probabilities(logits, float(np.exp(log_temperature)))
        on_truth = np.maximum(probabilities[places, targets], 1e-12)
        return float(-np.log(on_truth).sum() + (log_temperature / SPREAD) ** 2 / 2)

    best = minimize_scalar(loss, bounds=tuple(np.log(BOUNDS)), method="bounded")
    return float(f"{np.exp(best.x):.4g}")


def reliability(answers: Answers, uncalibrated: np.ndarray, bins: int = BINS) -> pd.DataFrame:
    """Confidence against accuracy, before and after temperature scaling.

    Of the likelier class, whatever the threshold, as in the figure `ece`.

    Args:
        answers: at least one row.
        uncalibrated: probabilities before scaling, (N, C).
        bins: of equal width from 0 to 1; those without images are left out.

    Returns:
        Columns state (`before`, `after`), confidence and accuracy (means of the bin), images.
    """
    states = {"before": uncalibrated, "after": answers.probabilities}
    tables = [
        _bins(probabilities, answers.targets, bins).assign(state=state)
        for state, probabilities in states.items()
    ]
    table = pd.concat(tables, ignore_index=True)
    return table[["state", "confidence", "accuracy", "images"]]


def _bins(probabilities: np.ndarray, targets: np.ndarray, bins: int) -> pd.DataFrame:
    confidence = probabilities.max(axis=1)
    right = (probabilities.argmax(axis=1) == targets).astype(np.float64)
    cut = {"x": confidence, "bins": bins, "range": (0.0, 1.0)}
    images = binned_statistic(values=None, statistic="count", **cut).statistic.astype(np.int64)
    filled = images > 0
    means = binned_statistic(values=[confidence, right], statistic="mean", **cut).statistic
    return pd.DataFrame(
        {"confidence": means[0][filled], "accuracy": means[1][filled], "images": images[filled]}
    )
