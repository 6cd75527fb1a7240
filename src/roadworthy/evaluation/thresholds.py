"""The threshold of a binary task, by a stated rule, from validation."""

import numpy as np
from sklearn.metrics import precision_recall_curve


def choose(probabilities: np.ndarray, targets: np.ndarray, rule: str) -> float:
    """The probability of the positive class from which the answer is positive.

    Args:
        probabilities: of the positive class, (N,).
        targets: 0 or 1, (N,).
        rule: `half` is 0.5; `max_f1` the middle of the gap below the best F1.
    """
    if rule == "half":
        return 0.5
    precision, recall, cuts = precision_recall_curve(targets, probabilities)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    best = int(np.argmax(f1[:-1]))
    below = cuts[best - 1] if best else 0.0
    # Between two scores every threshold is as good; the middle is the least brittle.
    return float(f"{(cuts[best] + below) / 2:.4g}")
