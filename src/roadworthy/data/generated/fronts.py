"""The parts a make's face is put together from: grilles, patterns in them, lamps and badges.

All of it is in the units of a face: -100..100 across, 0 (foot of the bumper) to 60 (bonnet).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from roadworthy.data.generated.canvas import (
    BLACK,
    WHITE,
    Canvas,
    Colour,
    Point,
    box,
    mix,
    oval,
)
from roadworthy.data.generated.vehicles import number_plate
from roadworthy.data.generated.views import View

Box = tuple[float, float, float, float]
CHROME: Colour = (222, 224, 228)
DARK: Colour = (34, 35, 38)


@dataclass(frozen=True)
class Grille:
    """An opening: an outline shape within a box, and what fills it."""

    shape: str
    box: Box
    pattern: str = "plain"
    rim: Colour | None = CHROME
    fill: Colour = DARK
    bars: Colour = (150, 152, 156)


@dataclass(frozen=True)
class Lamps:
    """A pair of headlamps; the box is that of the right-hand one."""

    shape: str
    box: Box
    inner: str = "plain"


@dataclass(frozen=True)
class Badge:
    """The sign of the make."""

    kind: str
    at: Point
    size: float


@dataclass(frozen=True)
class Face:
    """All that tells one make from another."""

    grilles: tuple[Grille, ...]
    lamps: tuple[Lamps, ...]
    badge: Badge
    plate: float = 5


@dataclass(frozen=True)
class Wear:
    """What differs between two cars of one make: trim, light, plate, a few units of shape."""

    dark_trim: bool = False
    lit: bool = False
    plate: Colour = WHITE
    stretch: float = 1.0
    lift: float = 0.0
    badge: bool = True


def draw_face(canvas: Canvas, view: View, face: Face, wear: Wear) -> None:
    """Draw a make's face onto the front of a vehicle."""
    for grille in face.grilles:
        _draw_grille(canvas, view, grille, wear)
    for lamps in face.lamps:
        for side in (-1, 1):
            _draw_lamp(canvas, view, lamps, side, wear)
    number_plate(canvas, view, wear.plate, face.plate)
    if wear.badge:
        u, v = face.badge.at
        _BADGES[face.badge.kind](canvas, view, u, v + wear.lift, face.badge.size)


def _outline(shape: str, within: Box) -> list[Point]:
    """Return the outline of a shape stretched over a box."""
    u0, v0, u1, v1 = within
    if shape == "round":
        return oval((u0 + u1) / 2, (v0 + v1) / 2, (u1 - u0) / 2, (v1 - v0) / 2)
    return [(u0 + (u1 - u0) * x / 10, v0 + (v1 - v0) * y / 10) for x, y in SHAPES[shape]]


# Outlines on a grid of 10 by 10; for lamps, x = 0 is the end at the grille.
SHAPES: dict[str, tuple[Point, ...]] = {
    "box": ((0, 0), (10, 0), (10, 10), (0, 10)),
    "soft": ((1, 0), (9, 0), (10, 3), (10, 7), (9, 10), (1, 10), (0, 7), (0, 3)),
    "hexagon": ((2, 0), (8, 0), (10, 6), (9, 10), (1, 10), (0, 6)),
    "wide hexagon": ((1, 0), (9, 0), (10, 5), (9, 10), (1, 10), (0, 5)),
    "mouth": ((0, 0), (10, 0), (9, 6), (7.5, 10), (2.5, 10), (1, 6)),
    "shield": ((3, 0), (7, 0), (9.3, 3), (10, 10), (0, 10), (0.7, 3)),
    "smile": ((2, 1), (5, 0), (8, 1), (10, 7), (10, 10), (7, 6), (3, 6), (0, 10), (0, 7)),
    "slant": ((0, 0), (6, 1), (10, 6), (10, 10), (4, 7), (0, 3)),
    "blade": ((0, 1), (8, 4), (10, 10), (5, 8), (0, 5)),
    "drop": ((0, 2), (3, 0), (8, 1), (10, 5), (9, 9), (6, 10), (2, 7)),
}


def _draw_grille(canvas: Canvas, view: View, grille: Grille, wear: Wear) -> None:
    u0, v0, u1, v1 = grille.box
    centre = (u0 + u1) / 2 if u0 * u1 > 0 else 0.0
    u0, u1 = (centre + (u - centre) * wear.stretch for u in (u0, u1))
    within = (u0, v0 + wear.lift, u1, v1 + wear.lift)
    if grille.rim is not None:
        rim = DARK if wear.dark_trim else grille.rim
        outer = (within[0] - 3, within[1] - 2, within[2] + 3, within[3] + 2)
        canvas.polygon(view.face(_outline(grille.shape, outer)), rim)
    canvas.polygon(view.face(_outline(grille.shape, within)), grille.fill)
    bars = mix(grille.bars, DARK, 45) if wear.dark_trim else grille.bars
    _PATTERNS[grille.pattern](canvas, view, within, bars)


