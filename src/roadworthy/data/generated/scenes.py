"""Whole street scenes with the boxes of the cars in them."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from PIL import Image

from roadworthy.data.generated.backgrounds import draw_street
from roadworthy.data.generated.bodies import CARS, LARGE
from roadworthy.data.generated.canvas import Canvas
from roadworthy.data.generated.makes import MAKES
from roadworthy.data.generated.palette import car_colour
from roadworthy.data.generated.services import LOOK_ALIKES, POLICE, Kind, choose_kind
from roadworthy.data.generated.tasks import private_look
from roadworthy.data.generated.things import draw_thing
from roadworthy.data.generated.vehicles import Look, draw_vehicle
from roadworthy.data.generated.views import View, side_view, window_view
from roadworthy.data.generated.weather import (
    MARGIN,
    SUPERSAMPLE,
    Light,
    Shot,
    apply_weather,
    choose_light,
    photograph,
)

_SIZES = ((320, 200), (360, 240), (400, 250), (432, 288), (480, 300))
_ROAD = 0.45


@dataclass(frozen=True)
class SceneCar:
    """One car of a scene: its box relative to the picture, and what it is."""

    x_center: float
    y_center: float
    width: float
    height: float
    make: str
    police: bool


def draw_scene(rng: Random, *, cars: int) -> tuple[Image.Image, list[SceneCar]]:
    """Draw a scene with so many cars (fewer where the road is full)."""
    size, light = rng.choice(_SIZES), choose_light(rng)
    canvas = Canvas(*((side + 2 * MARGIN) * SUPERSAMPLE for side in size))
    draw_street(rng, canvas, _ROAD)
    boxes = []
    if cars == 0:
        _draw_other(rng, canvas, light)
    for view in _place(rng, size, cars):
        police = rng.random() < 0.3
        draw_vehicle(canvas, view, _look(rng, light, police=police))
        boxes.append(_measure(view, size, rng.choice(MAKES).name, police=police))
    apply_weather(rng, canvas, light)
    shot = Shot(size, rng.randint(*light.mean))
    return photograph(rng, canvas.image, shot), boxes


def _place(rng: Random, size: tuple[int, int], count: int) -> list[View]:
    """Return views of cars that do not cover each other, the farthest first."""
    views: list[View] = []
    for _ in range(60):
        if len(views) == count:
            break
        near = rng.random()
        width = (62 + near * 70 + rng.uniform(0, 60)) * SUPERSAMPLE
        x = (MARGIN + 2) * SUPERSAMPLE + rng.random() * ((size[0] - 4) * SUPERSAMPLE - width)
        ground = (MARGIN + size[1] * (0.64 + 0.32 * near)) * SUPERSAMPLE
        view = window_view(rng.choice(CARS), x, ground, width, rng.choice((1, -1)))
        if not any(_overlap(view, other) for other in views):
            views.append(view)
    return sorted(views, key=lambda view: view.ground)


def _overlap(first: View, second: View) -> bool:
    a, b = first.bounds(), second.bounds()
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _look(rng: Random, light: Light, *, police: bool) -> Look:
    if not police and rng.random() < 0.6:
        return private_look(rng, light, car_colour(rng), None)
    kind = choose_kind(rng, POLICE if police else _saloons(LOOK_ALIKES))
    return Look(kind.paint(rng), lit=light.lamps, livery=kind.livery(rng), roof=kind.roof(rng))


def _saloons(kinds: tuple[Kind, ...]) -> tuple[Kind, ...]:
    """Return the kinds that are driven as ordinary cars."""
    return tuple(kind for kind in kinds if set(kind.bodies) <= set(CARS))


def _measure(view: View, size: tuple[int, int], make: str, *, police: bool) -> SceneCar:
    edge = MARGIN * SUPERSAMPLE
    left, top, right, bottom = (
        (value - edge) / (side * SUPERSAMPLE)
        for value, side in zip(view.bounds(), size * 2, strict=True)
    )
    return SceneCar(
        (left + right) / 2, (top + bottom) / 2, right - left, bottom - top, make, police
    )


def _draw_other(rng: Random, canvas: Canvas, light: Light) -> None:
    """Draw what a detector must not take for a car."""
    if rng.random() < 0.5:
        draw_thing(rng, canvas, (0.15, 0.4))
    if rng.random() < 0.5:
        width = canvas.width * rng.uniform(0.3, 0.6)
        x, ground = (canvas.width - width) * rng.random(), canvas.height * rng.uniform(0.7, 0.95)
        view = side_view(rng.choice(LARGE), x, ground, width, rng.choice((1, -1)))
        draw_vehicle(canvas, view, private_look(rng, light, car_colour(rng), None))
