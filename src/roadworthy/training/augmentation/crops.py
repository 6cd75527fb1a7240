"""Which part of each cached image is seen, and cutting it out of bytes, the fastest way there is."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from roadworthy.params import Augment
from roadworthy.training.augmentation.draws import chosen, first, full_precision, sent, uniform
from roadworthy.training.augmentation.normalise import Size

TRIES = 10


@dataclass(frozen=True)
class Boxes:
    """A part of each image, in pixels of the cached image; all int64 (N,)."""

    top: Tensor
    left: Tensor
    height: Tensor
    width: Tensor
    mirrored: Tensor
    """Bool (N,)."""

    def __len__(self) -> int:
        return len(self.top)

    def on(self, device: torch.device) -> "Boxes":
        """The same boxes there, in one copy."""
        sides = (self.top, self.left, self.height, self.width, self.mirrored.long())
        top, left, height, width, mirrored = sent(torch.stack(sides), device)
        return Boxes(top, left, height, width, mirrored.bool())


def draw(count: int, cached: Size, wanted: Size, settings: Augment) -> Boxes:
    """A box for each image.

    Args:
        cached: height and width of the cached images.
        wanted: height and width of the network's input, which `centre` and `random` cut out.
    """
    if settings.crop == "resized":
        height, width, centred = _any_size(count, cached, settings)
    else:
        height, width = (torch.full((count,), side) for side in wanted)
        centred = torch.full((count,), settings.crop == "centre")
    top = _placed(cached[0] - height, centred)
    left = _placed(cached[1] - width, centred)
    return Boxes(top, left, height, width, chosen(count, settings.flip))


def cut(pixels: Tensor, boxes: Boxes, size: Size) -> Tensor:
    """Uint8 (N, h, w, C): the boxes of uint8 (N, H, W, C), which all have `size` already."""
    if pixels.device.type == "cpu":
        return _sliced(pixels, boxes, size)
    return _gathered(pixels, boxes, size)


def _gathered(pixels: Tensor, boxes: Boxes, size: Size) -> Tensor:
    """All images at once, by the row and column that each pixel seen comes from."""
    boxes, device = boxes.on(pixels.device), pixels.device
    rows = torch.arange(size[0], device=device) + boxes.top[:, None]
    columns = _places(size[1], boxes.mirrored) + boxes.left[:, None]
    images = torch.arange(len(boxes), device=device)[:, None, None]
    return pixels[images, rows[:, :, None], columns[:, None, :]]


def cut_resized(pixels: Tensor, boxes: Boxes, size: Size) -> Tensor:
    """Uint8 (N, h, w, C): the boxes of uint8 (N, H, W, C), resampled to `size` with antialiasing."""
    if pixels.device.type == "cpu":
        return _interpolated(pixels, boxes, size)
    return _multiplied(pixels, boxes, size)


def _multiplied(pixels: Tensor, boxes: Boxes, size: Size) -> Tensor:
    """All images at once: rows, then columns, are weighted sums of the cached ones."""
    boxes = boxes.on(pixels.device)
    rows, columns = _places(size[0], boxes.mirrored & False), _places(size[1], boxes.mirrored)
    down = _weights(rows, boxes.top, boxes.height, pixels.shape[1])
    across = _weights(columns, boxes.left, boxes.width, pixels.shape[2])
    with full_precision(pixels.device):
        strips = torch.einsum("nyh,nhwc->nywc", down, pixels.float())
        images = torch.einsum("nxw,nywc->nyxc", across, strips)
    return images.round_().clamp_(0, 255).to(torch.uint8)


def _sliced(pixels: Tensor, boxes: Boxes, size: Size) -> Tensor:
    """Copying rows of bytes is cheaper per image than any kernel over the batch."""
    out = pixels.new_empty(len(boxes), *size, pixels.shape[3])
    corners = zip(boxes.top.tolist(), boxes.left.tolist(), boxes.mirrored.tolist(), strict=True)
    for n, (top, left, mirrored) in enumerate(corners):
        part = pixels[n, top : top + size[0], left : left + size[1]]
        out[n] = part.flip(1) if mirrored else part
    return out


def _interpolated(pixels: Tensor, boxes: Boxes, size: Size) -> Tensor:
    """Torch resamples bytes as they are, by the processor's vector instructions, an image at a time."""
    out = pixels.new_empty(len(boxes), *size, pixels.shape[3])
    sides = (boxes.top, boxes.left, boxes.height, boxes.width, boxes.mirrored)
    for n, (top, left, high, wide, mirrored) in enumerate(
        zip(*(side.tolist() for side in sides), strict=True)
    ):
        part = pixels[n : n + 1, top : top + high, left : left + wide].permute(0, 3, 1, 2)
        seen = F.interpolate(part, size, mode="bilinear", antialias=True)[0].permute(1, 2, 0)
        out[n] = seen.flip(1) if mirrored else seen
    return out


def _places(count: int, mirrored: Tensor) -> Tensor:
    """0, 1, 2 ... (N, count), from the other end where mirrored."""
    places = torch.arange(count, device=mirrored.device).expand(len(mirrored), -1)
    return torch.where(mirrored[:, None], count - 1 - places, places)


def _weights(places: Tensor, start: Tensor, side: Tensor, cached: int) -> Tensor:
    """How much each cached row (or column) gives to each one seen, (N, seen, cached): the triangle
    filter of `F.interpolate(antialias=True)`, here with a box per image."""
    step = (side / places.shape[1])[:, None]
    centre = start[:, None] + (places + 0.5) * step
    at = torch.arange(cached, device=places.device)
    distance = (at + 0.5 - centre[:, :, None]).abs() / step.clamp(min=1)[:, :, None]
    inside = (at >= start[:, None]) & (at < (start + side)[:, None])
    weights = (1 - distance).clamp(min=0) * inside[:, None]
    return weights / weights.sum(2, keepdim=True)


def _any_size(count: int, cached: Size, settings: Augment) -> tuple[Tensor, Tensor, Tensor]:
    """Heights and widths as torchvision's RandomResizedCrop draws them: the first of ten that fit;
    and where none did, so that the box is as much of the centre as has an allowed aspect."""
    area = uniform((count, TRIES), *settings.crop_scale) * (cached[0] * cached[1])
    low, high = settings.crop_ratio
    ratio = uniform((count, TRIES), math.log(low), math.log(high)).exp()
    width, height = (area * ratio).sqrt().round().long(), (area / ratio).sqrt().round().long()
    fits = (width > 0) & (width <= cached[1]) & (height > 0) & (height <= cached[0])
    widest = min(cached[1], round(cached[0] * high))
    highest = min(cached[0], round(cached[1] / low))
    some = fits.any(1)
    return (
        torch.where(some, first(fits, height), highest),
        torch.where(some, first(fits, width), widest),
        ~some,
    )


def _placed(room: Tensor, centred: Tensor) -> Tensor:
    """Whole numbers from 0 to `room`, both included, as likely as each other; or half the room."""
    anywhere = (torch.rand(room.shape) * (room + 1)).long().clamp(max=room)
    return torch.where(centred, room // 2, anywhere)
