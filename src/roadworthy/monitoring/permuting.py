"""Tests of two samples by permutation: how often does a chance division differ as much?"""

import numpy as np

SLACK = 1e-5
"""Sums of float32 in another order differ by less; such permutations count as ties."""


def divisions(first: int, second: int, times: int, seed: int) -> np.ndarray:
    """Which of `first + second` images are in the second sample: as it is, then `times` by chance.

    Returns:
        float32 (first + second, 1 + times) of 0 and 1; each column has `second` ones.
    """
    total = first + second
    drawn = np.random.default_rng(seed).random((times, total), dtype=np.float32)
    chosen = np.argpartition(drawn, second - 1, axis=1)[:, :second]
    made = np.zeros((1 + times, total), np.float32)
    made[0, first:] = 1
    np.put_along_axis(made[1:], chosen, 1, axis=1)
    return made.T


def p_value(found: np.ndarray) -> float:
    """p of the first of some statistics (1 + times,), the others being those of permutations.

    Never 0 and, where the samples come from one distribution, never too small: Phipson and Smyth
    (2010), "Permutation p-values should never be zero".
    """
    least = found[0] - SLACK * abs(found[0])
    return float((found >= least).mean())
