"""What an inspection leaves in its folder; each file is whole or not there.

scenes.json       the steps and how good they are, what is not known, every picture and its cars
cars.csv          one row per car
NAME              the picture or video with boxes
NAME.heat.png     the confidence map over the picture
NAME.jsonl        one line for each inspected frame of a video
"""

import csv
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from PIL import Image

from roadworthy.scene.inspect import CORNERS, Car

SCENES = "scenes.json"
CARS = "cars.csv"
HEAT = ".heat.png"
LINES = ".jsonl"
QUALITY = {"quality": 92}


class CarTable:
    """Rows of `cars.csv`."""

    def __init__(self, file: TextIO, tasks: Sequence[str]) -> None:
        self.tasks, self._writer = tasks, csv.writer(file, lineterminator="\n")
        answers = [f"{task}{part}" for task in tasks for part in ("", "_probability", "_sure")]
        self._writer.writerow(["path", "frame", "seconds", "car", *CORNERS, "score", *answers])

    def add(
        self, path: str, cars: Sequence[Car], frame: int | None = None, seconds: float | None = None
    ) -> None:
        """Rows for the cars of one picture or frame, numbered from 1, the surest first."""
        time = None if seconds is None else round(seconds, 3)
        for number, car in enumerate(cars, 1):
            answers = [
                value
                for task in self.tasks
                for one in [car.answers[task]]
                for value in (one.label, round(one.probability, 4), str(one.sure).lower())
            ]
            corners = [round(corner, 1) for corner in car.box]
            self._writer.writerow(
                [path, frame, time, number, *corners, round(car.score, 4), *answers]
            )


@contextmanager
def writing(path: Path) -> Iterator[TextIO]:
    """A text file that takes its name when the block ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with temporary.open("w", encoding="utf-8", newline="") as file:
            yield file
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_line(file: TextIO, value: dict[str, Any]) -> None:
    """One line of JSON."""
    file.write(json.dumps(value) + "\n")


def save_picture(picture: Image.Image, path: Path) -> None:
    """Write a picture in the format of its name, by way of a temporary file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    kind = Image.registered_extensions()[path.suffix.lower()]
    try:
        picture.save(temporary, kind, **(QUALITY if kind in ("JPEG", "WEBP") else {}))
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
