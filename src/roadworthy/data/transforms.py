"""From a decoded image to what the network sees. There is no second place that does this.

An image is first made to fit the cache (`fit`: uint8, a little larger than the input), once, by
`prepare` or by the `Predictor`. Training then crops at random, everything else in the centre
(`centre`), and `normalise` makes floats. Only numpy and Pillow: the serving image has no torch.
"""

import numpy as np
from PIL import Image, ImageOps

from roadworthy.data.images import to_array
from roadworthy.params import Input


def cache_size(spec: Input) -> tuple[int, int]:
    """Height and width of the cached image."""
    return round(spec.height * spec.margin), round(spec.width * spec.margin)


def fit(image: Image.Image, spec: Input) -> np.ndarray:
    """Pixels of cache size, uint8 (H, W, channels), with another aspect treated as `spec.fit` says."""
    height, width = cache_size(spec)
    plain = image.convert("L" if spec.channels == 1 else "RGB")
    bilinear = Image.Resampling.BILINEAR
    if spec.fit == "crop":
        plain = ImageOps.fit(plain, (width, height), bilinear)
    elif spec.fit == "pad":
        plain = ImageOps.pad(plain, (width, height), bilinear, color=0)
    else:
        plain = plain.resize((width, height), bilinear)
    return to_array(plain, spec.channels)


def centre(pixels: np.ndarray, spec: Input) -> np.ndarray:
    """The central crop of input size from cached pixels of shape (..., H, W, C)."""
    top = (pixels.shape[-3] - spec.height) // 2
    left = (pixels.shape[-2] - spec.width) // 2
    return pixels[..., top : top + spec.height, left : left + spec.width, :]


def normalise(pixels: np.ndarray, spec: Input) -> np.ndarray:
    """Float32 (N, C, H, W), zero mean and unit spread, from uint8 (N, H, W, C)."""
    mean = np.asarray(spec.mean, np.float32) * 255
    std = np.asarray(spec.std, np.float32) * 255
    return np.ascontiguousarray(((pixels - mean) / std).transpose(0, 3, 1, 2), dtype=np.float32)
