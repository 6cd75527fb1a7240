"""Which test images are shown, and as one sheet with captions."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw, ImageFont

from roadworthy.evaluation.explanations import overlay
from roadworthy.evaluation.findings import Shot

# Pixels of a sheet: side of a picture, room for its two lines, and how many pictures a row has at most.
TILE, CAPTION, COLUMNS = 172, 42, 6
MARGIN, FONT_SIZE = 4, 12
INK, GREY, RED = "#1f2937", "#9ca3af", "#dc2626"
ELLIPSIS = "…"


def fixed(labels: Iterable[str], sha256: Iterable[str], count: int) -> np.ndarray:
    """Places of images that are the same in every run, as many of each label as can be.

    Hashes alone decide, so that an image added to or taken from one label changes nothing for the
    others, and at most one image of its own.

    Args:
        labels: of each test image.
        sha256: of each image's file.

    Returns:
        int64 (min(count, N),), by label.
    """
    rows = pd.DataFrame({"label": list(labels), "sha256": list(sha256)}).sort_values("sha256")
    rows["round"] = rows.groupby("label").cumcount()
    # Where there are more labels than pictures it is not always the first of the alphabet.
    rows["turn"] = rows["label"].map(lambda name: hashlib.sha256(str(name).encode()).hexdigest())
    chosen = rows.sort_values(["round", "turn"]).head(count)
    return chosen.sort_values(["label", "sha256"]).index.to_numpy()


def errors(predictions: pd.DataFrame, count: int) -> np.ndarray:
    """Places of wrong answers, the surest first, then of right ones, the least sure first.

    Args:
        predictions: columns label, predicted and probability (of the answer), sha256.
    """
    rows = _ranked(predictions)
    wrong = rows[rows["wrong"]].sort_values(["probability", "sha256"], ascending=[False, True])
    right = rows[~rows["wrong"]].sort_values(["probability", "sha256"])
    return np.concatenate([wrong.index.to_numpy(), right.index.to_numpy()])[:count]


def explained(predictions: pd.DataFrame, each: int) -> dict[str, np.ndarray]:
    """Places of the images worth an explanation, none of them twice.

    `best` are the surest right answers, one label after the other; `worst` the surest wrong ones;
    `doubtful` the least sure, right or wrong.

    Args:
        predictions: columns label, predicted and probability (of the answer), sha256.
        each: how many of each at most.
    """
    surest = _ranked(predictions).sort_values(["probability", "sha256"], ascending=[False, True])
    right = surest[~surest["wrong"]]
    turn = right.groupby("label").cumcount().to_numpy()
    best = right.iloc[np.argsort(turn, kind="stable")].head(each)
    worst = surest[surest["wrong"]].head(each)
    rest = surest.drop(index=[*best.index, *worst.index]).iloc[::-1].head(each)
    kinds = {"best": best, "worst": worst, "doubtful": rest}
    return {name: rows.index.to_numpy() for name, rows in kinds.items()}


def shot(row: Mapping[str, Any], pixels: np.ndarray, heat: np.ndarray | None = None) -> Shot:
    """A test image with what was said of it.

    Args:
        row: of the predictions: sha256, path, label, predicted, probability.
        pixels: as the network saw it, uint8 (H, W, C).
        heat: of `explain`, (H, W), 0 to 1.
    """
    return Shot(
        sha256=str(row["sha256"]),
        path=str(row["path"]),
        label=str(row["label"]),
        predicted=str(row["predicted"]),
        probability=float(row["probability"]),
        image=Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).convert("RGB"),
        heat=None if heat is None else overlay(pixels, heat),
    )


def sheet(shots: Sequence[Shot]) -> Image.Image:
    """Pictures with truth, answer and probability; a red frame is a wrong answer.

    No wider than its pictures. Where a shot has heat, it stands to the right of its picture. Names
    too long for their place end in an ellipsis.

    Args:
        shots: at least one.
    """
    pictures = 2 if any(shot.heat is not None for shot in shots) else 1
    columns = min(COLUMNS // pictures, len(shots))
    wide, tall = TILE * pictures, TILE + CAPTION
    lines = -(-len(shots) // columns)
    canvas = Image.new("RGB", (columns * wide, lines * tall), "white")
    for place, one in enumerate(shots):
        _draw(canvas, one, (place % columns * wide, place // columns * tall), wide)
    return canvas


def _ranked(predictions: pd.DataFrame) -> pd.DataFrame:
    rows = predictions.reset_index(drop=True)
    return rows.assign(wrong=rows["label"] != rows["predicted"])


def _draw(canvas: Image.Image, one: Shot, corner: tuple[int, int], wide: int) -> None:
    left, top = corner
    draw = ImageDraw.Draw(canvas)
    pictures = [one.image] if one.heat is None else [one.image, one.heat]
    for number, picture in enumerate(pictures):
        canvas.paste(_tile(picture), (left + number * TILE + MARGIN, top + MARGIN))
    frame = (left + 2, top + 2, left + wide - 3, top + TILE - 3)
    draw.rectangle(frame, outline=RED if one.wrong else GREY, width=3)
    room = wide - 3 * MARGIN
    truth = _elided("is ", one.label, "", room)
    draw.text((left + 6, top + TILE), truth, INK, _font())
    answer = _elided("said ", one.predicted, f" {one.probability:.2f}", room)
    draw.text((left + 6, top + TILE + 18), answer, RED if one.wrong else INK, _font())


def _elided(before: str, name: str, after: str, room: int) -> str:
    """The three in one line of at most `room` pixels; the name gives way."""
    length: Callable[[str], float] = _font().getlength
    if length(before + name + after) <= room:
        return before + name + after
    while name and length(before + name + ELLIPSIS + after) > room:
        name = name[:-1]
    return before + name.rstrip() + ELLIPSIS + after


@cache
def _font() -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which comes with matplotlib and has the letters of Škoda and Citroën."""
    from matplotlib import font_manager

    return ImageFont.truetype(font_manager.findfont("DejaVu Sans"), FONT_SIZE)


def _tile(image: Image.Image) -> Image.Image:
    """In the middle of a square, as large as it gets."""
    side = TILE - 2 * MARGIN
    scale = side / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    tile = Image.new("RGB", (side, side), "#f3f4f6")
    middle = ((side - size[0]) // 2, (side - size[1]) // 2)
    tile.paste(image.resize(size, Image.Resampling.BICUBIC), middle)
    return tile
