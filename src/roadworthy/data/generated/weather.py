"""Weather and light over a finished drawing, and the camera that takes the picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from PIL import Image, ImageChops

from roadworthy.data.generated.canvas import WHITE, Canvas, Colour

SUPERSAMPLE = 3
# Pixels drawn beyond each edge, so that the frames of a clip can look a little to the side.
MARGIN = 4


@dataclass(frozen=True)
class Light:
    """A time of day: what it does to colours, and how bright the camera makes the picture."""

    tint: Colour
    mean: tuple[int, int]
    lamps: bool


_DAY = Light((255, 255, 255), (104, 146), False)
_DUSK = Light((214, 176, 168), (84, 120), True)
_NIGHT = Light((120, 126, 160), (66, 94), True)


def choose_light(rng: Random) -> Light:
    """Return a time of day, day being the most frequent."""
    return rng.choice((_DAY,) * 8 + (_DUSK, _NIGHT))


def _rain(rng: Random, canvas: Canvas) -> None:
    canvas.rectangle(0, 0, canvas.width, canvas.height, (120, 126, 134), 50)
    for _ in range(45):
        x, y = rng.randrange(canvas.width), rng.randrange(canvas.height)
        canvas.line([(x, y), (x - 5, y + canvas.height // 12)], 1, (220, 224, 230), 130)


def _fog(rng: Random, canvas: Canvas) -> None:
    canvas.rectangle(0, 0, canvas.width, canvas.height, (206, 208, 210), rng.randint(30, 70))


def _snow(rng: Random, canvas: Canvas) -> None:
    canvas.rectangle(0, canvas.height * 0.7, canvas.width, canvas.height, WHITE, 70)
    for _ in range(36):
        place = (rng.randrange(canvas.width), rng.randrange(canvas.height))
        radius = rng.randint(2, 4)
        canvas.oval(place, radius, radius, WHITE, 220)


def _clear(rng: Random, canvas: Canvas) -> None:
    """Leave the drawing as it is."""


_WEATHERS: tuple[Callable[[Random, Canvas], None], ...] = (
    *(_clear,) * 12,
    _rain,
    _fog,
    _snow,
)


def apply_weather(rng: Random, canvas: Canvas, light: Light) -> None:
    """Lay weather and light over the drawing."""
    rng.choice(_WEATHERS)(rng, canvas)
    if light.lamps:
        table = [value * part // 255 for part in light.tint for value in range(256)]
        canvas.image.paste(canvas.image.point(table))
    canvas.shine()


@dataclass(frozen=True)
class Shot:
    """How one picture is taken: its size, its mean brightness, and the camera's aim in pixels."""

    size: tuple[int, int]
    brightness: int
    aim: tuple[int, int] = (0, 0)
    faded: bool = False
    grain: tuple[int, int] = (0, 2)


def photograph(rng: Random, image: Image.Image, shot: Shot) -> Image.Image:
    """Return the picture a camera takes: reduced, exposed, and with grain.

    The camera sets exposure and white balance, as cameras do, so a picture's mean colour
    tells the time of day but never what is in the picture.
    """
    (width, height), (dx, dy) = shot.size, shot.aim
    left, top = (MARGIN + dx) * SUPERSAMPLE, (MARGIN + dy) * SUPERSAMPLE
    frame = (left, top, left + width * SUPERSAMPLE, top + height * SUPERSAMPLE)
    small = image.resize(shot.size, Image.Resampling.BOX, box=frame)
    if shot.faded:
        small = Image.blend(small, small.convert("L").convert("RGB"), 0.4)
        small = small.point([28 + value * 205 // 255 for value in range(256)] * 3)
    small = _expose(rng, small, shot.brightness)
    return _add_grain(rng, small, rng.randint(2, 4) if shot.faded else rng.randint(*shot.grain))


def _expose(rng: Random, image: Image.Image, brightness: int) -> Image.Image:
    means = image.resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))
    assert isinstance(means, tuple)
    grey = sum(means) / 3
    table: list[int] = []
    for mean in means:
        # Half of a colour cast is corrected: a wholly grey world would look false.
        wanted = (brightness + rng.randint(-6, 6)) * (1 + (mean / max(1.0, grey) - 1) / 2)
        gain = min(3.0, max(0.3, wanted / max(1, mean)))
        table += [min(255, int(value * gain)) for value in range(256)]
    return image.point(table)


def _add_grain(rng: Random, image: Image.Image, strength: int) -> Image.Image:
    width, height = image.size
    grain = Image.frombytes("L", image.size, rng.randbytes(width * height))
    spread = [value * strength * 2 // 255 for value in range(256)]
    coloured = grain.point(spread).convert(image.mode)
    return ImageChops.add(image, coloured, 1.0, -strength)
