"""Figures of merit, with bootstrap intervals where they come from the confusion matrix."""

from dataclasses import dataclass

import numpy as np
import torch
from sklearn.metrics import average_precision_score, log_loss, matthews_corrcoef, roc_auc_score
from torchmetrics.functional.classification import multiclass_calibration_error


@dataclass(frozen=True)
class Estimate:
    """A figure with its interval; the ends are the figure itself where no interval was made."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Answers:
    """What a model said on a split.

    Attributes:
        targets: class numbers (N,).
        predicted: class numbers after the threshold (N,).
        probabilities: calibrated, (N, C).
    """

    targets: np.ndarray
    predicted: np.ndarray
    probabilities: np.ndarray

    @property
    def correct(self) -> np.ndarray:
        """Booleans (N,)."""
        return np.asarray(self.targets == self.predicted)


def measure(answers: Answers, samples: int, confidence: float, seed: int) -> dict[str, Estimate]:
    """All figures of a split.

    Args:
        samples: bootstrap resamples of the images.
        confidence: coverage of the percentile intervals, such as 0.95.
    """
    classes = answers.probabilities.shape[1]
    observed = _confusions(answers, np.arange(len(answers.targets))[None], classes)
    draws = np.random.default_rng(seed).integers(
        0, len(answers.targets), (samples, len(answers.targets))
    )
    resampled = _confusions(answers, draws, classes)
    tail = (1 - confidence) / 2
    found = {}
    for name, figure in FIGURES.items():
        low, high = np.nanquantile(figure(resampled), [tail, 1 - tail])
        found[name] = Estimate(float(figure(observed)[0]), float(low), float(high))
    return found | {k: Estimate(v, v, v) for k, v in _from_probabilities(answers).items()}


def _confusions(answers: Answers, draws: np.ndarray, classes: int) -> np.ndarray:
    """Confusion matrices (samples, true, predicted) of resampled images."""
    cell = answers.targets * classes + answers.predicted
    counts = [np.bincount(cell[draw], minlength=classes**2) for draw in draws]
    return np.stack(counts).reshape(-1, classes, classes)


def _accuracy(matrix: np.ndarray) -> np.ndarray:
    return np.asarray(np.trace(matrix, axis1=1, axis2=2) / matrix.sum(axis=(1, 2)))


def _recall(matrix: np.ndarray) -> np.ndarray:
    """Mean recall of the classes that occur."""
    total = matrix.sum(axis=2)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.nanmean(np.diagonal(matrix, axis1=1, axis2=2) / total, axis=1))


def _macro_f1(matrix: np.ndarray) -> np.ndarray:
    hits = np.diagonal(matrix, axis1=1, axis2=2)
    both = matrix.sum(axis=1) + matrix.sum(axis=2)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.nanmean(2 * hits / both, axis=1))


# A figure of the confusion matrix: one entry here gives it everywhere, with its interval.
FIGURES = {"accuracy": _accuracy, "balanced_accuracy": _recall, "macro_f1": _macro_f1}


def _from_probabilities(answers: Answers) -> dict[str, float]:
    targets, probabilities = answers.targets, answers.probabilities
    classes = probabilities.shape[1]
    found = {
        "log_loss": float(log_loss(targets, probabilities, labels=np.arange(classes))),
        "ece": float(
            multiclass_calibration_error(
                torch.from_numpy(probabilities), torch.from_numpy(targets), classes, n_bins=15
            )
        ),
        "mcc": float(matthews_corrcoef(targets, answers.predicted)),
    }
    if classes == 2:
        found["roc_auc"] = float(roc_auc_score(targets, probabilities[:, 1]))
        found["pr_auc"] = float(average_precision_score(targets, probabilities[:, 1]))
    else:
        top = np.argsort(-probabilities, axis=1)[:, :5]
        found["top5"] = float((top == targets[:, None]).any(axis=1).mean())
    return found
