"""Scenes as people look at them: what is there, what was found, and where the search grew warm."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from roadworthy.evaluation.detections import MATCH_IOU, Detections, match
from roadworthy.evaluation.explanations import overlay

# Pixels: the longer side of a picture, its caption's height, the key's, and what is between a
# picture and its heat, and between two scenes.
SIDE, CAPTION, KEY, GAP, APART = 380, 26, 30, 4, 22
FONT_SIZE, LINE = 12, 3
DASH = 7
INK, PAPER, GROUND = "#1f2937", "#ffffff", "#9ca3af"
TRUTH, HIT, ALARM, MISSED = "#ffffff", "#16a34a", "#dc2626", "#f59e0b"
KEYS = {"true box, found": TRUTH, "hit": HIT, "false alarm": ALARM, "missed": MISSED}
HEAT = "on grey: confidence, the brighter the surer"
TITLES = {
    "scenes": "The same scenes in every run",
    "misses": "Scenes with the most missed cars",
    "false_alarms": "Scenes with the surest false alarms",
}
# Scenes side by side; each has its heat to the right.
COLUMNS = 2
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Scene:
    """One scene and what was found in it."""

    name: str
    image: Image.Image
    truths: np.ndarray
    """Left, top, right, bottom in pixels of the image, (M, 4)."""
    boxes: np.ndarray
    """(N, 4)."""
    scores: np.ndarray
    """(N,)."""
    heat: np.ndarray | None = None
    """Confidence over the whole image, 0 to 1, (h, w) of any size."""


@dataclass(frozen=True)
class Verdict:
    """The boxes of a scene at a threshold, each kind of shape (., 4)."""

    found: np.ndarray
    """True boxes that were found."""
    missed: np.ndarray
    hits: np.ndarray
    hit_scores: np.ndarray
    alarms: np.ndarray
    alarm_scores: np.ndarray

    def __str__(self) -> str:
        cars = len(self.found) + len(self.missed)
        told = f"{len(self.found)} of {cars} found" if cars else "no car"
        alarms = len(self.alarms)
        return f"{told}, {alarms} false alarm{'' if alarms == 1 else 's'}"


def sheets(
    names: Sequence[str],
    detections: Detections,
    threshold: float,
    look: Callable[[int], tuple[Image.Image, np.ndarray | None]],
    count: int = 8,
) -> dict[str, Image.Image]:
    """A sheet of the scenes that are the same in every run, of the worst misses, of the worst alarms.

    Args:
        names: of the scenes, such as their paths.
        look: gives the picture and the heat of the scene at a place; asked for those shown only.
        count: scenes on a sheet, at most.

    Returns:
        By name, see `TITLES`; without the sheets that would be empty.
    """
    made = {}
    for title, places in chosen(names, detections, threshold, count).items():
        shown = []
        for place in map(int, places):
            image, heat = look(place)
            found = detections.boxes[place], detections.scores[place]
            shown.append(Scene(names[place], image, detections.truths[place], *found, heat))
        if shown:
            made[title] = sheet(shown, threshold)
    return made


def chosen(
    names: Sequence[str], detections: Detections, threshold: float, count: int
) -> dict[str, np.ndarray]:
    """Places of the scenes for each sheet; no scene is on both of the worst.

    `scenes` are chosen by their names' hashes alone, half of them with cars where there are so many;
    `misses` have the most missed cars; `false_alarms` the surest wrong boxes.
    """
    missed = np.zeros(len(names), np.int64)
    alarm = np.zeros(len(names))
    for place, verdict in enumerate(_verdicts(detections, threshold)):
        missed[place] = len(verdict.missed)
        alarm[place] = verdict.alarm_scores.max(initial=0.0)
    turn = np.array([hashlib.sha256(name.encode()).hexdigest() for name in names])
    misses = [n for n in np.lexsort((turn, -missed)) if missed[n]][:count]
    alarms = [n for n in np.lexsort((turn, -alarm)) if alarm[n] and n not in misses][:count]
    kinds = {"scenes": _fixed(turn, detections.cars, count), "misses": misses}
    return {k: np.array(v, np.int64) for k, v in (kinds | {"false_alarms": alarms}).items()}


def judged(scene: Scene, threshold: float) -> Verdict:
    """What was hit, missed and falsely found, at a threshold."""
    one = Detections([scene.truths], [scene.boxes], [scene.scores])
    return next(_verdicts(one, threshold))


def sheet(scenes: Sequence[Scene], threshold: float) -> Image.Image:
    """Scenes with their boxes, each beside its confidence map, under a key of the colours.

    Args:
        scenes: at least one.
    """
    tiles = [_tile(scene, judged(scene, threshold)) for scene in scenes]
    columns = min(COLUMNS, len(tiles))
    rows = [tiles[start : start + columns] for start in range(0, len(tiles), columns)]
    heights = [max(tile.height for tile in row) for row in rows]
    widths = [max(row[n].width for row in rows if n < len(row)) for n in range(columns)]
    wide = max(sum(widths) + APART * (columns - 1), _key_width())
    canvas = Image.new("RGB", (wide, KEY + sum(heights)), PAPER)
    _draw_key(canvas)
    top = KEY
    for row, height in zip(rows, heights, strict=True):
        left = 0
        for tile, width in zip(row, widths, strict=False):
            canvas.paste(tile, (left, top))
            left += width + APART
        top += height
    return canvas


def drawn(picture: Image.Image, size: tuple[int, int], verdict: Verdict) -> Image.Image:
    """The boxes on the picture.

    Args:
        picture: RGB, of any size.
        size: of the image that the boxes are given in.
    """
    canvas = picture.copy()
    draw = ImageDraw.Draw(canvas)
    scale = picture.width / size[0], picture.height / size[1]
    hits, alarms = _scaled(verdict.hits, scale), _scaled(verdict.alarms, scale)
    for boxes, colour in ((_scaled(verdict.missed, scale), MISSED), (alarms, ALARM), (hits, HIT)):
        for box in boxes:
            draw.rectangle(box, outline=colour, width=LINE)
    for box in _scaled(verdict.found, scale):
        _dashed(draw, box)
    # Last, as no line may cross a number.
    for boxes, scores, colour in (
        (alarms, verdict.alarm_scores, ALARM),
        (hits, verdict.hit_scores, HIT),
    ):
        for box, score in zip(boxes, scores, strict=True):
            _label(draw, canvas.width, box, f"{score:.2f}", colour)
    return canvas


def _verdicts(detections: Detections, threshold: float) -> Iterator[Verdict]:
    owners = match(detections, MATCH_IOU)
    scenes = zip(detections.truths, detections.boxes, detections.scores, owners, strict=True)
    for truth, boxes, scores, owner in scenes:
        kept = scores >= threshold
        hit, alarm = kept & (owner >= 0), kept & (owner < 0)
        found = np.isin(np.arange(len(truth)), owner[hit])
        mine = (boxes[hit], scores[hit], boxes[alarm], scores[alarm])
        yield Verdict(truth[found], truth[~found], *mine)


def _fixed(turn: np.ndarray, cars: np.ndarray, count: int) -> np.ndarray:
    """With and without cars by turns, as long as there are both."""
    order = np.argsort(turn, kind="stable")
    empty = cars[order] == 0
    place = np.where(empty, np.cumsum(empty), np.cumsum(~empty))
    return np.asarray(order[np.lexsort((empty, place))][:count])


def _tile(scene: Scene, verdict: Verdict) -> Image.Image:
    """The picture, its heat to the right, its caption below."""
    picture = _fitted(scene.image)
    parts = [drawn(picture, scene.image.size, verdict)]
    if scene.heat is not None:
        parts.append(overlay(np.asarray(picture), scene.heat))
    wide = sum(part.width for part in parts) + GAP * (len(parts) - 1)
    tile = Image.new("RGB", (wide, parts[0].height + CAPTION), PAPER)
    for place, part in enumerate(parts):
        tile.paste(part, (place * (part.width + GAP), 0))
    text = _elided(scene.name.rsplit("/", 1)[-1], f": {verdict}", wide - 4)
    ImageDraw.Draw(tile).text((2, parts[0].height + 3), text, INK, _font())
    return tile


def _fitted(image: Image.Image) -> Image.Image:
    """RGB, `SIDE` pixels long."""
    scale = SIDE / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.convert("RGB").resize(size, Image.Resampling.BICUBIC)


def _dashed(draw: ImageDraw.ImageDraw, box: Box) -> None:
    """White dashes on a dark line, which can be seen on any ground."""
    left, top, right, bottom = box
    draw.rectangle(box, outline=INK, width=1)
    for start in np.arange(left, right, 2 * DASH):
        end = min(start + DASH, right)
        draw.line((start, top, end, top), fill=TRUTH, width=1)
        draw.line((start, bottom, end, bottom), fill=TRUTH, width=1)
    for start in np.arange(top, bottom, 2 * DASH):
        end = min(start + DASH, bottom)
        draw.line((left, start, left, end), fill=TRUTH, width=1)
        draw.line((right, start, right, end), fill=TRUTH, width=1)


def _label(draw: ImageDraw.ImageDraw, room: int, box: Box, text: str, colour: str) -> None:
    """The text on a plate above the box, or inside it at the picture's upper edge."""
    wide, tall = _font().getlength(text) + 6, FONT_SIZE + 4
    left = max(min(box[0], room - wide), 0)
    top = box[1] - tall if box[1] >= tall else box[1]
    draw.rectangle((left, top, left + wide, top + tall), fill=colour)
    draw.text((left + 3, top + 1), text, PAPER, _font())


