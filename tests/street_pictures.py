"""Pictures of the task `car`, drawn: on a clear day, and in a fog that no model of before has seen."""

import io
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image, ImageFilter

from roadworthy.data.generated import dataset
from roadworthy.data.generated.plan import plan_task

TASK = "car"
THICKNESS = (0.55, 0.75)
"""Share of the fog's grey in a picture."""
GREY, BLUR, GRAIN = 0.8, 1.2, 0.012


def draw(root: Path, seed: int, scale: float) -> list[Path]:
    """Draw pictures as the embedded set has them, below `root/car/SOURCE/LABEL`."""
    orders = plan_task(TASK, seed, scale).orders
    paths = [root / order.path for order in orders]
    for folder in {path.parent for path in paths}:
        folder.mkdir(parents=True)
    dataset._draw_chunk(root, seed, orders)
    return sorted(paths)


def befog(paths: list[Path], target: Path, seed: int) -> list[Path]:
    """The same places in fog, as `target/LABEL/NUMBER.jpg`."""
    rng = np.random.default_rng(seed)
    made = []
    for number, path in enumerate(paths):
        place = target / path.parent.name / f"{number:05d}.jpg"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(_in_fog(Image.open(path), rng))
        made.append(place)
    return made


def shuffled(paths: list[Path], seed: int) -> list[Path]:
    """In the order in which they come to the barrier."""
    return Random(seed).sample(paths, len(paths))


def _in_fog(image: Image.Image, rng: np.random.Generator) -> bytes:
    far = image.convert("RGB").filter(ImageFilter.GaussianBlur(BLUR))
    share = rng.uniform(*THICKNESS)
    pixels = np.asarray(far) / 255 * (1 - share) + share * GREY
    pixels += rng.normal(0, GRAIN, pixels.shape)
    buffer = io.BytesIO()
    seen = (pixels.clip(0, 1) * 255).astype(np.uint8)
    Image.fromarray(seen).save(buffer, "JPEG", quality=88)
    return buffer.getvalue()
