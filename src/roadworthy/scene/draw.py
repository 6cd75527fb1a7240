"""Boxes and labels on a picture, and the confidence map over it; supervision draws."""

import warnings
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from roadworthy.bundle.predictor import Prediction
from roadworthy.scene.inspect import Car

SIDES = (320, 4096)
"""The longer side of what is drawn, pixels: in less no label can be read, more is only large."""
MOST_LABELS = 60
"""Labels for the surest so many; every box is drawn."""
TEXT = (11, 40)
"""Least and largest size of letters, pixels."""
SHARE = 0.014
"""Size of letters, of the picture's longer side."""
COLOURS = ("#0b7a3b", "#1d4ed8", "#b3261e", "#7a3db8", "#8a5a00", "#00707a", "#a8327a", "#4d5a66")
"""By the answer of who was asked first; white letters can be read on each."""
COLD, WARM, HOT = "#10206b", "#ff9d00", "#ff1500"
VEIL = 0.75
"""How much of the picture the hottest place hides."""


def draw(picture: Image.Image, cars: Sequence[Car], name: str = "car") -> Image.Image:
    """The picture with a box and a label for each car, RGB, in the size that `drawn_size` says.

    Args:
        picture: as it was inspected; stays as it is.
        cars: the surest first.
        name: what the finder finds.
    """
    size = drawn_size(picture.size)
    plain = picture.convert("RGB")
    canvas: Image.Image = plain.resize(size) if size != picture.size else plain
    if not cars:
        return canvas
    sv = supervision()
    scale = np.divide(size, picture.size)
    # What is drawn later covers what was drawn before: the surest come last.
    cars = cars[::-1]
    found = sv.Detections(
        # Corners are between pixels, the last pixel of a box is the one before its end.
        xyxy=np.array([car.box for car in cars], np.float32) * np.tile(scale, 2) - (0, 0, 1, 1),
        class_id=np.array([_colour(car) for car in cars]),
    )
    palette = sv.ColorPalette.from_hex(list(COLOURS))
    line = sv.calculate_optimal_line_thickness(size)
    canvas = sv.BoxAnnotator(palette, line).annotate(canvas, found)
    labels = [label(car, name) for car in cars[-MOST_LABELS:]]
    letters = letter_size(size, labels)
    if letters:
        writer = sv.RichLabelAnnotator(
            palette, font_size=letters, text_padding=max(2, letters // 4), smart_position=True
        )
        canvas = writer.annotate(canvas, found[-len(labels) :], labels)
    return canvas


def draw_heat(picture: Image.Image, heat: np.ndarray) -> Image.Image:
    """The confidence map over the picture in grey, RGB, in the size that `drawn_size` says.

    Args:
        picture: as it was inspected; stays as it is.
        heat: float32 (h, w), 0 to 1, over the whole picture.
    """
    size = drawn_size(picture.size)
    under = picture.convert("L").resize(size).convert("RGB")
    level = Image.fromarray((np.clip(heat, 0, 1) * 255).astype(np.uint8)).resize(size)
    over = ImageOps.colorize(level, COLD, HOT, WARM)
    return Image.composite(over, under, level.point(lambda value: round(value * VEIL)))


def drawn_size(size: tuple[int, int]) -> tuple[int, int]:
    """Width and height in which a picture of this size is drawn."""
    longer = max(size)
    scale = min(max(longer, SIDES[0]), SIDES[1]) / longer
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def label(car: Car, name: str = "car") -> str:
    """What is written at a car, one line for each step; `?` where the answer is not sure."""
    return "\n".join([f"{name} {car.score:.2f}", *map(_words, car.answers.values())])


def letter_size(size: tuple[int, int], labels: Sequence[str]) -> int:
    """Height of letters with which every label is inside a picture of this size; 0 where none is."""
    lines = [line for text in labels for line in text.splitlines()]
    most = max((text.count("\n") + 1 for text in labels), default=1)
    # A letter is about 0.6 as wide as high; lines and padding take half as much again.
    fits = min(size[0] / (0.6 * max(map(len, lines), default=1) + 1), size[1] / (1.5 * most))
    wanted = min(max(round(SHARE * max(size)), TEXT[0]), TEXT[1])
    return min(wanted, int(fits)) if fits >= TEXT[0] - 3 else 0


def supervision() -> ModuleType:
    """The library, without what it says about OpenCV, which is not needed for drawing."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "OpenCV", UserWarning)
        import supervision
    return supervision


def _words(answer: Prediction) -> str:
    *_, positive = answer.probabilities
    no = len(answer.probabilities) == 2 and answer.label != positive
    doubt = "" if answer.sure else " ?"
    return f"{f'not {positive}' if no else answer.label} {answer.probability:.2f}{doubt}"


def _colour(car: Car) -> int:
    first: Any = next(iter(car.answers.values()), None)
    return list(first.probabilities).index(first.label) % len(COLOURS) if first else 0
