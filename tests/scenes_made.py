"""Made-up scenes with what a search of some skill found in them, for what scores and shows them."""

from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from roadworthy.evaluation.bootstrap import Bootstrap
from roadworthy.evaluation.detections import Detections
from roadworthy.evaluation.scenes import Scenes, measure
from roadworthy.evaluation.sheets import sheets

WIDTH, HEIGHT = 320, 200


def detections(
    scenes: int = 40, *, hit: float = 0.85, alarms: float = 0.5, shift: float = 3.0, seed: int = 0
) -> Detections:
    """Every fourth scene is empty; the others have one to three cars, the same for any skill.

    Args:
        hit: share of the cars that are found.
        alarms: mean number of false alarms per scene.
        shift: standard deviation of an edge, in pixels.
    """
    found = []
    for place in range(scenes):
        truth = _cars(np.random.default_rng((seed, place)), place % 4)
        rng = np.random.default_rng((seed, place, 1))
        found.append((truth, *_search(rng, truth, hit, alarms, shift)))
    truths, boxes, scores = zip(*found, strict=True)
    return Detections(truths, boxes, scores)


def picture(truth: np.ndarray) -> Image.Image:
    """A street with the cars as blocks of colour."""
    image = Image.new("RGB", (WIDTH, HEIGHT), "#9db4c8")
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, HEIGHT // 2, WIDTH, HEIGHT), fill="#6b7280")
    for place, box in enumerate(truth):
        draw.rounded_rectangle([float(v) for v in box], 8, ["#1d4ed8", "#7f1d1d", "#f5f5f4"][place])
    return image


def heat(boxes: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """A warm spot in the middle of every box, float32 (h, w) at a quarter of the size."""
    rows, columns = np.mgrid[: HEIGHT // 4, : WIDTH // 4] * 4.0
    warm = np.zeros((HEIGHT // 4, WIDTH // 4))
    for (left, top, right, bottom), score in zip(boxes, scores, strict=True):
        away = ((columns - (left + right) / 2) / 20) ** 2 + ((rows - (top + bottom) / 2) / 10) ** 2
        warm = np.maximum(warm, score * np.exp(-away))
    return warm.astype(np.float32)


def _cars(rng: np.random.Generator, cars: int) -> np.ndarray:
    """Side by side, each small or medium."""
    left = 8.0 + 104 * rng.permutation(3)[:cars]
    top = rng.uniform(60, 120, cars)
    wide = rng.choice([28.0, 90.0], cars)
    return np.stack([left, top, left + wide, top + wide * 0.45], axis=1).astype(np.float32)


def _search(
    rng: np.random.Generator, truth: np.ndarray, hit: float, alarms: float, shift: float
) -> tuple[np.ndarray, np.ndarray]:
    seen = rng.random(len(truth)) < hit
    moved = rng.normal(0, shift, truth.shape) * (truth[:, 2:3] - truth[:, :1]) / 90
    found = (truth + moved)[seen]
    corner = rng.uniform((0, 0), (200, 20), (rng.poisson(alarms), 2))
    false = np.hstack([corner, corner + np.array([70, 30])])
    score = np.concatenate([rng.beta(5, 2, len(found)), rng.beta(2, 4, len(false))])
    order = np.argsort(-score)
    boxes = np.concatenate([found, false])[order]
    return boxes.astype(np.float32), score[order].astype(np.float32)


def scenes(count: int = 40, *, pictures: bool = False, **skill: Any) -> Scenes:
    """Measured, with sheets on demand; see `detections`."""
    given = detections(count, **skill)
    found = measure(given, 0.5, Bootstrap(100))
    if not pictures:
        return found

    def look(place: int) -> tuple[Image.Image, np.ndarray]:
        return picture(given.truths[place]), heat(given.boxes[place], given.scores[place])

    names = [f"scenes/images/{n:05}.jpg" for n in range(count)]
    return replace(found, pictures=sheets(names, given, 0.5, look, 4))
