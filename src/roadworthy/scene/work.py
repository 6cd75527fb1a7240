"""One source after the other: inspect it, write what is made of it, and say what was found."""

from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from roadworthy.data.images import open_image
from roadworthy.progress import Report
from roadworthy.scene.crew import Crew
from roadworthy.scene.draw import draw, draw_heat
from roadworthy.scene.inspect import Scene
from roadworthy.scene.results import HEAT, LINES, CarTable, save_picture, write_line, writing
from roadworthy.scene.sources import Source
from roadworthy.scene.video import Moment, inspect_video


@dataclass(frozen=True)
class Wanted:
    """What is to be made of each source."""

    out: Path
    pictures: bool = True
    heat: bool = False
    """Confidence maps of pictures; of video there are none."""
    every: int | None = None
    """Frames of a video from one that is inspected to the next; None is five a second."""


Entry = dict[str, Any]
"""Of one source in scenes.json."""


def inspect_file(
    source: Source, crew: Crew, wanted: Wanted, table: CarTable
) -> tuple[Entry, Scene]:
    """Inspect a picture.

    Raises:
        DataError: it cannot be used.
    """
    picture = open_image(source.path, crew.max_pixels)
    scene = crew.look(picture)
    entry: Entry = {"path": str(source.path), "width": scene.width, "height": scene.height}
    entry["cars"] = [car.to_json() for car in scene.cars]
    if wanted.pictures:
        entry["picture"] = source.name
        save_picture(draw(picture, scene.cars, crew.name), wanted.out / source.name)
    if wanted.heat:
        entry["heat"] = f"{source.name}{HEAT}"
        save_picture(draw_heat(picture, scene.heat), wanted.out / entry["heat"])
    table.add(str(source.path), scene.cars)
    return entry, scene


def inspect_film(
    source: Source, crew: Crew, wanted: Wanted, table: CarTable, progress: Report
) -> Entry:
    """Inspect a video; one that is damaged or ends early has `complete: false`.

    Raises:
        DataError: no frame of it can be decoded.
    """
    lines = f"{source.name.removesuffix('.mp4')}{LINES}"
    target = wanted.out / source.name if wanted.pictures else None
    with writing(wanted.out / lines) as file:
        film = inspect_video(
            source.path,
            target,
            crew.look,
            partial(_note, file, table, str(source.path)),
            progress,
            every=wanted.every,
            max_pixels=crew.max_pixels,
            name=crew.name,
        )
    entry = {"path": str(source.path), **asdict(film), "lines": lines}
    return entry | ({"picture": source.name} if target else {})


def _note(file: TextIO, table: CarTable, path: str, moment: Moment) -> None:
    cars = moment.scene.cars
    line = {"frame": moment.frame, "seconds": round(moment.seconds, 3)}
    write_line(file, {**line, "cars": [car.to_json() for car in cars]})
    table.add(path, cars, moment.frame, moment.seconds)
