"""What stands in a street and is no vehicle on four wheels: animals, two-wheelers, furniture."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from random import Random

from roadworthy.data.generated.backgrounds import draw_tree
from roadworthy.data.generated.canvas import BLACK, Canvas, Colour, Point, box, oval, shade
from roadworthy.data.generated.palette import WALLS, car_colour, vary


@dataclass(frozen=True)
class Frame:
    """A place for a thing of 100 by 100 units, y upwards from the ground."""

    canvas: Canvas
    x: float
    ground: float
    width: float
    height: float
    facing: int

    def at(self, points: Iterable[Point]) -> list[Point]:
        """Return the pixels of points."""
        middle = self.x + self.width / 2
        return [
            (
                middle + self.facing * (x - 50) / 100 * self.width,
                self.ground - y / 100 * self.height,
            )
            for x, y in points
        ]

    def fill(self, points: Iterable[Point], colour: Colour) -> None:
        """Fill an outline."""
        self.canvas.polygon(self.at(points), colour)

    def line(self, points: Iterable[Point], thick: float, colour: Colour) -> None:
        """Draw a line, its thickness in units."""
        self.canvas.line(self.at(points), thick * self.width / 100, colour)


Thing = Callable[[Random, Frame], None]
_COATS: tuple[Colour, ...] = ((92, 62, 40), (44, 38, 34), (196, 180, 150), (226, 222, 214))


def _wheel(frame: Frame, x: float, radius: float, spokes: bool) -> None:
    high = radius * frame.width / frame.height
    frame.fill(oval(x, high, radius, high), (30, 30, 32))
    inner: Colour = (150, 152, 152) if spokes else (120, 122, 126)
    frame.fill(oval(x, high, radius * 0.82, high * 0.82), inner)
    if spokes:
        for dx, dy in ((0.8, 0), (0.4, 0.7), (-0.4, 0.7)):
            frame.line(
                ((x - radius * dx, high - high * dy), (x + radius * dx, high + high * dy)),
                0.6,
                (80, 80, 82),
            )
    else:
        frame.fill(oval(x, high, radius * 0.35, high * 0.35), (60, 60, 62))


def _bicycle(rng: Random, frame: Frame) -> None:
    paint = car_colour(rng)
    for x in (20, 80):
        _wheel(frame, x, 20, spokes=True)
    hub, seat, head = (48.0, 34.0), (40.0, 78.0), (70.0, 82.0)
    for line in (
        (hub, seat),
        (hub, head),
        (seat, head),
        ((20.0, 36.0), seat),
        ((20.0, 36.0), hub),
        (head, (80.0, 36.0)),
        (head, (66.0, 98.0)),
        ((66.0, 98.0), (74.0, 98.0)),
    ):
        frame.line(line, 2.6, paint)
    frame.fill(box(33, 80, 47, 86), BLACK)


def _motorbike(rng: Random, frame: Frame) -> None:
    paint = car_colour(rng)
    for x in (18, 82):
        _wheel(frame, x, 18, spokes=False)
    frame.fill(((30, 30), (62, 28), (68, 48), (34, 52)), (70, 72, 76))
    frame.fill(((36, 58), (64, 66), (72, 78), (58, 82), (40, 72)), paint)
    frame.fill(((6, 62), (40, 58), (40, 70), (8, 72)), BLACK)
    frame.line(((82, 34), (68, 84), (62, 92)), 3, (90, 92, 96))
    frame.fill(oval(76, 74, 6, 8), (222, 222, 206))
    frame.line(((20, 30), (50, 26)), 4, (150, 150, 152))


def _tractor(rng: Random, frame: Frame) -> None:
    paint = vary(rng, rng.choice(((40, 110, 50), (190, 40, 36), (46, 90, 160))))
    frame.fill(box(44, 34, 96, 58), paint)
    frame.fill(((14, 40), (52, 40), (50, 96), (18, 96)), shade(paint, 70))
    frame.fill(((20, 58), (47, 58), (46, 90), (23, 90)), (120, 140, 156))
    frame.line(((72, 58), (72, 86)), 3, BLACK)
    _wheel(frame, 28, 26, spokes=False)
    _wheel(frame, 84, 14, spokes=False)


def _animal(rng: Random, frame: Frame) -> None:
    coat = vary(rng, rng.choice(_COATS))
    dark = shade(coat, 78)
    for x in (20, 28, 66, 74):
        frame.fill(box(x, 0, x + 6, 45), dark if x in (28, 66) else coat)
    frame.fill(oval(48, 54, 36, 18), coat)
    neck = rng.choice((64, 78, 92))
    frame.fill(((70, 52), (80, 48), (90, neck), (80, neck + 6)), coat)
    frame.fill(oval(90, neck, 10, 8), coat)
    frame.fill(((82, neck + 4), (86, neck + 4), (83, neck + 14)), dark)
    frame.line(((14, 60), (6, 40 if neck > 70 else 76)), 3, dark)
    if rng.random() < 0.4:
        for x in (34, 50, 60):
            frame.fill(oval(x, 56, 6, 9), shade(coat, 40 if coat[0] > 120 else 220))


def _boat(rng: Random, frame: Frame) -> None:
    hull = car_colour(rng)
    frame.fill(((4, 40), (96, 46), (84, 10), (14, 10)), hull)
    frame.line(((5, 36), (94, 41)), 2, shade(hull, 60))
    frame.fill(((24, 42), (58, 44), (54, 66), (28, 66)), (226, 226, 220))
    frame.fill(box(31, 50, 50, 60), (70, 90, 110))
    frame.line(((60, 44), (60, 100)), 1.6, (120, 100, 80))
    if rng.random() < 0.5:
        frame.fill(((62, 48), (92, 50), (62, 98)), (232, 228, 216))
    for x in (20, 76):
        frame.fill(box(x, 0, x + 5, 12), (110, 90, 70))


def _bench(rng: Random, frame: Frame) -> None:
    wood = vary(rng, (140, 96, 58))
    for y in (38, 56, 70, 84):
        frame.fill(box(6, y, 94, y + 9), wood)
    for x in (14, 82):
        frame.fill(box(x, 0, x + 5, 90), BLACK)


def _bins(rng: Random, frame: Frame) -> None:
    for x in (6, 38, 70):
        paint = vary(rng, rng.choice(((50, 100, 60), (60, 62, 66), (170, 140, 40), (50, 80, 140))))
        frame.fill(((x + 3, 4), (x + 23, 4), (x + 26, 76), (x, 76)), paint)
        frame.fill(((x - 2, 76), (x + 28, 76), (x + 24, 90), (x + 2, 90)), shade(paint, 70))
        frame.fill(oval(x + 6, 5, 4, 6), BLACK)


def _hut(rng: Random, frame: Frame) -> None:
    wall = vary(rng, rng.choice(WALLS))
    frame.fill(box(10, 0, 90, 62), wall)
    frame.fill(((4, 60), (50, 100), (96, 60)), vary(rng, (120, 60, 48)))
    frame.fill(box(42, 0, 58, 40), (84, 60, 44))
    for x in (18, 66):
        frame.fill(box(x, 24, x + 16, 48), (90, 110, 130))


def _tree(rng: Random, frame: Frame) -> None:
    middle = frame.x + frame.width / 2
    draw_tree(rng, frame.canvas, middle, frame.ground, frame.height * 1.2)


def _nothing(rng: Random, frame: Frame) -> None:
    """Leave the street empty."""


# Each with its usual height for a width of 1.
THINGS: tuple[tuple[Thing, float], ...] = (
    (_bicycle, 0.56),
    (_motorbike, 0.60),
    (_tractor, 0.74),
    (_animal, 0.78),
    (_animal, 0.70),
    (_boat, 0.62),
    (_bench, 0.48),
    (_bins, 0.66),
    (_hut, 0.72),
    (_tree, 1.0),
    (_nothing, 0.5),
)


def draw_thing(rng: Random, canvas: Canvas, fill: tuple[float, float]) -> None:
    """Draw one thing, as wide as that share of the picture lets it be."""
    thing, slope = rng.choice(THINGS)
    width = canvas.width * rng.uniform(*fill)
    height = min(width * slope * rng.uniform(0.9, 1.1), canvas.height * 0.85)
    x = (canvas.width - width) * rng.uniform(0.15, 0.85)
    ground = canvas.height * rng.uniform(0.82, 0.95)
    canvas.oval((x + width / 2, ground), width * 0.5, canvas.height * 0.02, BLACK, 100)
    thing(rng, Frame(canvas, x, ground, width, height, rng.choice((1, -1))))
