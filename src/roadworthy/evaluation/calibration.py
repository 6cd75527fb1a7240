"""Temperature, fitted on validation: one number by which logits are divided."""

import numpy as np
from scipy.optimize import minimize_scalar
from sklearn.metrics import log_loss

from roadworthy.models.outputs import to_probabilities

# Sharper or flatter than this is no calibration but a broken model.
BOUNDS = (0.05, 20.0)


def fit_temperature(logits: np.ndarray, targets: np.ndarray) -> float:
    """The temperature of the least log loss (Guo et al. 2017, "On Calibration of Modern Networks").

    Args:
        logits: (N, 1) or (N, C).
        targets: class numbers (N,).
    """
    labels = np.arange(max(logits.shape[1], 2))

    def loss(log_temperature: float) -> float:
        probabilities = to_probabilities(logits, float(np.exp(log_temperature)))
        return float(log_loss(targets, probabilities, labels=labels))

    best = minimize_scalar(loss, bounds=tuple(np.log(BOUNDS)), method="bounded")
    return float(f"{np.exp(best.x):.4g}")
