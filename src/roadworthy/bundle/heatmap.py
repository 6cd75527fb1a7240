"""Heat as a picture to lay over the image that it explains; only numpy and Pillow."""

from io import BytesIO

import numpy as np
from PIL import Image

from roadworthy.data.transforms import cache_size
from roadworthy.params import Input

# Longer side of a heat map, in pixels; whoever shows it larger loses nothing, it is coarse.
SIDE = 1024
# Where it is hottest; nothing is seen below the coldest share.
OPACITY = 0.75
COLD = 0.15
# Every twelfth of matplotlib's `inferno`, which colour-blind people read as well.
INFERNO = (
    (0, 0, 4),
    (17, 10, 48),
    (50, 10, 94),
    (87, 16, 110),
    (120, 28, 109),
    (154, 40, 101),
    (188, 55, 84),
    (216, 76, 62),
    (237, 105, 37),
    (249, 142, 9),
    (251, 182, 26),
    (244, 223, 83),
    (252, 255, 164),
)


def heat_map(values: np.ndarray, spec: Input, size: tuple[int, int]) -> bytes:
    """A PNG, RGBA, to be stretched over the image: transparent where it is cold or was not looked at.

    Args:
        values: heat of the network's input, (H, W), 0 to 1.
        spec: how the image became that input.
        size: width and height of the upright image; the PNG is as large, or smaller with its longer
            side 1024.
    """
    buffer = BytesIO()
    coloured(placed(values, spec, shown_size(size))).save(buffer, "PNG")
    return buffer.getvalue()


def shown_size(size: tuple[int, int]) -> tuple[int, int]:
    """Width and height of the heat map of an image."""
    scale = min(SIDE / max(size), 1.0)
    return max(round(size[0] * scale), 1), max(round(size[1] * scale), 1)


def placed(values: np.ndarray, spec: Input, size: tuple[int, int]) -> np.ndarray:
    """Heat (height, width) of a whole image, from that (H, W) of what the network saw of it.

    Args:
        size: width and height wanted.
    """
    height, width = values.shape
    left, top, right, bottom = covered(spec, size)
    across, down = width / (right - left), height / (bottom - top)
    whole = Image.fromarray(np.asarray(values, np.float32)).transform(
        size,
        Image.Transform.AFFINE,
        (across, 0.0, -left * across, 0.0, down, -top * down),
        Image.Resampling.BILINEAR,
    )
    return np.asarray(whole)


def covered(spec: Input, size: tuple[int, int]) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of what the network sees, in pixels of an image of width and height `size`.

    The reverse of `transforms.fit` and `transforms.centre`. Padding lies outside of the image.
    """
    width, height = size
    rows, columns = cache_size(spec)
    # Width and height of the image that are as large as the cache.
    across, down = float(width), float(height)
    if spec.fit == "crop":
        scale = min(width / columns, height / rows)
        across, down = scale * columns, scale * rows
    elif spec.fit == "pad":
        scale = max(width / columns, height / rows)
        across, down = scale * columns, scale * rows
    # What is cut off is halved to whole pixels of the cache.
    left = ((columns - spec.width) // 2 / columns - 0.5) * across + width / 2
    top = ((rows - spec.height) // 2 / rows - 0.5) * down + height / 2
    return left, top, left + spec.width / columns * across, top + spec.height / rows * down


def coloured(values: np.ndarray) -> Image.Image:
    """RGBA of heat (H, W), 0 to 1, the more opaque the hotter."""
    steps = np.linspace(0, 1, len(INFERNO))
    bands = [np.interp(values, steps, [colour[band] for colour in INFERNO]) for band in range(3)]
    opaque = 255 * OPACITY * np.clip((values - COLD) / (1 - COLD), 0, 1) ** 0.7
    return Image.fromarray(np.stack([*bands, opaque], axis=-1).round().astype(np.uint8))
