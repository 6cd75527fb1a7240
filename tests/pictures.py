"""Small smooth pictures in cache size, settings for one change alone, and the test of distributions."""

from typing import Any

import torch
from scipy.stats import ks_2samp

from roadworthy.data import transforms
from roadworthy.params import Augment, Input

STILL: dict[str, Any] = {"rotate": 0, "scale": (1, 1), "translate": 0}
PLAIN: dict[str, Any] = {"brightness": 0, "contrast": 0, "saturation": 0}
OFF = Augment(flip=0, **STILL, **PLAIN)
SPEC = Input(height=32, width=48, margin=1.25)
GREY_SPEC = Input(height=40, width=100, channels=1, mean=(0.5,), std=(0.25,))


def only(**update: Any) -> Augment:
    """Nothing but these changes."""
    return OFF.model_copy(update=update)


def pictures(count: int, seed: int = 0, spec: Input = SPEC) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, spec.channels, 5, 6, generator=generator)
    size = transforms.cache_size(spec)
    smooth = torch.nn.functional.interpolate(coarse, size, mode="bilinear")
    return (smooth * 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def same_distribution(ours: torch.Tensor, theirs: torch.Tensor) -> None:
    """Of each column (N, statistics); the seeds are fixed, so that this passes always or never."""
    for column in range(ours.shape[1]):
        assert ks_2samp(ours[:, column].numpy(), theirs[:, column].numpy()).pvalue > 0.01, column
