"""The picture at several sizes, so that one window meets things of every size."""

import math
from collections.abc import Iterator

import numpy as np
from PIL import Image

from roadworthy.params import Input, Search

# Share of a window that a picture must fill in both ways.
THIN = 0.5
# Pixels of one level at most, with its padding.
LEVEL = 8_000_000
Size = tuple[int, int]


def scales(size: Size, spec: Input, settings: Search) -> list[float]:
    """By how much a picture of `size` (width, height) is enlarged, the largest level first.

    Sought sizes go from `smallest` to `largest` in ratios of `step`, as shares of the side of a square
    as large as the picture: a panorama is then no narrower than a portrait.
    """
    side = math.sqrt(size[0] * size[1])
    count = math.floor(math.log(settings.largest / settings.smallest, settings.step) + 1e-9) + 1
    widths = (settings.smallest * settings.step**level * side for level in range(count))
    found = dict.fromkeys(min(spec.width / width, settings.enlarge) for width in widths)
    # Where a level is much thinner than the window, most of each window is padding.
    useful = [scale for scale in found if _fills(size, scale, spec)] or list(found)[:1]
    return list(dict.fromkeys(min(scale, _most(size, spec)) for scale in useful))


def _fills(size: Size, scale: float, spec: Input) -> bool:
    return size[0] * scale >= THIN * spec.width and size[1] * scale >= THIN * spec.height


def _most(size: Size, spec: Input) -> float:
    """The scale from which a level, padded, has more than `LEVEL` pixels."""
    return min(
        math.sqrt(LEVEL / (size[0] * size[1])),
        LEVEL / (size[0] * spec.height),
        LEVEL / (size[1] * spec.width),
    )


def level(plain: Image.Image, scale: float, spec: Input, stride: Size) -> np.ndarray:
    """Pixels (H, W, C) uint8 of the picture at `scale`, padded so that windows reach every edge.

    Args:
        plain: in mode L or RGB.
        stride: down and across.
    """
    width, height = (max(1, round(side * scale)) for side in plain.size)
    scaled = plain.resize((width, height), Image.Resampling.BILINEAR)
    pixels = np.asarray(scaled, np.uint8).reshape(height, width, spec.channels)
    down = _missing(height, spec.height, stride[0])
    across = _missing(width, spec.width, stride[1])
    # Repeating the rim makes no edge that could look like something.
    return np.pad(pixels, ((0, down), (0, across), (0, 0)), mode="edge")


def corners(pixels: np.ndarray, spec: Input, stride: Size) -> np.ndarray:
    """Left and top of every window of a level, row by row, int64 (N, 2)."""
    down, across = counts(pixels, spec, stride)
    left, top = np.meshgrid(np.arange(across) * stride[1], np.arange(down) * stride[0])
    return np.stack([left, top], axis=2).reshape(-1, 2)


def windows(corners: np.ndarray, spec: Input) -> np.ndarray:
    """Boxes (N, 4) of windows with these left and upper edges (N, 2)."""
    size = np.array([spec.width, spec.height])
    return np.concatenate([corners, corners + size], axis=1)


def counts(pixels: np.ndarray, spec: Input, stride: Size) -> Size:
    """Windows down and across."""
    return (
        (pixels.shape[0] - spec.height) // stride[0] + 1,
        (pixels.shape[1] - spec.width) // stride[1] + 1,
    )


def tiles(
    pixels: np.ndarray, spec: Input, stride: Size, most: int
) -> Iterator[tuple[Size, np.ndarray]]:
    """Parts of a level of at most about `most` pixels that together have every window once.

    Yields:
        Number of the part's first window (down, across), and its pixels.
    """
    side = math.isqrt(most)
    rows, columns = (
        max(1, (side - window) // step + 1)
        for window, step in zip((spec.height, spec.width), stride, strict=True)
    )
    down, across = counts(pixels, spec, stride)
    for first in range(0, down, rows):
        for start in range(0, across, columns):
            bottom = (min(first + rows, down) - 1) * stride[0] + spec.height
            right = (min(start + columns, across) - 1) * stride[1] + spec.width
            yield (first, start), pixels[first * stride[0] : bottom, start * stride[1] : right]


def _missing(side: int, window: int, stride: int) -> int:
    """Pixels that lack to a whole number of strides after the first window."""
    return max(window - side, 0) or -(side - window) % stride
