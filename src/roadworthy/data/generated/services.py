"""Police cars, and the vehicles that are taken for them. One entry adds a kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from roadworthy.data.generated.bodies import BODIES, VANS, Body
from roadworthy.data.generated.canvas import BLACK, WHITE, Colour
from roadworthy.data.generated.liveries import (
    bonnet,
    checks,
    chevrons,
    cross,
    doors,
    lower_half,
    stripe,
    word,
)
from roadworthy.data.generated.palette import car_colour, service_colour, vary
from roadworthy.data.generated.roofs import light_bar, luggage_box, rack, sign
from roadworthy.data.generated.vehicles import Part

BLUE: Colour = (28, 70, 176)
_NAVY: Colour = (24, 40, 92)
_RED: Colour = (206, 30, 34)
_YELLOW: Colour = (232, 210, 50)
_GREEN: Colour = (28, 122, 66)
_ORANGE: Colour = (232, 120, 30)
_SILVER: Colour = (184, 188, 196)
_WHITE_CAR: Colour = (240, 240, 238)
_DARK: Colour = (30, 31, 36)

_SALOONS = tuple(BODIES[name] for name in ("sedan", "hatchback", "suv", "estate", "coupe"))
_POLICE_BODIES = (*_SALOONS, *_SALOONS, *VANS)


@dataclass(frozen=True)
class Kind:
    """A kind of vehicle: how often, which bodies and paints, what is on it."""

    name: str
    weight: int
    bodies: tuple[Body, ...]
    paint: Callable[[Random], Colour]
    livery: Callable[[Random], tuple[Part, ...]]
    roof: Callable[[Random], tuple[Part, ...]]


def _painted(*colours: Colour) -> Callable[[Random], Colour]:
    return lambda rng: vary(rng, rng.choice(colours), 10)


def _always(*parts: Part) -> Callable[[Random], tuple[Part, ...]]:
    return lambda rng: parts


def _bar(*pairs: tuple[Colour, Colour]) -> Callable[[Random], tuple[Part, ...]]:
    return lambda rng: (light_bar(*rng.choice(pairs), lit=rng.random() < 0.6),)


_BLUE_BAR = _bar((BLUE, BLUE))
_MIXED_BAR = _bar((_RED, BLUE), (BLUE, _RED), (BLUE, BLUE))
_AMBER_BAR = _bar((_ORANGE, _ORANGE))

POLICE: tuple[Kind, ...] = (
    Kind(
        "black and white",
        3,
        _POLICE_BODIES,
        _painted(_DARK),
        _always(doors(WHITE), word(_DARK)),
        _MIXED_BAR,
    ),
    Kind(
        "white over black",
        2,
        _POLICE_BODIES,
        _painted(_WHITE_CAR),
        _always(lower_half(BLACK), bonnet(BLACK)),
        _MIXED_BAR,
    ),
    Kind(
        "battenberg",
        5,
        _POLICE_BODIES,
        _painted(_WHITE_CAR, _SILVER),
        _always(checks(BLUE, _YELLOW), bonnet(_YELLOW)),
        _BLUE_BAR,
    ),
    Kind(
        "blue stripe",
        4,
        _POLICE_BODIES,
        _painted(_SILVER, _WHITE_CAR),
        _always(stripe(BLUE, 25, 75), word(WHITE), bonnet(BLUE)),
        _BLUE_BAR,
    ),
    Kind(
        "white and green",
        2,
        _POLICE_BODIES,
        _painted(_WHITE_CAR),
        _always(doors(_GREEN), word(WHITE), bonnet(_GREEN)),
        _BLUE_BAR,
    ),
    Kind(
        "navy",
        2,
        _POLICE_BODIES,
        _painted(_NAVY),
        _always(stripe(WHITE, 30, 70), word(_NAVY), bonnet(WHITE)),
        _MIXED_BAR,
    ),
    Kind(
        "red and blue lines",
        3,
        _POLICE_BODIES,
        _painted(_WHITE_CAR),
        _always(stripe(BLUE, 50, 80), stripe(_RED, 20, 50), bonnet(BLUE)),
        _MIXED_BAR,
    ),
)


def _courier(rng: Random) -> tuple[Part, ...]:
    colour = rng.choice((_RED, _GREEN, _ORANGE))
    band = stripe(colour, rng.randint(15, 40), rng.randint(50, 80))
    return (band, word(WHITE)) if rng.random() < 0.4 else (band,)


def _two_tone(rng: Random) -> tuple[Part, ...]:
    colour = rng.choice((_SILVER, _DARK, _GREEN))
    return (rng.choice((doors, lower_half))(colour),)


def _load(rng: Random) -> tuple[Part, ...]:
    colour = rng.choice((_DARK, _SILVER, WHITE, _GREEN))
    return (rng.choice((luggage_box, rack))(colour),)


def _medic(rng: Random) -> tuple[Part, ...]:
    band = rng.choice((stripe(_ORANGE, 30, 80), stripe(_ORANGE, 20, 60), stripe(_RED, 20, 55)))
    return band, cross(rng.choice((_RED, _GREEN, WHITE))), bonnet(rng.choice((_ORANGE, _YELLOW)))


LOOK_ALIKES: tuple[Kind, ...] = (
    Kind("private", 9, _SALOONS, service_colour, _always(), _always()),
    Kind("coloured", 3, _SALOONS, car_colour, _always(), _always()),
    Kind("loaded", 4, _SALOONS, service_colour, _always(), _load),
    Kind("two-tone", 1, _SALOONS, service_colour, _two_tone, _always()),
    Kind("courier", 1, _POLICE_BODIES, _painted(_WHITE_CAR, _SILVER), _courier, _always()),
    Kind(
        "yellow taxi",
        1,
        _SALOONS,
        _painted(_YELLOW),
        _always(checks(BLACK, WHITE, 1, 18)),
        _always(sign(WHITE, BLACK)),
    ),
    Kind(
        "white taxi",
        2,
        _SALOONS,
        service_colour,
        _always(word(BLACK)),
        _always(sign(_YELLOW, BLACK)),
    ),
    Kind("driving school", 1, _SALOONS, service_colour, _courier, _always(sign(_RED, WHITE))),
    Kind(
        "ambulance",
        2,
        VANS,
        _painted(_WHITE_CAR, _WHITE_CAR),
        _medic,
        _BLUE_BAR,
    ),
    Kind(
        "road works",
        2,
        _POLICE_BODIES,
        _painted(_WHITE_CAR, _SILVER),
        _always(chevrons(_ORANGE, WHITE), bonnet(_ORANGE)),
        _AMBER_BAR,
    ),
    Kind(
        "fire chief",
        1,
        _SALOONS,
        _painted(_RED),
        _always(stripe(WHITE, 30, 65), bonnet(WHITE)),
        _BLUE_BAR,
    ),
    Kind(
        "school bus",
        1,
        (BODIES["bus"],),
        _painted(_YELLOW, (226, 160, 40)),
        _always(stripe(BLACK, 40, 60)),
        _always(),
    ),
)


def choose_kind(rng: Random, kinds: tuple[Kind, ...]) -> Kind:
    """Return a kind by chance, according to the weights."""
    return rng.choices(kinds, [kind.weight for kind in kinds])[0]
