"""Streets: sky, houses or trees, pavement and road."""

from __future__ import annotations

from random import Random

from roadworthy.data.generated.canvas import WHITE, Canvas, Colour, mix, shade
from roadworthy.data.generated.palette import GREENS, WALLS, vary


def draw_street(rng: Random, canvas: Canvas, horizon: float | None = None) -> None:
    """Draw a street; `horizon` is the share of the height above the road."""
    share = rng.uniform(0.42, 0.66) if horizon is None else horizon
    edge = canvas.height * share
    _draw_sky(rng, canvas, edge)
    rng.choice((_draw_houses, _draw_houses, _draw_trees, _draw_wall, _draw_hills))(
        rng, canvas, edge
    )
    _draw_road(rng, canvas, edge)
    if rng.random() < 0.5:
        _draw_furniture(rng, canvas, edge)


def _draw_sky(rng: Random, canvas: Canvas, edge: float) -> None:
    top = vary(
        rng, rng.choice(((120, 160, 210), (170, 180, 190), (196, 200, 206), (214, 176, 150)))
    )
    low = mix(top, WHITE, 45)
    for band in range(8):
        canvas.rectangle(
            0, edge * band / 8, canvas.width, edge * (band + 1) / 8, mix(top, low, band * 14)
        )


def _draw_houses(rng: Random, canvas: Canvas, edge: float) -> None:
    x = -rng.uniform(0, 0.2) * canvas.width
    while x < canvas.width:
        width = canvas.width * rng.uniform(0.18, 0.5)
        top = edge * rng.uniform(-0.1, 0.55)
        _draw_house(rng, canvas, (x, top, x + width, edge))
        x += width + (canvas.width * 0.05 if rng.random() < 0.3 else 0)


def _draw_house(rng: Random, canvas: Canvas, place: tuple[float, float, float, float]) -> None:
    x0, y0, x1, y1 = place
    wall = vary(rng, rng.choice(WALLS))
    canvas.rectangle(x0, y0, x1, y1, wall)
    if rng.random() < 0.5:
        rise = (y1 - y0) * 0.25
        canvas.polygon(
            [(x0 - 3, y0), ((x0 + x1) / 2, y0 - rise), (x1 + 3, y0)], vary(rng, (110, 62, 50))
        )
    columns, rows = rng.randint(2, 4), rng.randint(2, 3)
    pane = vary(rng, rng.choice(((60, 70, 84), (96, 110, 124), (190, 176, 120))))
    step_x, step_y = (x1 - x0) / columns, (y1 - y0) / rows
    for column in range(columns):
        for row in range(rows):
            left, top = x0 + step_x * (column + 0.25), y0 + step_y * (row + 0.2)
            canvas.rectangle(left, top, left + step_x * 0.5, top + step_y * 0.55, pane)


def draw_tree(rng: Random, canvas: Canvas, x: float, ground: float, height: float) -> None:
    """Draw a tree standing at a place."""
    green = vary(rng, rng.choice(GREENS))
    trunk = height * 0.05
    canvas.rectangle(x - trunk, ground - height * 0.5, x + trunk, ground, (82, 62, 46))
    for _ in range(7):
        centre = (x + height * rng.uniform(-0.2, 0.2), ground - height * rng.uniform(0.45, 0.85))
        radius = height * rng.uniform(0.12, 0.22)
        canvas.oval(centre, radius, radius * 0.9, shade(green, rng.randint(75, 120)))


def _draw_trees(rng: Random, canvas: Canvas, edge: float) -> None:
    canvas.rectangle(0, edge * 0.75, canvas.width, edge, vary(rng, rng.choice(GREENS)))
    for index in range(5):
        x = canvas.width * (index + rng.uniform(0, 0.9)) / 5
        draw_tree(rng, canvas, x, edge, edge * rng.uniform(0.6, 1.1))


def _draw_wall(rng: Random, canvas: Canvas, edge: float) -> None:
    wall = vary(rng, rng.choice(WALLS))
    top = edge * rng.uniform(-0.2, 0.4)
    canvas.rectangle(0, top, canvas.width, edge, wall)
    gap = max(6.0, canvas.height * 0.05)
    y = top
    while y < edge:
        canvas.line([(0, y), (canvas.width, y)], 1, shade(wall, 84))
        y += gap
    if rng.random() < 0.4:
        x = canvas.width * rng.uniform(0.1, 0.6)
        canvas.rectangle(x, edge * 0.5, x + canvas.width * 0.25, edge, vary(rng, (90, 96, 104)))


def _draw_hills(rng: Random, canvas: Canvas, edge: float) -> None:
    for _ in range(3):
        green = mix(vary(rng, rng.choice(GREENS)), (170, 180, 190), rng.randint(0, 50))
        centre = (canvas.width * rng.uniform(0, 1), edge)
        canvas.oval(
            centre, canvas.width * rng.uniform(0.3, 0.6), edge * rng.uniform(0.2, 0.6), green
        )


def _draw_road(rng: Random, canvas: Canvas, edge: float) -> None:
    depth = canvas.height - edge
    asphalt = vary(rng, rng.choice(((92, 92, 96), (116, 114, 112), (74, 76, 82), (138, 132, 124))))
    pavement: Colour = vary(rng, (162, 158, 152))
    canvas.rectangle(0, edge, canvas.width, canvas.height, asphalt)
    canvas.rectangle(0, edge, canvas.width, edge + depth * 0.14, pavement)
    canvas.rectangle(0, edge + depth * 0.14, canvas.width, edge + depth * 0.18, shade(pavement, 70))
    for _ in range(10):
        centre = (canvas.width * rng.random(), edge + depth * rng.uniform(0.25, 1))
        canvas.oval(centre, canvas.width * 0.08, depth * 0.03, shade(asphalt, rng.randint(88, 110)))
    if rng.random() < 0.6:
        y, step = edge + depth * rng.uniform(0.4, 0.8), canvas.width / 3
        start = -rng.uniform(0, step)
        for index in range(4):
            x = start + step * index
            canvas.rectangle(x, y, x + step * 0.5, y + depth * 0.04, (206, 204, 192))


def _draw_furniture(rng: Random, canvas: Canvas, edge: float) -> None:
    x = canvas.width * rng.choice((rng.uniform(0, 0.2), rng.uniform(0.8, 1)))
    foot = edge + (canvas.height - edge) * 0.1
    if rng.random() < 0.5:
        canvas.rectangle(x, 0, x + canvas.width * 0.015, foot, (70, 74, 78))
    else:
        draw_tree(rng, canvas, x, foot, edge * rng.uniform(0.6, 0.9))
