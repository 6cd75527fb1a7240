"""A random rectangle of some images is blanked (https://arxiv.org/abs/1708.04896)."""

import math

import torch
from torch import Tensor

from roadworthy.training.augmentation.draws import chosen, first, sent, uniform
from roadworthy.training.augmentation.normalise import Size

AREA = (0.02, 0.33)
RATIO = (0.3, 3.3)
TRIES = 10


def erased(images: Tensor, chance: float) -> Tensor:
    """Float images (N, C, H, W) with black rectangles, drawn as torchvision's RandomErasing does."""
    if not chance:
        return images
    size = (images.shape[2], images.shape[3])
    return images.masked_fill(rectangles(draw(len(images), size, chance), size, images.device), 0)


def draw(count: int, size: Size, chance: float) -> Tensor:
    """Top, bottom, left, right of each rectangle, int64 (4, N) on the CPU; none is an empty one."""
    area = uniform((count, TRIES), *AREA) * (size[0] * size[1])
    ratio = uniform((count, TRIES), math.log(RATIO[0]), math.log(RATIO[1])).exp()
    height, width = (area * ratio).sqrt().round(), (area / ratio).sqrt().round()
    fits = (height < size[0]) & (width < size[1])
    some = fits.any(1) & chosen(count, chance)
    high, wide = (first(fits, sides) * some for sides in (height, width))
    top = (torch.rand(count) * (size[0] - high + 1)).floor()
    left = (torch.rand(count) * (size[1] - wide + 1)).floor()
    return torch.stack([top, top + high, left, left + wide]).long()


def rectangles(edges: Tensor, size: Size, device: torch.device) -> Tensor:
    """Bool (N, 1, H, W), true inside top, bottom, left, right (4, N)."""
    top, bottom, left, right = sent(edges, device)[:, :, None]
    rows, columns = (torch.arange(side, device=device) for side in size)
    inside_rows = (rows >= top) & (rows < bottom)
    inside_columns = (columns >= left) & (columns < right)
    inside: Tensor = inside_rows[:, None, :, None] & inside_columns[:, None, None, :]
    return inside