def _plain(canvas: Canvas, view: View, within: Box, colour: Colour) -> None:
    """Leave the opening dark."""


def _rows(canvas: Canvas, view: View, within: Box, colour: Colour) -> None:
    u0, v0, u1, v1 = within
    step = (v1 - v0) / 4
    for index in (1, 2, 3):
        v = v0 + step * index
        canvas.polygon(view.face(box(u0 + 4, v - 1, u1 - 4, v + 1)), colour)


def _columns(canvas: Canvas, view: View, within: Box, colour: Colour) -> None:
    u0, v0, u1, v1 = within
    count = max(3, round((u1 - u0) / 7))
    step = (u1 - u0) / count
    for index in range(1, count):
        u = u0 + step * index
        canvas.polygon(view.face(box(u - 1.2, v0 + 2, u + 1.2, v1 - 2)), colour)


def _mesh(canvas: Canvas, view: View, within: Box, colour: Colour) -> None:
    u0, v0, u1, v1 = within
    for row in range(3):
        for column in range(7):
            u = u0 + (u1 - u0) * (column + 0.5 + 0.5 * (row % 2)) / 7.5
            v = v0 + (v1 - v0) * (row + 0.5) / 3
            canvas.polygon(view.face(oval(u, v, 1.9, 1.9)), colour)


def _diagonal(canvas: Canvas, view: View, within: Box, colour: Colour) -> None:
    u0, v0, u1, v1 = within
    _columns(canvas, view, within, (92, 94, 98))
    canvas.polygon(view.face(((u0, v1), (u0 + 7, v1), (u1, v0), (u1 - 7, v0))), colour)


def _two_lines(canvas: Canvas, view: View, within: Box, colour: Colour) -> None:
    u0, v0, u1, v1 = within
    height = (v1 - v0) * 0.16
    for v in (v0 + (v1 - v0) * 0.25, v0 + (v1 - v0) * 0.75):
        canvas.polygon(view.face(box(u0, v - height, u1, v + height)), colour)


_PATTERNS: dict[str, Callable[[Canvas, View, Box, Colour], None]] = {
    "plain": _plain,
    "rows": _rows,
    "columns": _columns,
    "mesh": _mesh,
    "diagonal": _diagonal,
    "two lines": _two_lines,
}


def _draw_lamp(canvas: Canvas, view: View, lamps: Lamps, side: int, wear: Wear) -> None:
    u0, v0, u1, v1 = lamps.box
    within = (u0, v0 + wear.lift, u1, v1 + wear.lift)
    shell = [(side * u, v) for u, v in _outline(lamps.shape, within)]
    glass: Colour = (252, 248, 226) if wear.lit else (208, 214, 220)
    dark = lamps.inner in ("hammer", "twin", "cubes")
    canvas.polygon(view.face(shell), (44, 46, 52) if dark else glass)
    inner = [[(side * u, v) for u, v in shape] for shape in _inner(lamps.inner, within)]
    for shape in inner:
        canvas.polygon(view.face(shape), WHITE if dark else mix(glass, BLACK, 35))
    if wear.lit:
        middle = view.face([(side * (u0 + u1) / 2, (within[1] + within[3]) / 2)])[0]
        canvas.add_light(middle, view.depth / 200 * 8, (255, 246, 206))


def _inner(kind: str, within: Box) -> list[list[Point]]:
    """Return the bright (or dark) shapes inside a lamp."""
    u0, v0, u1, v1 = within
    u, v, half = (u0 + u1) / 2, (v0 + v1) / 2, (v1 - v0) / 2
    if kind == "hammer":
        return [box(u0, v - 2, u1 - 3, v + 2), box(u1 - 9, v0 + 1, u1 - 4, v1 - 1)]
    if kind == "twin":
        return [oval(at, v, half * 0.85, half * 0.85) for at in (u0 + half, u1 - half)]
    if kind == "cubes":
        step = (u1 - u0) / 4
        return [box(u0 + step * i + 1, v0 + 2, u0 + step * i + 5, v1 - 2) for i in range(4)]
    if kind == "bulb":
        return [oval(u, v, half * 0.5, half * 0.5)]
    return []


def _rings(canvas: Canvas, view: View, u: float, v: float, size: float) -> None:
    for index in (-1.5, -0.5, 0.5, 1.5):
        centre = u + index * size * 1.15
        canvas.polygon(view.face(oval(centre, v, size * 0.8, size * 0.8)), WHITE)
        canvas.polygon(view.face(oval(centre, v, size * 0.45, size * 0.45)), DARK)


