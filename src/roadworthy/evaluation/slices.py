"""Accuracy on parts of the test split: by label, source, and thirds of what the manifest measured."""

import numpy as np
import pandas as pd
from scipy.stats import binomtest

MEASURED = ("brightness", "sharpness", "bytes", "aspect")
NAMED = ("label", "source", "format")
MIN_ROWS = 10


def table(rows: pd.DataFrame, correct: np.ndarray, confidence: float) -> pd.DataFrame:
    """One row per slice, the least accurate first.

    Args:
        rows: manifest columns of the test images.
        correct: whether each was answered right.

    Returns:
        Columns slice, images, accuracy, low, high (Wilson's interval).
    """
    found = []
    for name, key in _keys(rows).items():
        for value, places in key.groupby(key, observed=True).groups.items():
            hit = correct[key.index.get_indexer(places)]
            if len(hit) >= MIN_ROWS:
                ends = binomtest(int(hit.sum()), len(hit)).proportion_ci(confidence, "wilson")
                found.append((f"{name} {value}", len(hit), hit.mean(), ends.low, ends.high))
    frame = pd.DataFrame(found, columns=["slice", "images", "accuracy", "low", "high"])
    return frame.sort_values(["accuracy", "slice"], ignore_index=True).round(4)


def _keys(rows: pd.DataFrame) -> dict[str, pd.Series]:
    keys = {name: rows[name].astype(str) for name in NAMED if rows[name].nunique() > 1}
    for name in MEASURED:
        if rows[name].nunique() > 3:
            thirds = pd.qcut(rows[name].rank(method="first"), 3, labels=["low", "middle", "high"])
            keys[name] = thirds.astype(str)
    return keys
