"""Class weights, and how often a balanced sampler draws an image."""

import numpy as np
import torch
from torch import Tensor

from roadworthy.errors import ParamsError


def class_weights(
    counts: Tensor, rule: str | dict[str, float], labels: tuple[str, ...] = ()
) -> Tensor:
    """Weights of mean 1 over images, float (C,).

    Args:
        counts: training images per class, (C,).
        rule: `none`, `balanced` (1 / count), `sqrt` (1 / root of count), or weights by label, where
            a label that is not named counts 1.

    Raises:
        ParamsError: the rule names a label that there is none of.
    """
    if isinstance(rule, dict):
        if unknown := sorted(set(rule) - set(labels)):
            raise ParamsError(
                f"train.class_weights names {', '.join(unknown)}; labels are {', '.join(labels)}"
            )
        raw = torch.tensor([float(rule.get(label, 1.0)) for label in labels])
    else:
        power = {"none": 0.0, "balanced": -1.0, "sqrt": -0.5}[rule]
        raw = counts.float().clamp(min=1).pow(power)
    return raw * counts.sum() / (raw * counts).sum()


def balanced_chances(targets: np.ndarray) -> np.ndarray:
    """Chance of each image to be drawn, float (N,), sum 1: all classes equally likely."""
    counts = np.bincount(targets)
    chances = 1 / counts[targets]
    result: np.ndarray = chances / chances.sum()
    return result
