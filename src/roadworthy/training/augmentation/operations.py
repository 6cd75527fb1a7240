"""The operations of TrivialAugment and RandAugment on batches of bytes, a magnitude for each image.

Each takes uint8 (N, C, H, W) and magnitudes (N, 1, 1, 1) on the same device, and rounds as
torchvision.transforms.v2.functional does for that operation.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as F

from roadworthy.training.augmentation.colour import luma

Operation = Callable[[Tensor, Tensor], Tensor]


def identity(images: Tensor, _: Tensor) -> Tensor:
    """As it is."""
    return images


def brightness(images: Tensor, magnitude: Tensor) -> Tensor:
    """Towards black, or away from it."""
    return _bytes(images.float().mul_(1 + magnitude))


def colour(images: Tensor, magnitude: Tensor) -> Tensor:
    """Towards grey, or away from it."""
    if images.shape[1] == 1:
        return images
    values = images.float()
    return _blend(values, luma(values).floor_(), magnitude)


def contrast(images: Tensor, magnitude: Tensor) -> Tensor:
    """Towards the mean brightness, or away from it."""
    values = images.float()
    # Of one channel the brightness is the image itself.
    grey = luma(values).floor().mean((1, 2, 3), keepdim=True)
    return _blend(values, grey, magnitude)


def sharpness(images: Tensor, magnitude: Tensor) -> Tensor:
    """Towards a smoothed copy, or away from it; the outermost pixels stay."""
    values = images.float()
    rows = (values[..., :-2, :] + values[..., 1:-1, :]).add_(values[..., 2:, :])
    inner = values[..., 1:-1, 1:-1]
    smooth = (rows[..., :-2] + rows[..., 1:-1]).add_(rows[..., 2:])
    smooth = smooth.add_(inner, alpha=4).div_(13).round_()
    inner.sub_(smooth.sub_(inner).mul_(magnitude))
    return _bytes(values)


def posterize(images: Tensor, bits: Tensor) -> Tensor:
    """Only the highest bits of each value."""
    low = 2 ** (8 - bits)
    return images & (256 - low).to(torch.uint8)


def solarize(images: Tensor, threshold: Tensor) -> Tensor:
    """Inverted where brighter than a share of white."""
    return torch.where(images >= threshold * 255, images.bitwise_not(), images)


def autocontrast(images: Tensor, _: Tensor) -> Tensor:
    """Each channel stretched to the whole range, unless it is flat."""
    ends = torch.aminmax(images.flatten(2), dim=2, keepdim=True)
    low, high = (values.float()[..., None] for values in ends)
    flat = high == low
    step = ((high - low) * (1 / 255)).masked_fill(flat, 1)
    return _bytes(images.float().sub_(low.masked_fill(flat, 0)).div_(step))


def equalize(images: Tensor, _: Tensor) -> Tensor:
    """Each channel's histogram made even."""
    equalized: Tensor = F.equalize(images)
    return equalized


def _blend(values: Tensor, other: Tensor, magnitude: Tensor) -> Tensor:
    return _bytes(values.mul_(1 + magnitude).sub_(other * magnitude))


def _bytes(values: Tensor) -> Tensor:
    return values.clamp_(0, 255).to(torch.uint8)
