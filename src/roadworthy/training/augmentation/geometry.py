"""Affine changes: a matrix per image, and all images of a batch resampled at once.

A matrix (2, 3) says where in the image each pixel of the result is looked up. Both are measured in
pixels from the middle, which is how torchvision's `affine` counts too.
"""

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from roadworthy.params import Augment
from roadworthy.training.augmentation.crops import Boxes
from roadworthy.training.augmentation.draws import sent, uniform
from roadworthy.training.augmentation.normalise import Size


def draw(boxes: Boxes, cached: Size, seen: Size, settings: Augment) -> Tensor:
    """Matrices (N, 2, 3): rotation, zoom and shift of the cached image as torchvision's RandomAffine
    draws them, then the crop and the mirror, all in one."""
    count = len(boxes)
    angle = torch.deg2rad(uniform(count, -settings.rotate, settings.rotate))
    # The matrix says where to look, so that a larger picture is a smaller step.
    step = 1 / uniform(count, *settings.scale)
    reach = settings.translate
    shift_x = (uniform(count, -reach, reach) * cached[1]).round()
    shift_y = (uniform(count, -reach, reach) * cached[0]).round()
    cos, sin = angle.cos() * step, angle.sin() * step
    # Where the crop lies in the cached image.
    x = boxes.left + boxes.width / 2 - cached[1] / 2 - shift_x
    y = boxes.top + boxes.height / 2 - cached[0] / 2 - shift_y
    across = torch.where(boxes.mirrored, -1.0, 1.0) * boxes.width / seen[1]
    down = boxes.height / seen[0]
    return _matrices(
        (cos * across, sin * down, cos * x + sin * y),
        (-sin * across, cos * down, cos * y - sin * x),
    )


def rotations(radians: Tensor) -> Tensor:
    """Matrices (N, 2, 3) that turn about the middle, against the clock."""
    cos, sin, zero = radians.cos(), radians.sin(), torch.zeros_like(radians)
    return _matrices((cos, -sin, zero), (sin, cos, zero))


def shears_x(slopes: Tensor, size: Size) -> Tensor:
    """Matrices that push rows sideways, the top row staying."""
    one, zero = torch.ones_like(slopes), torch.zeros_like(slopes)
    return _matrices((one, slopes, slopes * size[0] / 2), (zero, one, zero))


def shears_y(slopes: Tensor, size: Size) -> Tensor:
    """Matrices that push columns down, the left column staying."""
    one, zero = torch.ones_like(slopes), torch.zeros_like(slopes)
    return _matrices((one, zero, zero), (slopes, one, slopes * size[1] / 2))


def shifts(right: Tensor, down: Tensor) -> Tensor:
    """Matrices that move by so many pixels."""
    one, zero = torch.ones_like(right), torch.zeros_like(right)
    return _matrices((one, zero, -right), (zero, one, -down))


def resampled(
    images: Tensor,
    matrices: Tensor,
    size: Size,
    mode: str = "bilinear",
    outside: str = "reflection",
) -> Tensor:
    """Float (N, C, h, w) from float images (N, C, H, W) and matrices (N, 2, 3) on the CPU.

    Args:
        mode: of `grid_sample`: `bilinear` or `nearest`.
        outside: what lies beyond the edges: `reflection` or `zeros`.
    """
    grid = _grid(sent(matrices, images.device), tuple(images.shape[2:]), size)
    return grid_sample(images, grid, mode=mode, padding_mode=outside, align_corners=False)


def _grid(matrices: Tensor, size_in: tuple[int, ...], size: Size) -> Tensor:
    """Places (N, h, w, 2) from -1 to 1. `affine_grid` multiplies matrices for it, which takes 10 times
    as long, and loses what TF32 and autocast drop; sums of a column and a row lose nothing."""
    device = matrices.device
    rows, columns = (
        torch.arange(side, dtype=torch.float32, device=device) - (side - 1) / 2 for side in size
    )
    grid = matrices.new_empty(len(matrices), *size, 2)
    for axis, side in ((0, size_in[1]), (1, size_in[0])):
        along_x, along_y, offset = (matrices[:, axis, n, None] * (2 / side) for n in range(3))
        by_row, by_column = along_y * rows + offset, along_x * columns
        torch.add(by_row[:, :, None], by_column[:, None, :], out=grid[..., axis])
    return grid


def _matrices(x: tuple[Tensor, Tensor, Tensor], y: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    return torch.stack([torch.stack(x, 1), torch.stack(y, 1)], 1)
