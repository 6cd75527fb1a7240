"""Draw a vehicle of any body from any side; what tells it apart is handed in as a `Look`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from roadworthy.data.generated.canvas import (
    BLACK,
    WHITE,
    Canvas,
    Colour,
    Point,
    box,
    mix,
    oval,
    shade,
)
from roadworthy.data.generated.views import View

Part = Callable[[Canvas, View], None]
_TYRE: Colour = (28, 28, 30)


@dataclass(frozen=True)
class Look:
    """How a vehicle is painted and what is fixed to it."""

    paint: Colour
    glass: Colour = (52, 66, 80)
    rim: Colour = (168, 170, 174)
    trim: Colour = (40, 40, 42)
    lit: bool = False
    behind: bool = False
    face: Part | None = None
    livery: tuple[Part, ...] = ()
    roof: tuple[Part, ...] = ()


def draw_vehicle(canvas: Canvas, view: View, look: Look) -> None:
    """Draw the vehicle with its shadow on the road."""
    _draw_shadow(canvas, view)
    if view.shows_face:
        _draw_far_wheels(canvas, view)
        _draw_shell(canvas, view, look)
    if view.shows_side:
        _draw_side(canvas, view, look)
    if view.shows_face:
        _draw_mirrors(canvas, view, look)
        _draw_bumper(canvas, view, look)
        if look.face is not None:
            look.face(canvas, view)
    for part in look.roof:
        part(canvas, view)


def _draw_shadow(canvas: Canvas, view: View) -> None:
    corners = [view.at(x, 14, z) for x, z in ((-20, 0), (1020, 0), (1020, 1), (-20, 1))]
    pad = view.unit * 14
    left, right = min(x for x, _ in corners) - pad, max(x for x, _ in corners) + pad
    top, bottom = min(y for _, y in corners) - pad, view.ground + pad
    canvas.oval(
        ((left + right) / 2, (top + bottom) / 2), (right - left) / 2, (bottom - top) / 2, BLACK, 120
    )


def _draw_far_wheels(canvas: Canvas, view: View) -> None:
    wheel = view.body.wheel
    for near, far in ((0.02, 0.14), (0.86, 0.98)):
        tread = [view.at(60, 0, near), view.at(60, 0, far)]
        canvas.polygon(
            [*tread, view.at(60, wheel * 1.5, far), view.at(60, wheel * 1.5, near)], _TYRE
        )


def _draw_shell(canvas: Canvas, view: View, look: Look) -> None:
    """Draw nose, bonnet, windscreen and roof: the outline pulled across the vehicle's width."""
    profile = view.body.profile
    for start, end in reversed(list(pairwise(profile))):
        near0, near1 = view.at(*start), view.at(*end)
        far0, far1 = view.at(*start, 1.0), view.at(*end, 1.0)
        if _turned_away(near0, near1, far0, view.facing):
            continue
        canvas.polygon([near0, near1, far1, far0], _shell_colour(start, end, look.paint))
    _draw_screen(canvas, view, look)


def _turned_away(near0: Point, near1: Point, far0: Point, facing: int) -> bool:
    cross = (near1[0] - near0[0]) * (far0[1] - near0[1]) - (near1[1] - near0[1]) * (
        far0[0] - near0[0]
    )
    return cross * facing > 0


def _shell_colour(start: Point, end: Point, paint: Colour) -> Colour:
    rise, run = end[1] - start[1], end[0] - start[0]
    return paint if rise > run else shade(paint, 112 if rise > run * 0.3 else 106)


def _draw_screen(canvas: Canvas, view: View, look: Look) -> None:
    body = view.body
    low, high = body.windscreen
    upright = high - low < 60
    base = body.belt + 8
    y1 = body.belt + (body.top - body.belt) * 0.86
    x0, x1 = (0.0, 20.0) if upright else (low + (high - low) * 0.08, low + (high - low) * 0.72)
    corners = ((x0, base, 0.07), (x1, y1, 0.07), (x1, y1, 0.93), (x0, base, 0.93))
    canvas.polygon([view.at(*corner) for corner in corners], look.glass)
    sheen = ((x0, base, 0.75), (x1, y1, 0.55), (x1, y1, 0.38), (x0, base, 0.6))
    canvas.polygon([view.at(*corner) for corner in sheen], mix(look.glass, WHITE, 28))


