"""What is carried on a roof: light bars, signs, boxes and racks."""

from __future__ import annotations

from roadworthy.data.generated.canvas import BLACK, WHITE, Canvas, Colour, mix, shade
from roadworthy.data.generated.vehicles import Part
from roadworthy.data.generated.views import View

Span = tuple[float, float]
# The length of a light bar along the car: longer than in life, to be seen on a small picture.
_BAR = 180


def _block(canvas: Canvas, view: View, x: Span, y: Span, z: Span, colour: Colour) -> None:
    """Draw a box standing on the roof; heights are above the roof."""
    (x0, x1), (z0, z1) = x, z
    y0, y1 = (view.body.top + part for part in y)
    if view.shows_face:
        upper = [view.at(x0, y1, z0), view.at(x1, y1, z0), view.at(x1, y1, z1), view.at(x0, y1, z1)]
        canvas.polygon(upper, mix(colour, WHITE, 20))
        front = [view.at(x0, y0, z0), view.at(x0, y1, z0), view.at(x0, y1, z1), view.at(x0, y0, z1)]
        canvas.polygon(front, colour)
    side = [view.at(x0, y0, z0), view.at(x0, y1, z0), view.at(x1, y1, z0), view.at(x1, y0, z0)]
    canvas.polygon(side, shade(colour, 84))


def _front_of_roof(view: View) -> float:
    first, last = view.body.roof
    return first + (last - first) * 0.2


def light_bar(first: Colour, second: Colour, *, lit: bool) -> Part:
    """Return a light bar of two colours."""

    def draw(canvas: Canvas, view: View) -> None:
        x = _front_of_roof(view)
        _block(canvas, view, (x, x + _BAR), (-4, 8), (0.08, 0.92), BLACK)
        for index, colour in enumerate((second, first)):
            bright = mix(colour, WHITE, 25) if lit else shade(colour, 72)
            z = (0.1 + 0.4 * index, 0.5 + 0.4 * index) if view.shows_face else (0.1, 0.9)
            part = (
                (x, x + _BAR)
                if view.shows_face
                else (x + _BAR // 2 * index, x + _BAR // 2 * (index + 1))
            )
            _block(canvas, view, part, (8, 76), z, bright)
            if lit:
                middle = view.at(sum(part) / 2, view.body.top + 42, sum(z) / 2)
                canvas.add_light(middle, view.unit * 34, colour)

    return draw


def sign(colour: Colour, ink: Colour) -> Part:
    """Return a lettered sign, as on a taxi or a driving school's car."""

    def draw(canvas: Canvas, view: View) -> None:
        x = _front_of_roof(view) + 20
        _block(canvas, view, (x, x + 110), (-4, 44), (0.3, 0.7), colour)
        if view.shows_face:
            _block(canvas, view, (x, x), (12, 30), (0.36, 0.64), ink)
        else:
            _block(canvas, view, (x + 20, x + 90), (12, 30), (0.3, 0.7), ink)

    return draw


def luggage_box(colour: Colour) -> Part:
    """Return a roof box."""

    def draw(canvas: Canvas, view: View) -> None:
        first, last = view.body.roof
        _block(canvas, view, (first - 30, last + 40), (8, 62), (0.18, 0.62), colour)
        _block(canvas, view, (first - 10, last + 20), (62, 74), (0.24, 0.56), shade(colour, 110))

    return draw


def rack(load: Colour) -> Part:
    """Return two bars with skis or planks on them."""

    def draw(canvas: Canvas, view: View) -> None:
        first, last = view.body.roof
        for x in (first, last - 20):
            _block(canvas, view, (x, x + 22), (-4, 18), (0.05, 0.95), BLACK)
        for z in (0.25, 0.45, 0.65):
            _block(canvas, view, (first - 90, last + 90), (18, 30), (z, z + 0.1), load)

    return draw
