"""Class weights."""

import torch
from torch import Tensor


def class_weights(counts: Tensor, rule: str) -> Tensor:
    """Weights of mean 1 over images: `none`, `balanced` (1 / count) or `sqrt` (1 / root of count).

    Args:
        counts: training images per class, (C,).
    """
    if rule == "none":
        return torch.ones(len(counts))
    raw = counts.float().clamp(min=1).pow(-1.0 if rule == "balanced" else -0.5)
    return raw * counts.sum() / (raw * counts).sum()
