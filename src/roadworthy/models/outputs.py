"""From logits to probabilities; numpy only, because the serving image has no torch."""

import numpy as np


def to_probabilities(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Probabilities (N, C) from logits: (N, 1) by the logistic function to two columns, else softmax."""
    scaled = np.asarray(logits, np.float64) / temperature
    if scaled.shape[1] == 1:
        # Two-class softmax of (0, z) is the logistic function, and does not overflow below.
        scaled = np.concatenate([np.zeros_like(scaled), scaled], axis=1)
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    result: np.ndarray = powers / powers.sum(axis=1, keepdims=True)
    return result