def _draw_key(canvas: Image.Image) -> None:
    draw, left = ImageDraw.Draw(canvas), 2.0
    for words, colour in KEYS.items():
        swatch = (left, 7, left + 27, 20)
        if colour == TRUTH:
            draw.rectangle(swatch, fill=GROUND)
            _dashed(draw, swatch)
        else:
            draw.rectangle(swatch, outline=colour, width=LINE)
        draw.text((left + 33, 6), words, INK, _font())
        left += _font().getlength(words) + 53
    draw.text((left, 6), HEAT, INK, _font())


def _key_width() -> int:
    return round(sum(_font().getlength(words) + 53 for words in KEYS) + _font().getlength(HEAT))


def _scaled(boxes: np.ndarray, scale: tuple[float, float]) -> list[Box]:
    # Pillow refuses a box whose right is left of its left.
    return [(x, y, max(x, r), max(y, b)) for x, y, r, b in (boxes * [*scale, *scale]).tolist()]


def _elided(name: str, rest: str, room: int) -> str:
    """The two in one line of at most `room` pixels; the name gives way."""
    length = _font().getlength
    if length(name + rest) <= room:
        return name + rest
    while name and length(f"{name}…{rest}") > room:
        name = name[:-1]
    return f"{name}…{rest}"


@cache
def _font() -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which comes with matplotlib."""
    from matplotlib import font_manager

    return ImageFont.truetype(font_manager.findfont("DejaVu Sans"), FONT_SIZE)
