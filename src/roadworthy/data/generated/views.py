"""From where a vehicle is seen: its own units onto pixels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from random import Random

from roadworthy.data.generated.bodies import Body
from roadworthy.data.generated.canvas import Point

# The face of a vehicle is 200 units wide (-100 is left) and 60 high (0 is the bumper's foot).
FACE_WIDTH = 200
FACE_HEIGHT = 60
# How far a cabin leans in between its belt and its roof, as a share of the vehicle's width.
LEAN = 0.12


@dataclass(frozen=True)
class View:
    """An oblique picture of a body: near side at z=0, far side at z=1, both in the body's units."""

    body: Body
    x: float
    ground: float
    length: float
    depth: float
    height: float
    rise: float
    facing: int

    def at(self, x: float, y: float, z: float = 0.0) -> Point:
        """Return the pixel of a point of the body."""
        lean = LEAN * max(0.0, (y - self.body.belt) / (self.body.top - self.body.belt))
        across = lean + z * (1 - 2 * lean)
        right = self.x + self.facing * (self.length * x / 1000 - self.depth * across)
        up = self.height * y / self.body.top + self.rise * (x / 1000 * 0.75 + across * 0.25)
        return right, self.ground - up

    def side(self, points: Iterable[Point]) -> list[Point]:
        """Return pixels for points on the near side."""
        return [self.at(x, y) for x, y in points]

    def face(self, points: Iterable[Point]) -> list[Point]:
        """Return pixels for points on the front."""
        low, high = self.body.nose
        return [
            self.at(
                0,
                low + v * (high - low) / FACE_HEIGHT,
                0.5 - self.facing * u / FACE_WIDTH,
            )
            for u, v in points
        ]

    @property
    def unit(self) -> float:
        """The pixels of one unit of the near side's height, for line widths."""
        return self.height / self.body.top

    @property
    def shows_face(self) -> bool:
        """Whether the front can be seen."""
        return self.depth > self.length * 0.05

    @property
    def shows_side(self) -> bool:
        """Whether the side is seen well enough to be worth drawing."""
        return self.length > self.depth * 0.02

    def bounds(self) -> tuple[float, float, float, float]:
        """Return the smallest box around the vehicle, wheels included: left, top, right, bottom."""
        across = (0.0, 1.0) if self.shows_face else (0.0,)
        points = [self.at(x, y, z) for x, y in self.body.profile for z in across]
        xs = [x for x, _ in points]
        return min(xs), min(y for _, y in points), max(xs), self.ground


def side_view(body: Body, x: float, ground: float, width: float, facing: int) -> View:
    """Return the view of a side, `width` pixels long from `x` on."""
    start = x if facing > 0 else x + width
    return View(body, start, ground, width, 0.0, width * body.top / 1000, 0.0, facing)


def window_view(body: Body, x: float, ground: float, width: float, facing: int) -> View:
    """Return a side drawn a little too high or low, to be about 2.5 times as wide as high."""
    plain = side_view(body, x, ground, width, facing)
    return replace(plain, height=width / (2.5 + (400 - body.top) / 400))


def front_slope(body: Body, share: float) -> float:
    """Return the height of a body for a face of width 1 that takes that share of the picture."""
    return (body.slope - 0.06 * (1 - share)) * (0.4 + 0.6 * body.top / 400)


def face_view(body: Body, x: float, ground: float, width: float, facing: int, share: float) -> View:
    """Return a view of the front that takes that share of the width; the side takes the rest."""
    depth = width * share
    height = depth * front_slope(body, share)
    start = x + depth if facing > 0 else x + width - depth
    rise = height * min(0.12, 0.30 * (1 - share))
    return View(body, start, ground, width - depth, depth, height - rise, rise, facing)


def choose_view(
    rng: Random, kind: str, body: Body, area: tuple[float, float], fill: tuple[float, float]
) -> View:
    """Return a view of a kind ('side', 'front' or 'quarter') placed by chance in a picture."""
    width, height = area
    facing = rng.choice((1, -1))
    size = width * rng.uniform(*fill)
    share = rng.uniform(0.50, 0.68) if kind == "quarter" else rng.uniform(0.90, 0.96)
    if kind == "side":
        size = min(size, height * 0.76 * 1000 / body.top)
    else:
        size = min(size, height * 0.80 / (share * front_slope(body, share)))
    x = (width - size) * rng.uniform(0.2, 0.8)
    ground = height * rng.uniform(0.88, 0.95)
    if kind == "side":
        return side_view(body, x, ground - height * rng.uniform(0, 0.1), size, facing)
    return face_view(body, x, ground, size, facing, share)


def close_view(rng: Random, body: Body, area: tuple[float, float]) -> View:
    """Return a view of the front that fills the picture; the roof may be cut off."""
    width, height = area
    share = rng.choice((rng.uniform(0.78, 0.84), rng.uniform(0.91, 0.95)))
    size = min(width * rng.uniform(0.94, 0.99), height * 1.3)
    x = (width - size) * rng.uniform(0.3, 0.7)
    view = face_view(body, x, 0.0, size, rng.choice((1, -1)), share)
    middle = sum(y for _, y in view.face([(0, 30)]))
    return replace(view, ground=height * rng.uniform(0.61, 0.65) - middle)
