"""Accuracy under blur, noise, JPEG, darkness, rotation and occlusion."""

import hashlib
from collections.abc import Callable, Iterable
from itertools import product

import numpy as np
import pandas as pd

from roadworthy.evaluation.bootstrap import share
from roadworthy.evaluation.corruptions import CHANGES, STRENGTHS, corrupt

# From prepared uint8 pixels (N, H, W, C) of input size to calibrated probabilities (N, classes).
Ask = Callable[[np.ndarray], np.ndarray]
# From probabilities (N, classes) to class numbers (N,), by threshold or by the largest.
Predict = Callable[[np.ndarray], np.ndarray]
NONE = "none"
# Images that are changed at once: of 224 px they fill 40 MB.
BATCH = 256


def stress(
    ask: Ask,
    pixels: np.ndarray,
    targets: np.ndarray,
    predict: Predict,
    seed: int = 0,
    confidence: float = 0.95,
    progress: Callable[[int, int], None] = lambda done, total: None,
    units: np.ndarray | None = None,
) -> pd.DataFrame:
    """Accuracy on the images as they are, and under every change at every strength.

    Args:
        pixels: uint8 (N, H, W, C).
        targets: class numbers (N,).
        confidence: of the intervals, which are exact (Clopper and Pearson 1934).
        progress: called with how many images were asked, and of how many.
        units: a number per image, (N,); images that share it hang together and are one piece of
            evidence. None: each is its own.

    Returns:
        Columns change, strength, accuracy, low, high; the first row is `none` at strength 0. No
        rows where there are no images.
    """
    tried = [(NONE, 0), *product(CHANGES, STRENGTHS)] if len(pixels) else []
    total = len(tried) * len(pixels)
    evidence = len(pixels if units is None else np.unique(units))
    rows = []
    for number, (change, strength) in enumerate(tried):
        hits = 0
        for start in range(0, len(pixels), BATCH):
            images, truth = (part[start : start + BATCH] for part in (pixels, targets))
            seen = corrupt(images, change, strength, seed) if strength else images
            hits += int((predict(ask(seen)) == truth).sum())
            progress(number * len(pixels) + start + len(images), total)
        accuracy = hits / len(pixels)
        rows.append((change, strength, accuracy, *share(accuracy * evidence, evidence, confidence)))
    return pd.DataFrame(rows, columns=["change", "strength", "accuracy", "low", "high"])


def mean_accuracy(table: pd.DataFrame) -> float:
    """Mean over all changes and strengths of a `stress` table, without the unchanged images."""
    return float(table.loc[table["strength"] >= 1, "accuracy"].mean())


def sample(labels: Iterable[str], sha256: Iterable[str], count: int, seed: int = 0) -> np.ndarray:
    """Places of at most `count` images, with each label's share of them.

    Of a label those come first whose hash, salted with `seed`, is the smallest: nearly the same
    images are taken in every run, also when some were added.

    Args:
        labels: of each image.
        sha256: of each image's file.

    Returns:
        int64 (min(count, N),), ascending.
    """
    salted = [hashlib.sha256(f"{seed} {name}".encode()).hexdigest() for name in sha256]
    rows = pd.DataFrame({"label": list(labels), "hash": salted}).sort_values("hash")
    among = rows.groupby("label")
    # Where an image stands in its label, 0 to 1: taken up to one mark, labels keep their shares.
    rows["mark"] = (among.cumcount() + 0.5) / among["hash"].transform("size")
    return np.sort(rows.sort_values(["mark", "hash"]).index.to_numpy()[:count])
