"""Traffic of a small world that never ends: fresh pictures, as a small real network sees them."""

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from random import Random

import numpy as np
from benchmarks.worlds import taken
from PIL import Image

from roadworthy.bundle.predictor import Predictor
from roadworthy.data import images
from roadworthy.data.generated.canvas import Canvas
from roadworthy.data.generated.tasks import paint_car
from roadworthy.data.generated.weather import (
    MARGIN,
    SUPERSAMPLE,
    Shot,
    choose_light,
    photograph,
)
from roadworthy.data.statistics import measure
from roadworthy.models.outputs import to_probabilities
from roadworthy.monitoring.evidence import Live
from roadworthy.monitoring.reference import STATISTICS, Reference

LABELS = ("not_car", "car")


@dataclass(frozen=True)
class Seen:
    """What a network made of N pictures, and what they look like."""

    statistics: np.ndarray
    probabilities: np.ndarray
    embeddings: np.ndarray

    def __len__(self) -> int:
        return len(self.probabilities)

    def live(self, places: np.ndarray) -> Live:
        columns = dict(zip(STATISTICS, self.statistics[places].T, strict=True))
        return Live(columns, self.probabilities[places], self.embeddings[places])

    def reference(self, places: np.ndarray) -> Reference:
        columns = self.statistics[places].T.astype(np.float32)
        answers = self.probabilities[places].astype(np.float32)
        embeddings = self.embeddings[places].astype(np.float16)
        return Reference({}, dict(zip(STATISTICS, columns, strict=True)), answers, embeddings)


def drawn(number: int, seed: int = 0) -> Image.Image:
    """A picture of its own for each number and seed: every other one shows a car."""
    rng = Random(f"drifting/{seed}/{number}")
    size = rng.choice(((64, 48), (60, 40), (52, 52)))
    light = choose_light(rng)
    canvas = Canvas(*((side + 2 * MARGIN) * SUPERSAMPLE for side in size))
    paint_car(LABELS[number % 2])(rng, canvas, light)
    return photograph(rng, canvas.image, Shot(size, rng.randint(*light.mean), grain=(2, 7)))


def jpeg(image: Image.Image) -> bytes:
    out = BytesIO()
    image.save(out, "JPEG", quality=90)
    return out.getvalue()


def seen(bundle: Path, pictures: list[Image.Image], world: str = "", strength: float = 1.0) -> Seen:
    """The pictures through a bundle's network, in `world` or as they are."""
    predictor = Predictor(bundle)
    files = [
        taken(picture, world, strength, number) if world else jpeg(picture)
        for number, picture in enumerate(pictures)
    ]
    figures = [measure(images.decode(file)) for file in files]
    found = predictor.outputs(np.stack([predictor.prepare(file) for file in files]))
    assert found.embedding is not None
    return Seen(
        np.array([[each[name] for name in STATISTICS] for each in figures]),
        to_probabilities(found.logits, predictor.spec.temperature),
        found.embedding,
    )
