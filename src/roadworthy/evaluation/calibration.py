"""Temperature, fitted on validation: one number by which logits are divided."""

import numpy as np
from scipy.optimize import minimize_scalar

from roadworthy.models.outputs import to_probabilities

# Sharper or flatter than this is no calibration but a broken model.
BOUNDS = (0.05, 20.0)


def fit_temperature(logits: np.ndarray, targets: np.ndarray) -> float:
    """The temperature of the least log loss (Guo et al. 2017, "On Calibration of Modern Networks").

    The truth is taken as slightly less than certain, as Platt (1999) does: without that, a split
    without errors would ask for certainty, and the first error on new images would cost without end.

    Args:
        logits: (N, 1) or (N, C).
        targets: class numbers (N,).
    """
    classes = max(logits.shape[1], 2)
    doubt = 1 / (len(targets) + 2)
    wanted = np.full((len(targets), classes), doubt / (classes - 1))
    wanted[np.arange(len(targets)), targets] = 1 - doubt

    def loss(log_temperature: float) -> float:
        probabilities = to_probabilities(logits, float(np.exp(log_temperature)))
        return float(-(wanted * np.log(np.maximum(probabilities, 1e-12))).sum())

    best = minimize_scalar(loss, bounds=tuple(np.log(BOUNDS)), method="bounded")
    return float(f"{np.exp(best.x):.4g}")
