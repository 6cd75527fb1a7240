"""The detector's patches: a car's side that fills the patch, or anything else."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from roadworthy.data.generated.backgrounds import draw_street
from roadworthy.data.generated.bodies import CARS, LARGE
from roadworthy.data.generated.canvas import BLACK, Canvas, oval, shade
from roadworthy.data.generated.palette import WALLS, car_colour, vary
from roadworthy.data.generated.tasks import private_look
from roadworthy.data.generated.things import draw_thing
from roadworthy.data.generated.vehicles import draw_vehicle
from roadworthy.data.generated.views import side_view, window_view
from roadworthy.data.generated.weather import MARGIN, SUPERSAMPLE, Light, apply_weather

PATCH = (100, 40)


def paint_patch(label: str) -> Callable[[Random, Canvas, Light], None]:
    """Return the painter of patches with or without a car."""

    def paint(rng: Random, canvas: Canvas, light: Light) -> None:
        draw_street(rng, canvas, rng.uniform(-0.2, 1.1))
        if label == "car":
            _draw_car(rng, canvas, light)
        else:
            rng.choice(_BACKGROUNDS)(rng, canvas, light)
        if rng.random() < 0.2:
            _draw_pole(rng, canvas)
        apply_weather(rng, canvas, light)

    return paint


def _draw_car(rng: Random, canvas: Canvas, light: Light) -> None:
    width = PATCH[0] * SUPERSAMPLE * rng.uniform(0.86, 0.94)
    ground = canvas.height - (MARGIN + rng.uniform(1, 3)) * SUPERSAMPLE
    x = (canvas.width - width) / 2
    view = window_view(rng.choice(CARS), x, ground, width, rng.choice((1, -1)))
    draw_vehicle(canvas, view, private_look(rng, light, car_colour(rng), None))


def _draw_nothing(rng: Random, canvas: Canvas, light: Light) -> None:
    """Leave the street as it is."""


def _draw_part(rng: Random, canvas: Canvas, light: Light) -> None:
    """Draw less than 40 percent of a car: cut off at a side, or far too large."""
    width = canvas.width * rng.choice((rng.uniform(0.7, 1.0), rng.uniform(2.0, 3.0)))
    shown = min(width * 0.36, canvas.width * 0.8) * rng.uniform(0.4, 1.0)
    x = rng.choice((shown - width, canvas.width - shown))
    ground = canvas.height * rng.uniform(0.8, 1.5)
    view = window_view(rng.choice(CARS), x, ground, width, rng.choice((1, -1)))
    draw_vehicle(canvas, view, private_look(rng, light, car_colour(rng), None))


def _draw_small(rng: Random, canvas: Canvas, light: Light) -> None:
    """Draw a car far too small for the patch."""
    width = canvas.width * rng.uniform(0.25, 0.42)
    x = canvas.width * rng.uniform(-0.1, 0.8)
    ground = canvas.height * rng.uniform(0.5, 1.0)
    view = window_view(rng.choice(CARS), x, ground, width, rng.choice((1, -1)))
    draw_vehicle(canvas, view, private_look(rng, light, car_colour(rng), None))


def _draw_large(rng: Random, canvas: Canvas, light: Light) -> None:
    """Draw a bus or a lorry, whole or cut off."""
    width = canvas.width * rng.uniform(0.7, 2.2)
    x = canvas.width * rng.uniform(0.0, 0.4) - (width - canvas.width * 0.8) * rng.random()
    ground = canvas.height * rng.uniform(0.85, 1.1)
    view = side_view(rng.choice(LARGE), x, ground, width, rng.choice((1, -1)))
    draw_vehicle(canvas, view, private_look(rng, light, car_colour(rng), None))


def _draw_wheels(rng: Random, canvas: Canvas, light: Light) -> None:
    for _ in range(rng.randint(1, 3)):
        radius = canvas.height * rng.uniform(0.12, 0.4)
        x, y = canvas.width * rng.random(), canvas.height * rng.uniform(0.4, 0.9)
        grey = rng.randint(80, 190)
        canvas.polygon(oval(x, y, radius, radius), BLACK)
        canvas.polygon(oval(x, y, radius * 0.6, radius * 0.6), (grey, grey, grey))


def _draw_fence(rng: Random, canvas: Canvas, light: Light) -> None:
    paint, step = vary(rng, rng.choice(WALLS), 40), canvas.width * rng.uniform(0.03, 0.12)
    top, x = canvas.height * rng.uniform(0.05, 0.5), -step * rng.random()
    while x < canvas.width:
        canvas.rectangle(x, top, x + step * 0.4, canvas.height * 0.95, paint)
        x += step
    for share in (0.2, 0.75):
        y = top + (canvas.height - top) * share
        canvas.rectangle(0, y, canvas.width, y + canvas.height * 0.06, shade(paint, 80))


def _draw_any_thing(rng: Random, canvas: Canvas, light: Light) -> None:
    draw_thing(rng, canvas, (0.3, 0.8))


def _draw_pole(rng: Random, canvas: Canvas) -> None:
    x, width = canvas.width * rng.uniform(0.1, 0.9), canvas.width * rng.uniform(0.015, 0.04)
    canvas.rectangle(x, 0, x + width, canvas.height, vary(rng, (104, 106, 108), 40))


_BACKGROUNDS = (
    _draw_nothing,
    _draw_nothing,
    _draw_part,
    _draw_part,
    _draw_small,
    _draw_large,
    _draw_large,
    _draw_wheels,
    _draw_fence,
    _draw_any_thing,
)
