"""What is painted on a vehicle's flanks: stripes, checks, panels, chevrons, words, crosses."""

from __future__ import annotations

from roadworthy.data.generated.canvas import Canvas, Colour, box, shade
from roadworthy.data.generated.vehicles import Part
from roadworthy.data.generated.views import View


def _flank(view: View) -> tuple[float, float]:
    """Return the lower and the upper edge of the flank under the windows."""
    return 128, view.body.nose[1] - 6


def _tone(view: View, colour: Colour) -> Colour:
    """Return the colour as the flank shows it: in shadow when the face is seen too."""
    return shade(colour, 88) if view.shows_face else colour


def stripe(colour: Colour, low: int, high: int) -> Part:
    """Return a band along the car between two percentages of the flank's height."""

    def draw(canvas: Canvas, view: View) -> None:
        y0, y1 = _flank(view)
        span = y1 - y0
        band = box(16, y0 + span * low / 100, 985, y0 + span * high / 100)
        canvas.polygon(view.side(band), _tone(view, colour))

    return draw


def checks(first: Colour, second: Colour, rows: int = 2, columns: int = 10) -> Part:
    """Return a chequered band along the car."""

    def draw(canvas: Canvas, view: View) -> None:
        y0, y1 = _flank(view)
        y0 += 16
        width, height = 965 / columns, (y1 - y0) / rows
        for row in range(rows):
            for column in range(columns):
                x, y = 18 + column * width, y0 + row * height
                colour = (first, second)[(row + column) % 2]
                canvas.polygon(
                    view.side(box(x, y, x + width + 1, y + height + 1)), _tone(view, colour)
                )

    return draw


def doors(colour: Colour) -> Part:
    """Return doors in a colour of their own."""

    def draw(canvas: Canvas, view: View) -> None:
        start = view.body.doors[0]
        end = min(760.0, start + 450)
        panel = box(start, 100, end, view.body.belt + 4)
        canvas.polygon(view.side(panel), _tone(view, colour))

    return draw


def lower_half(colour: Colour) -> Part:
    """Return a lower half in a colour of its own."""

    def draw(canvas: Canvas, view: View) -> None:
        low, high = _flank(view)
        half = [(x, min(y, (low + high) / 2)) for x, y in view.body.profile]
        canvas.polygon(view.side(half), _tone(view, colour))

    return draw


def chevrons(first: Colour, second: Colour) -> Part:
    """Return slanted bars over the rear part of the flank."""

    def draw(canvas: Canvas, view: View) -> None:
        y0, y1 = _flank(view)
        for index in range(8):
            x = 250 + index * 90
            bar = ((x, y0 + 14), (x + 90, y0 + 14), (x + 60, y1), (x - 30, y1))
            canvas.polygon(view.side(bar), _tone(view, (first, second)[index % 2]))

    return draw


def word(colour: Colour, x: float = 380, letters: int = 6) -> Part:
    """Return a word too small to read, as on any small picture."""

    def draw(canvas: Canvas, view: View) -> None:
        y0, y1 = _flank(view)
        middle = (y0 + y1) / 2 + 8
        for index in range(letters):
            left = x + index * 40
            canvas.polygon(
                view.side(box(left, middle - 22, left + 24, middle + 22)), _tone(view, colour)
            )

    return draw


def cross(colour: Colour, x: float = 560) -> Part:
    """Return a cross on the flank."""

    def draw(canvas: Canvas, view: View) -> None:
        y0, y1 = _flank(view)
        middle = (y0 + y1) / 2 + 8
        for wide, high in ((24, 66), (66, 24)):
            canvas.polygon(
                view.side(box(x - wide, middle - high, x + wide, middle + high)),
                _tone(view, colour),
            )

    return draw


def bonnet(colour: Colour) -> Part:
    """Return a band across the nose, to be seen from the front."""

    def draw(canvas: Canvas, view: View) -> None:
        if view.shows_face:
            canvas.polygon(view.face(box(-99, 42, 99, 60)), colour)

    return draw
