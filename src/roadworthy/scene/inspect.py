"""What is in a picture: where the cars are, and what other champions say of each of them.

Only numpy and Pillow, for the service has no more than that.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from roadworthy.bundle.finder import Finder
from roadworthy.bundle.predictor import Prediction, Predictor
from roadworthy.detection.found import Found

MARGIN = 0.1
"""A crop is the box and this much of its width and height on each side: the pictures that police and
makes are learned from show a little of the street as well."""
CORNERS = ("left", "top", "right", "bottom")


@dataclass(frozen=True)
class Car:
    """One box, and what was said of what is in it."""

    box: tuple[float, float, float, float]
    """Left, top, right, bottom in pixels of the picture, inside it."""
    score: float
    """Calibrated probability that there is a car, 0 to 1."""
    answers: dict[str, Prediction]
    """By task, in the order they were asked."""

    def to_json(self) -> dict[str, Any]:
        """As scenes.json and the service say it."""
        return {
            "box": {name: round(at, 1) for name, at in zip(CORNERS, self.box, strict=True)},
            "score": round(self.score, 4),
            "answers": {
                task: {
                    "label": one.label,
                    "probability": round(one.probability, 4),
                    "sure": one.sure,
                }
                for task, one in self.answers.items()
            },
        }


@dataclass(frozen=True)
class Scene:
    """One picture, looked through."""

    width: int
    height: int
    """Of the picture, pixels."""
    cars: tuple[Car, ...]
    """The surest first."""
    found: Found
    """All boxes, those below the finder's threshold too, and the confidence map."""

    @property
    def heat(self) -> np.ndarray:
        """Confidence map over the whole picture, float32 (h, w), 0 to 1."""
        return self.found.heat


def inspect_picture(
    picture: Image.Image,
    finder: Finder,
    askers: Mapping[str, Predictor],
    threshold: float | None = None,
) -> Scene:
    """Find the cars, and ask each of `askers` about each of them.

    Args:
        picture: upright, of mode RGB or L, as `data.images.open_image` gives it.
        finder: searches.
        askers: by task, who is asked about the crops.
        threshold: score from which a box is a car; None is the finder's own.

    Raises:
        DataError: the picture cannot be used.
    """
    found = finder.find(picture)
    cars = found.above(finder.threshold if threshold is None else threshold)
    crops = [crop_box(picture.size, box) for box in cars.boxes]
    answers = {task: _ask(asker, picture, crops) for task, asker in askers.items()}
    told = []
    for number, (box, score) in enumerate(zip(cars.boxes, cars.scores, strict=True)):
        left, top, right, bottom = map(float, box)
        of_car = {task: of_task[number] for task, of_task in answers.items()}
        told.append(Car((left, top, right, bottom), float(score), of_car))
    return Scene(*picture.size, cars=tuple(told), found=found)


def crop_box(size: tuple[int, int], box: np.ndarray) -> tuple[int, int, int, int]:
    """What is cut out for a box: with its margin, whole pixels, inside the picture, never empty.

    Args:
        size: width and height of the picture, pixels.
        box: left, top, right, bottom in pixels.
    """
    left, top, right, bottom = map(float, box)
    across, down = MARGIN * (right - left), MARGIN * (bottom - top)
    first, last = _span(left - across, right + across, size[0])
    upper, lower = _span(top - down, bottom + down, size[1])
    return first, upper, last, lower


def _span(start: float, end: float, length: int) -> tuple[int, int]:
    first = min(max(round(start), 0), length - 1)
    return first, min(max(round(end), first + 1), length)


def _ask(
    asker: Predictor, picture: Image.Image, crops: Sequence[tuple[int, int, int, int]]
) -> list[Prediction]:
    """One crop is in memory at a time; all that stays of it has the size of the network's input."""
    if not crops:
        return []
    prepared = np.stack([asker.prepare(picture.crop(crop)) for crop in crops])
    return [asker.answer(row) for row in asker.probabilities(prepared)]