def _roundel(canvas: Canvas, view: View, u: float, v: float, size: float) -> None:
    canvas.polygon(view.face(oval(u, v, size, size)), BLACK)
    canvas.polygon(view.face(oval(u, v, size * 0.75, size * 0.75)), WHITE)
    canvas.polygon(view.face(box(u - size * 0.55, v, u, v + size * 0.55)), (40, 110, 210))
    canvas.polygon(view.face(box(u, v - size * 0.55, u + size * 0.55, v)), (40, 110, 210))


def _coloured_oval(colour: Colour, width: float) -> Callable[..., None]:
    def draw(canvas: Canvas, view: View, u: float, v: float, size: float) -> None:
        canvas.polygon(view.face(oval(u, v, size * width, size)), CHROME)
        canvas.polygon(view.face(oval(u, v, size * width * 0.86, size * 0.8)), colour)
        canvas.polygon(view.face(box(u - size * 0.7, v - 1, u + size * 0.7, v + 1)), WHITE)

    return draw


def _star(canvas: Canvas, view: View, u: float, v: float, size: float) -> None:
    canvas.polygon(view.face(oval(u, v, size, size)), WHITE)
    canvas.polygon(view.face(oval(u, v, size * 0.8, size * 0.8)), DARK)
    for du, dv in ((0.0, 0.9), (0.78, -0.45), (-0.78, -0.45)):
        tip = (u + du * size, v + dv * size)
        canvas.polygon(
            view.face(
                (
                    tip,
                    (u - dv * size / 5, v + du * size / 5),
                    (u + dv * size / 5, v - du * size / 5),
                )
            ),
            WHITE,
        )


def _disc(canvas: Canvas, view: View, u: float, v: float, size: float) -> None:
    canvas.polygon(view.face(oval(u, v, size, size)), CHROME)
    canvas.polygon(view.face(oval(u, v, size * 0.76, size * 0.76)), (24, 40, 74))
    canvas.polygon(
        view.face(
            (
                (u - size * 0.6, v + size * 0.5),
                (u - size * 0.2, v + size * 0.5),
                (u, v - size * 0.1),
                (u + size * 0.2, v + size * 0.5),
                (u + size * 0.6, v + size * 0.5),
                (u, v - size * 0.7),
            )
        ),
        WHITE,
    )


def _arrow(canvas: Canvas, view: View, u: float, v: float, size: float) -> None:
    tip = u + size, v + size
    canvas.polygon(view.face(((u, v + size), tip, (u + size, v))), CHROME)
    canvas.polygon(view.face(oval(u, v, size, size)), CHROME)
    canvas.polygon(view.face(oval(u, v, size * 0.68, size * 0.68)), DARK)
    canvas.polygon(view.face(box(u - size, v - size / 4, u + size, v + size / 4)), (24, 60, 160))


def _ellipses(canvas: Canvas, view: View, u: float, v: float, size: float) -> None:
    canvas.polygon(view.face(oval(u, v, size * 1.4, size)), CHROME)
    canvas.polygon(view.face(oval(u, v, size * 1.05, size * 0.65)), DARK)
    canvas.polygon(view.face(oval(u, v, size * 0.4, size * 0.65)), CHROME)


def _letters(strokes: tuple[Box, ...], ground: Colour, ink: Colour) -> Callable[..., None]:
    def draw(canvas: Canvas, view: View, u: float, v: float, size: float) -> None:
        canvas.polygon(view.face(box(u - size, v - size, u + size, v + size)), ground)
        for u0, v0, u1, v1 in strokes:
            canvas.polygon(
                view.face(box(u + u0 * size, v + v0 * size, u + u1 * size, v + v1 * size)), ink
            )

    return draw


_H: tuple[Box, ...] = ((-0.8, -0.8, -0.4, 0.8), (0.4, -0.8, 0.8, 0.8), (-0.4, -0.2, 0.4, 0.2))
_T: tuple[Box, ...] = ((-0.8, 0.4, 0.8, 0.8), (-0.2, -0.9, 0.2, 0.4))
_WORD: tuple[Box, ...] = tuple((at, -0.5, at + 0.3, 0.5) for at in (-0.9, -0.4, 0.1, 0.6))

_BADGES: dict[str, Callable[[Canvas, View, float, float, float], None]] = {
    "rings": _rings,
    "roundel": _roundel,
    "blue oval": _coloured_oval((24, 60, 160), 2.2),
    "green oval": _coloured_oval((16, 92, 50), 1.8),
    "red disc": _coloured_oval((176, 22, 34), 1.0),
    "star": _star,
    "disc": _disc,
    "arrow": _arrow,
    "ellipses": _ellipses,
    "h": _letters(_H, (120, 14, 24), CHROME),
    "t": _letters(_T, CHROME, (170, 20, 30)),
    "word": _letters(_WORD, BLACK, CHROME),
}
