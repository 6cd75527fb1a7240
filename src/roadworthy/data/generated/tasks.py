"""What a picture of each task shows: a street and, for its label, the right thing in it."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from roadworthy.data.generated.backgrounds import draw_street
from roadworthy.data.generated.bodies import CARS, LARGE, Body
from roadworthy.data.generated.canvas import WHITE, Canvas, Colour, box
from roadworthy.data.generated.fronts import Wear, draw_face
from roadworthy.data.generated.makes import MAKES, Make
from roadworthy.data.generated.palette import car_colour
from roadworthy.data.generated.services import LOOK_ALIKES, POLICE, choose_kind
from roadworthy.data.generated.things import draw_thing
from roadworthy.data.generated.vehicles import Look, Part, draw_vehicle, number_plate
from roadworthy.data.generated.views import View, choose_view, close_view
from roadworthy.data.generated.weather import Light, apply_weather

Painter = Callable[[Random, Canvas, Light], None]
_GLASS: tuple[Colour, ...] = ((44, 56, 70), (70, 86, 98), (30, 36, 44), (92, 108, 120))
_RIMS: tuple[Colour, ...] = ((176, 178, 182), (130, 132, 138), (70, 72, 76), (206, 208, 210))
_PLATES: tuple[Colour, ...] = (WHITE, WHITE, (226, 204, 70))
# How often a vehicle is seen from where.
_SERVICE_VIEWS = ("side",) * 10 + ("quarter",) * 4
_CAR_VIEWS = ("side",) * 9 + ("quarter",) * 5 + ("front", "rear", "rear quarter")
# Buses and lorries from the front alone are too near to cars to be told apart at this size.
_BUS_VIEWS = ("side",) * 11 + ("quarter",)
MAKE_BY_NAME: dict[str, Make] = {make.name: make for make in MAKES}


def make_face(rng: Random, make: Make, *, lit: bool) -> Part:
    """Return a make's face as one car of that make wears it."""
    wear = Wear(
        dark_trim=rng.random() < 0.12,
        lit=lit or rng.random() < 0.1,
        plate=rng.choice(_PLATES),
        stretch=rng.uniform(0.95, 1.05),
        lift=rng.uniform(-1.2, 1.2),
        badge=rng.random() < 0.97,
    )
    return lambda canvas, view: draw_face(canvas, view, make.face, wear)


def _tail(rng: Random, *, lit: bool) -> Part:
    """Return the back of a car: red lamps, a plate and no grille."""
    red: Colour = (236, 40, 36) if lit else (168, 24, 32)
    inner, low = rng.choice((58, 66, 76)), rng.choice((26, 32, 36))

    def draw(canvas: Canvas, view: View) -> None:
        for side in (-1, 1):
            canvas.polygon(view.face(box(side * inner, low, side * 96, 54)), red)
            if lit:
                middle = view.face([(side * 80, (low + 54) / 2)])[0]
                canvas.add_light(middle, view.depth / 200 * 9, (255, 50, 40))
        number_plate(canvas, view, (226, 204, 70), 24)

    return draw


def private_look(rng: Random, light: Light, paint: Colour, face: Part | None) -> Look:
    """Return the look of a car without anything on it."""
    return Look(paint, rng.choice(_GLASS), rng.choice(_RIMS), lit=light.lamps, face=face)


def paint_police(label: str) -> Painter:
    """Return the painter of police cars or of what is taken for them."""
    kinds = POLICE if label == "police" else LOOK_ALIKES

    def paint(rng: Random, canvas: Canvas, light: Light) -> None:
        draw_street(rng, canvas)
        canvas.soften()
        kind = choose_kind(rng, kinds)
        view_kind = rng.choice(_SERVICE_VIEWS)
        view = choose_view(
            rng,
            view_kind,
            rng.choice(kind.bodies),
            (canvas.width, canvas.height * 0.84),
            (0.88, 0.98),
        )
        face = make_face(rng, rng.choice(MAKES), lit=light.lamps)
        look = Look(
            kind.paint(rng),
            rng.choice(_GLASS),
            rng.choice(_RIMS),
            lit=light.lamps,
            face=face,
            livery=kind.livery(rng),
            roof=kind.roof(rng),
        )
        draw_vehicle(canvas, view, look)
        apply_weather(rng, canvas, light)

    return paint


def paint_car(label: str) -> Painter:
    """Return the painter of cars or of what else is met in a street."""

    def paint(rng: Random, canvas: Canvas, light: Light) -> None:
        draw_street(rng, canvas)
        canvas.soften()
        if label == "car":
            _draw_any(rng, canvas, light, CARS)
        elif rng.random() < 0.04:
            _draw_any(rng, canvas, light, LARGE)
        else:
            draw_thing(rng, canvas, (0.86, 0.98))
        apply_weather(rng, canvas, light)

    return paint


def _draw_any(rng: Random, canvas: Canvas, light: Light, bodies: tuple[Body, ...]) -> None:
    """Draw a vehicle from any side, at any size."""
    body = rng.choice(bodies)
    view_kind = rng.choice(_BUS_VIEWS if body in LARGE else _CAR_VIEWS)
    behind = view_kind.startswith("rear")
    shown = {"rear": "front", "rear quarter": "quarter"}.get(view_kind, view_kind)
    area = (canvas.width, canvas.height)
    view = choose_view(rng, shown, body.mirrored if behind else body, area, (0.86, 0.98))
    face = (
        _tail(rng, lit=light.lamps)
        if behind
        else make_face(rng, rng.choice(MAKES), lit=light.lamps)
    )
    look = Look(
        car_colour(rng),
        rng.choice(_GLASS),
        rng.choice(_RIMS),
        lit=light.lamps,
        behind=behind,
        face=face,
    )
    draw_vehicle(canvas, view, look)


def paint_brand(label: str) -> Painter:
    """Return the painter of one make, seen from the front."""
    make = MAKE_BY_NAME[label]

    def paint(rng: Random, canvas: Canvas, light: Light) -> None:
        draw_street(rng, canvas)
        canvas.soften()
        view = close_view(rng, rng.choice(CARS), (canvas.width, canvas.height))
        face = make_face(rng, make, lit=light.lamps)
        draw_vehicle(canvas, view, private_look(rng, light, car_colour(rng), face))
        apply_weather(rng, canvas, light)

    return paint
