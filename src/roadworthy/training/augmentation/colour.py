"""Brightness, contrast and saturation, drawn as torchvision's ColorJitter draws them."""

import torch
from torch import Tensor

from roadworthy.params import Augment
from roadworthy.training.augmentation.draws import sent, uniform

GREY = (0.2989, 0.587, 0.114)


def coloured(images: Tensor, settings: Augment) -> Tensor:
    """Float images (N, C, H, W) in 0 to 1, each with its own factors in its own order; in place.

    Each of the three changes blends an image with black, with its mean, or with its grey copy. So
    every step is one blend, with weights that say for each image which of the three it is.
    """
    strengths = (settings.brightness, settings.contrast, settings.saturation)
    if not any(strengths):
        return images
    for keep, mean, grey in sent(_steps(len(images), images.shape[1], strengths), images.device):
        grey_image = luma(images)
        target = grey_image * grey + grey_image.mean((1, 2, 3), keepdim=True) * mean
        images.mul_(keep).add_(target).clamp_(0, 1)
    return images


def luma(images: Tensor) -> Tensor:
    """Brightness (N, 1, H, W) of images of one or three channels."""
    if images.shape[1] == 1:
        return images
    red, green, blue = (images[:, n : n + 1] for n in range(3))
    return torch.add(red * GREY[0], green, alpha=GREY[1]).add_(blue, alpha=GREY[2])


def _steps(count: int, channels: int, strengths: tuple[float, ...]) -> Tensor:
    """Weights of the image, its mean and its grey copy, (steps, 3, N, 1, 1, 1)."""
    factors = torch.stack([uniform(count, max(0.0, 1 - s), 1 + s) for s in strengths], 1)
    if channels == 1:
        factors[:, 2] = 1
    order = torch.rand(count, len(strengths)).argsort(1)
    factor = factors.gather(1, order)
    weights = torch.stack([factor, (1 - factor) * (order == 1), (1 - factor) * (order == 2)])
    return weights.permute(2, 0, 1)[..., None, None, None].contiguous()
