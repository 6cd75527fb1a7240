"""A picture to draw on: shapes in pixels, shapes' outlines and lights that shine at night."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw

Point = tuple[float, float]
Colour = tuple[int, int, int]

BLACK: Colour = (18, 18, 20)
WHITE: Colour = (244, 244, 240)

# The unit circle at every 15 degrees, written out: no maths library, so no last-digit differences.
_QUARTER = ((1.0, 0.0), (0.966, 0.259), (0.866, 0.5), (0.707, 0.707), (0.5, 0.866), (0.259, 0.966))
_CIRCLE: tuple[Point, ...] = (
    *_QUARTER,
    *((-y, x) for x, y in _QUARTER),
    *((-x, -y) for x, y in _QUARTER),
    *((y, -x) for x, y in _QUARTER),
)


def oval(cx: float, cy: float, rx: float, ry: float) -> list[Point]:
    """Return the outline of an ellipse."""
    return [(cx + rx * x, cy + ry * y) for x, y in _CIRCLE]


def box(x0: float, y0: float, x1: float, y1: float) -> list[Point]:
    """Return the outline of a rectangle."""
    return [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]


def smooth(points: Sequence[Point]) -> tuple[Point, ...]:
    """Return the closed outline with its corners cut off (one round of Chaikin's rule)."""
    result: list[Point] = []
    for (ax, ay), (bx, by) in zip(points, [*points[1:], points[0]], strict=True):
        result.append((ax * 0.8 + bx * 0.2, ay * 0.8 + by * 0.2))
        result.append((ax * 0.2 + bx * 0.8, ay * 0.2 + by * 0.8))
    return tuple(result)


def shade(colour: Colour, percent: int) -> Colour:
    """Return the colour darker (below 100 percent) or lighter (above)."""
    red, green, blue = (min(255, part * percent // 100) for part in colour)
    return red, green, blue


def mix(first: Colour, second: Colour, percent: int) -> Colour:
    """Return the first colour with so many percent of the second one in it."""
    red, green, blue = (
        (a * (100 - percent) + b * percent) // 100 for a, b in zip(first, second, strict=True)
    )
    return red, green, blue


class Canvas:
    """An RGB picture, drawn at a multiple of its later size."""

    def __init__(self, width: int, height: int) -> None:
        """Start with a grey picture of that many pixels."""
        self.image = Image.new("RGB", (width, height), (128, 128, 128))
        self.lights: list[tuple[Point, float, Colour]] = []
        self._draw = ImageDraw.Draw(self.image, "RGBA")

    @property
    def width(self) -> int:
        """The width in pixels."""
        return self.image.width

    @property
    def height(self) -> int:
        """The height in pixels."""
        return self.image.height

    def polygon(self, points: Sequence[Point], fill: Colour, alpha: int = 255) -> None:
        """Fill an outline."""
        whole = [(round(x), round(y)) for x, y in points]
        self._draw.polygon(whole, fill=(*fill, alpha))

    def line(self, points: Sequence[Point], width: float, fill: Colour, alpha: int = 255) -> None:
        """Draw a line through the points."""
        whole = [(round(x), round(y)) for x, y in points]
        self._draw.line(whole, fill=(*fill, alpha), width=max(1, round(width)))

    def oval(self, centre: Point, rx: float, ry: float, fill: Colour, alpha: int = 255) -> None:
        """Fill an ellipse."""
        self.polygon(oval(*centre, rx, ry), fill, alpha)

    def rectangle(
        self, x0: float, y0: float, x1: float, y1: float, fill: Colour, alpha: int = 255
    ) -> None:
        """Fill a rectangle."""
        self.polygon(box(x0, y0, x1, y1), fill, alpha)

    def soften(self) -> None:
        """Put what is drawn so far out of focus and into the haze, as a lens does with the distance."""
        width, height = self.image.size
        far = self.image.resize((width // 7, height // 7), Image.Resampling.BOX)
        haze = far.resize((1, 1), Image.Resampling.BOX).resize(far.size)
        far = Image.blend(far, haze, 0.35)
        self.image.paste(far.resize(self.image.size, Image.Resampling.BILINEAR))

    def add_light(self, centre: Point, radius: float, colour: Colour) -> None:
        """Remember a light; it is drawn by `shine`, after the night has fallen."""
        self.lights.append((centre, radius, colour))

    def shine(self) -> None:
        """Draw the glow of the lights remembered so far."""
        for centre, radius, colour in self.lights:
            for step, alpha in ((1.9, 30), (1.4, 45), (0.9, 90)):
                self.oval(centre, radius * step, radius * step, colour, alpha)
            self.oval(centre, radius * 0.45, radius * 0.45, mix(colour, WHITE, 70))
