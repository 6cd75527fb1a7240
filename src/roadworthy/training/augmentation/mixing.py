"""Two images in one, and their targets by the same shares: mixup and cutmix, a share for each image.

mixup: https://arxiv.org/abs/1710.09412, cutmix: https://arxiv.org/abs/1905.04899
"""

import torch
from torch import Tensor
from torch.distributions import Beta

from roadworthy.params import Augment
from roadworthy.training.augmentation.draws import chosen, sent
from roadworthy.training.augmentation.erasing import rectangles
from roadworthy.training.augmentation.normalise import Size


class Mixer:
    """Blends each image with another of its batch (mixup), or takes a rectangle from it (cutmix)."""

    def __init__(self, settings: Augment) -> None:
        self.mixup, self.cutmix = settings.mixup, settings.cutmix

    @property
    def on(self) -> bool:
        """Whether it changes anything."""
        return bool(self.mixup or self.cutmix)

    def __call__(self, images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Mixed images and targets.

        Args:
            images: float (N, C, H, W).
            targets: float (N, classes), a share for each class; a binary task's are (N, 2).
        """
        if not self.on:
            return images, targets
        count, device = len(images), images.device
        size = (images.shape[2], images.shape[3])
        partner = sent(torch.randperm(count), device)
        cutting = self._cutting(count)
        edges = _rectangles(_shares(count, self.cutmix), size) * cutting
        area = (edges[1] - edges[0]) * (edges[3] - edges[2]) / (size[0] * size[1])
        share = torch.where(cutting, 1 - area, _shares(count, self.mixup))
        # A pixel is kept by the share of a blend, and inside a rectangle not at all.
        blend = sent(torch.where(cutting, 1.0, share), device).view(-1, 1, 1, 1)
        keep = blend.masked_fill(rectangles(edges, size, device), 0) if self.cutmix else blend
        kept = sent(share, device)[:, None]
        return torch.lerp(images[partner], images, keep), torch.lerp(
            targets[partner], targets, kept
        )

    def _cutting(self, count: int) -> Tensor:
        """Which images get cutmix, bool (N,)."""
        return chosen(count, 0.5 if self.mixup and self.cutmix else float(self.cutmix > 0))


def _shares(count: int, alpha: float) -> Tensor:
    """How much of each image stays, float (N,)."""
    return Beta(alpha, alpha).sample((count,)) if alpha else torch.ones(count)


def _rectangles(share: Tensor, size: Size) -> Tensor:
    """Top, bottom, left, right, int64 (4, N): 1 - share of the area, around any pixel, cut at the edges."""
    edges = []
    for side in size:
        middle = torch.randint(side, share.shape)
        half = (0.5 * (1 - share).sqrt() * side).long()
        edges += [(middle - half).clamp(min=0), (middle + half).clamp(max=side)]
    return torch.stack(edges)
