"""The same traffic in another world: at night, in fog, through another camera.

Changes of whole pictures, before anything is decoded or shrunk for a network, as one would see them in
what arrives. At strength 1 a person names the change at once, at 0.5 when it is next to the original.
"""

from collections.abc import Callable, Mapping
from io import BytesIO

import numpy as np
from PIL import Image, ImageFilter

World = Callable[[Image.Image, float, np.random.Generator], Image.Image]
"""From an RGB image, the strength of the change and what draws its noise."""
QUALITY = 85


def night(image: Image.Image, strength: float, rng: np.random.Generator) -> Image.Image:
    """Little light, a blue cast, and the noise of a sensor that has to amplify it."""
    tint = 1 - strength * np.array([0.15, 0.08, -0.1], np.float32)
    dark = _floats(image) ** (1 + 0.3 * strength) * (1 - 0.55 * strength) * tint
    grain = rng.normal(0, 0.03 * strength, (*dark.shape[:2], 1))
    return _image(dark + grain + rng.normal(0, 0.015 * strength, dark.shape))


def fog(image: Image.Image, strength: float, rng: np.random.Generator) -> Image.Image:
    """A white veil, thicker towards the top, where things are far away; Koschmieder's law of 1924."""
    pixels = _floats(image)
    far = np.linspace(1, 0, len(pixels), dtype=np.float32)[:, None, None]
    veil = strength * (0.3 + 0.4 * far) * rng.uniform(0.8, 1.2)
    return _image(pixels * (1 - veil) + veil * np.array([0.82, 0.83, 0.84], np.float32))


def camera(image: Image.Image, strength: float, rng: np.random.Generator) -> Image.Image:
    """Another white balance, darker corners, fewer pixels, and sharpening."""
    pixels = _floats(image) * (1 + strength * np.array([0.08, 0, -0.1], np.float32))
    down, across = np.meshgrid(*(np.linspace(-1, 1, n) for n in pixels.shape[:2]), indexing="ij")
    cornered = _image(pixels * (1 - 0.125 * strength * (down**2 + across**2))[..., None])
    sides = [max(8, round(side * (1 - 0.25 * strength))) for side in image.size]
    smaller = cornered.resize((sides[0], sides[1]), Image.Resampling.BILINEAR)
    return smaller.filter(ImageFilter.UnsharpMask(1.5, round(120 * strength), 0))


WORLDS: Mapping[str, World] = {"night": night, "fog": fog, "another camera": camera}


def taken(image: Image.Image, world: str, strength: float = 1.0, seed: int = 0) -> bytes:
    """A JPEG of the picture in another world, grey if it is grey.

    Args:
        image: RGB or L.
        world: a key of `WORLDS`.
        strength: 0 to 1.
        seed: of its noise.
    """
    rng = np.random.default_rng(seed)
    changed = WORLDS[world](image.convert("RGB"), strength, rng)
    out = BytesIO()
    changed.convert(image.mode).save(out, "JPEG", quality=QUALITY)
    return out.getvalue()


def _floats(image: Image.Image) -> np.ndarray:
    return np.asarray(image, np.float32) / 255


def _image(pixels: np.ndarray) -> Image.Image:
    return Image.fromarray((np.clip(pixels, 0, 1) * 255 + 0.5).astype(np.uint8))
