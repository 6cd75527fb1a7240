"""Colours drawn by chance, the same for every class of a task."""

from __future__ import annotations

from random import Random

from roadworthy.data.generated.canvas import Colour

CAR_COLOURS: tuple[Colour, ...] = (
    (236, 236, 232),
    (206, 208, 212),
    (150, 154, 160),
    (96, 100, 108),
    (34, 35, 40),
    (150, 26, 32),
    (198, 44, 40),
    (28, 52, 118),
    (58, 104, 170),
    (30, 82, 58),
    (112, 82, 56),
    (206, 178, 60),
    (196, 110, 44),
    (186, 176, 150),
    (92, 40, 66),
)
# Half of all police cars and of their look-alikes are white: being white says nothing.
SERVICE_COLOURS: tuple[Colour, ...] = (
    (240, 240, 238),
    (240, 240, 238),
    (232, 234, 230),
    (240, 240, 238),
    (190, 194, 200),
    (176, 180, 188),
    (30, 31, 36),
    (26, 42, 92),
)
WALLS: tuple[Colour, ...] = (
    (152, 92, 74),
    (186, 170, 146),
    (128, 126, 124),
    (202, 196, 186),
    (120, 96, 82),
    (164, 152, 128),
    (98, 108, 120),
    (196, 150, 110),
)
GREENS: tuple[Colour, ...] = (
    (52, 96, 46),
    (74, 116, 52),
    (38, 78, 50),
    (104, 120, 58),
    (126, 98, 46),
)


def vary(rng: Random, colour: Colour, by: int = 14) -> Colour:
    """Return the colour moved a little by chance."""
    red, green, blue = (max(0, min(255, part + rng.randint(-by, by))) for part in colour)
    return red, green, blue


def car_colour(rng: Random) -> Colour:
    """Return the colour of a private car."""
    return vary(rng, rng.choice(CAR_COLOURS))


def service_colour(rng: Random) -> Colour:
    """Return the colour of a car that is, or could be taken for, a police car."""
    return vary(rng, rng.choice(SERVICE_COLOURS), 10)