def _draw_side(canvas: Canvas, view: View, look: Look) -> None:
    body = view.body
    paint = shade(look.paint, 86) if view.shows_face else look.paint
    canvas.polygon(view.side(body.profile), paint)
    sill = [(x, min(y, 132)) for x, y in body.profile]
    canvas.polygon(view.side(sill), shade(paint, 72))
    canvas.line(
        view.side(((60, body.belt - 36), (960, body.belt - 30))),
        view.unit * 9,
        mix(paint, WHITE, 22),
    )
    for part in look.livery:
        part(canvas, view)
    for window in body.windows:
        canvas.polygon(view.side(window), look.glass)
        (ax, ay), (bx, by) = window[0], window[1]
        sheen = ((ax + 14, ay + 6), (bx + 10, by - 6), (bx + 44, by - 6), (ax + 50, ay + 6))
        canvas.polygon(view.side(sheen), mix(look.glass, WHITE, 26))
    for door in body.doors:
        canvas.line(
            view.side(((door, 125), (door, body.belt - 4))), view.unit * 5, shade(paint, 60)
        )
        canvas.line(
            view.side(((door + 150, body.belt - 42), (door + 185, body.belt - 42))),
            view.unit * 8,
            shade(paint, 50),
        )
    _draw_side_lamps(canvas, view, look)
    for x in body.wheels:
        _draw_wheel(canvas, view, x, look.rim)


def _draw_side_lamps(canvas: Canvas, view: View, look: Look) -> None:
    low, high = view.body.nose
    y0, y1 = low + (high - low) * 0.58, low + (high - low) * 0.86
    front: Colour = (250, 246, 220) if look.lit else (214, 218, 222)
    ends = (((955, 985), (190, 24, 30)), ((14, 62), front))
    for (x0, x1), colour in reversed(ends) if look.behind else ends:
        place = (1000 - x1, 1000 - x0) if look.behind else (x0, x1)
        canvas.polygon(view.side(box(place[0], y0, place[1], y1)), colour)
    if look.lit and not view.shows_face:
        radius = view.unit * 26
        canvas.add_light(view.at(18, (y0 + y1) / 2), radius, (255, 244, 200))
        canvas.add_light(view.at(982, (y0 + y1) / 2), radius * 0.8, (255, 40, 30))


def _draw_wheel(canvas: Canvas, view: View, x: float, rim: Colour) -> None:
    r = view.body.wheel
    canvas.polygon(view.side(oval(x, r + 4, r * 1.2, r * 1.2)), BLACK)
    canvas.polygon(view.side(oval(x, r, r, r)), _TYRE)
    canvas.polygon(view.side(oval(x, r, r * 0.62, r * 0.62)), rim)
    for dx, dy in ((0.5, 0.0), (0.15, 0.48), (-0.4, 0.3), (-0.4, -0.3), (0.15, -0.48)):
        canvas.line(view.side(((x, r), (x + r * dx, r + r * dy))), view.unit * 10, shade(rim, 45))


def _draw_mirrors(canvas: Canvas, view: View, look: Look) -> None:
    body = view.body
    x = max(30.0, body.windscreen[0] + 20)
    for near, far in ((-0.10, -0.01), (1.01, 1.10)):
        corners = [(x, body.belt + y, z) for y in (6, 44) for z in (near, far)]
        a, b, c, d = (view.at(*corner) for corner in corners)
        canvas.polygon([a, b, d, c], shade(look.paint, 80))


def _draw_bumper(canvas: Canvas, view: View, look: Look) -> None:
    canvas.polygon(view.face(((-92, -17), (92, -17), (98, 4), (-98, 4))), shade(look.paint, 38))
    canvas.line(view.face(((-96, 20), (96, 20))), view.unit * 5, shade(look.paint, 78))
    canvas.line(view.face(((-97, 59), (97, 59))), view.unit * 6, shade(look.paint, 66))


def number_plate(canvas: Canvas, view: View, colour: Colour, height: float) -> None:
    """Draw a number plate in the middle of the face."""
    canvas.polygon(view.face(box(-19, height, 19, height + 9)), colour)
    for u in range(-15, 16, 6):
        canvas.polygon(view.face(box(u - 2, height + 2, u + 2, height + 7)), BLACK)
