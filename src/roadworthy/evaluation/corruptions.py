"""What cameras, networks and weather do to images, each at three strengths.

After Hendrycks and Dietterich 2019, "Benchmarking Neural Network Robustness to Common Corruptions".
At strength 1 a person hardly notices, at 3 a person still knows the answer.
"""

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as F

STRENGTHS = (1, 2, 3)
# What stands before a car is of no colour that tells anything.
GREY = 127
# In pixels; less leaves 8-bit images as they are.
LEAST_SIGMA = 0.4


@dataclass(frozen=True)
class Change:
    """One kind of change."""

    words: str
    """What is done, for people; `{}` is where the level stands."""
    levels: tuple[float, float, float]
    """At strengths 1, 2 and 3."""
    apply: Callable[[Tensor, float], Tensor]
    """From uint8 (C, H, W) and a level to the same shape; draws from torch's own generator."""


def corrupt(pixels: np.ndarray, change: str, strength: int, seed: int = 0) -> np.ndarray:
    """The images, changed.

    What is drawn for an image depends on its pixels and on `seed` alone: it is the same in whatever
    batch the image comes.

    Args:
        pixels: uint8 (N, H, W, C) with 1 or 3 channels.
        change: a key of `CHANGES`.
        strength: 1, 2 or 3.

    Returns:
        uint8 (N, H, W, C).
    """
    kind = CHANGES[change]
    level = kind.levels[strength - 1]
    changed = np.empty_like(pixels)
    with torch.random.fork_rng(devices=[]):
        for place, image in enumerate(pixels):
            plain = np.ascontiguousarray(image)
            torch.manual_seed(_seed(plain, change, seed))
            made = kind.apply(torch.from_numpy(plain).permute(2, 0, 1).contiguous(), level)
            changed[place] = made.permute(1, 2, 0).numpy()
    return changed


def _seed(image: np.ndarray, change: str, seed: int) -> int:
    text = hashlib.blake2b(image.tobytes() + f"{change} {seed}".encode(), digest_size=8)
    return int.from_bytes(text.digest(), "big") >> 1


def _blur(image: Tensor, share: float) -> Tensor:
    height, width = image.shape[-2:]
    sigma = max(share * min(height, width), LEAST_SIGMA)
    # Three deviations to each side; torchvision mirrors at the edge and needs as many pixels there.
    reach = min(math.ceil(3 * sigma), min(height, width) - 1)
    made: Tensor = F.gaussian_blur(image, [2 * reach + 1] * 2, [sigma] * 2)
    return made


def _noise(image: Tensor, sigma: float) -> Tensor:
    made: Tensor = F.gaussian_noise(image, sigma=sigma)
    return made


def _jpeg(image: Tensor, quality: float) -> Tensor:
    made: Tensor = F.jpeg(image, quality=int(quality))
    return made


def _darkness(image: Tensor, factor: float) -> Tensor:
    made: Tensor = F.adjust_brightness(image, factor)
    return made


def _rotation(image: Tensor, degrees: float) -> Tensor:
    """To either side; the edge is continued, for black corners would be a second change."""
    height, width = image.shape[-2:]
    turned = degrees if torch.rand(()) < 0.5 else -degrees
    wide = F.pad(image, [width // 2, height // 2] * 2, padding_mode="edge")
    wide = F.rotate(wide, turned, interpolation=F.InterpolationMode.BILINEAR)
    made: Tensor = F.center_crop(wide, [height, width])
    return made


def _occlusion(image: Tensor, share: float) -> Tensor:
    """A grey patch with the image's aspect covers `share` of its area, anywhere."""
    height, width = image.shape[-2:]
    tall, broad = (max(1, round(side * math.sqrt(share))) for side in (height, width))
    top = int(torch.randint(height - tall + 1, ()))
    left = int(torch.randint(width - broad + 1, ()))
    made: Tensor = F.erase(image, top, left, tall, broad, torch.tensor(GREY, dtype=torch.uint8))
    return made


# One entry here brings a change to the measurement, the report and the gate.
CHANGES: dict[str, Change] = {
    "blur": Change("blurred, with a deviation of {:.1%} of the side", (0.012, 0.02, 0.03), _blur),
    "noise": Change("noise with a deviation of {:.0%} of white", (0.02, 0.05, 0.09), _noise),
    "jpeg": Change("JPEG of quality {:.0f}", (75, 40, 20), _jpeg),
    "darkness": Change("with {:.0%} of the light", (0.7, 0.45, 0.25), _darkness),
    "rotation": Change("turned by {:.0f} degrees", (4, 9, 16), _rotation),
    "occlusion": Change("{:.0%} of the area hidden", (0.02, 0.08, 0.2), _occlusion),
}
