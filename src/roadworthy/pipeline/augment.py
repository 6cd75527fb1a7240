"""augment: the augmentation policy made visible, its statistics, and the class balance."""

import math

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from roadworthy.data import cached
from roadworthy.data.cached import Cache
from roadworthy.layout import folder, needed, replacing, write_json
from roadworthy.params import TaskPlan
from roadworthy.training.augmentation import Mixer, RandomChanges
from roadworthy.training.balance import class_weights

ROWS, VIEWS, MIXED = 8, 7, 3
STATISTICS_IMAGES = 256
TILE = 128
"""Side in pixels to which smaller images are enlarged on the contact sheet."""
INK = (70, 76, 84)


def run(plan: TaskPlan) -> None:
    """Write the contact sheet (one image a row: as it is, then as training will see it) and figures."""
    torch.manual_seed(plan.seed)
    data = cached.load(needed(plan.name, "prepare"))
    changes, mixer = RandomChanges(plan.input, plan.augment), Mixer(plan.augment)
    with replacing(folder(plan.name, "augment")) as out:
        contact_sheet(data, changes, mixer, plan.seed).save(out / "contact_sheet.png")
        write_json(out / "augment.json", {**_statistics(data, changes), **_balance(data, plan)})


def contact_sheet(data: Cache, changes: RandomChanges, mixer: Mixer, seed: int) -> Image.Image:
    """`ROWS` training images of all classes in turn, each followed by `VIEWS` random views; where
    images are mixed, the last of them are views mixed with those of other rows."""
    pixels = torch.from_numpy(data.pixels(_examples(data, seed)))
    views = [changes.views(pixels) for _ in range(VIEWS)]
    blocks = {"the image": [changes.plain(pixels)], "as training sees it": views}
    if mixer.on:
        blocks["as training sees it"] = views[:-MIXED]
        blocks["mixed with one another"] = _mixed(views[-MIXED:], mixer)
    return _sheet(blocks)


def _mixed(views: list[Tensor], mixer: Mixer) -> list[Tensor]:
    images = torch.cat(views)
    mixed, _ = mixer(images, torch.zeros(len(images), 1))
    return list(mixed.chunk(len(views)))


def _sheet(blocks: dict[str, list[Tensor]]) -> Image.Image:
    """Columns of images (float, 0 to 1) in blocks, each under its name.

    Args:
        blocks: of each name the columns, (rows, C, H, W).
    """
    rows, _, height, width = next(iter(blocks.values()))[0].shape
    side = math.sqrt(height * width)
    factor = max(1, round(TILE / side))
    gap, margin, letters = (round(side * factor / share) for share in (20, 5, 8))
    high, wide = height * factor + gap, width * factor + gap
    columns = sum(map(len, blocks.values()))
    size = (columns * wide + margin * (len(blocks) + 1) - gap, rows * high + 3 * margin - gap)
    sheet = Image.new("RGB", size, "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(letters)
    left = margin
    for name, block in blocks.items():
        pen.text((left, 2 * margin - letters // 2), name, INK, font, anchor="ls")
        for column in block:
            for row, image in enumerate(column):
                sheet.paste(_tile(image, factor), (left, 2 * margin + row * high))
            left += wide
        left += margin
    return sheet


def _tile(image: Tensor, factor: int) -> Image.Image:
    values = image.mul(255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    tile = Image.fromarray(values[..., 0] if values.shape[2] == 1 else values)
    return tile.resize((tile.width * factor, tile.height * factor), Image.Resampling.BICUBIC)


def _examples(data: Cache, seed: int) -> np.ndarray:
    """Places of training images, one class after the other."""
    places = np.random.default_rng(seed).permutation(data.places("train"))
    targets = data.targets(places)
    turns = [places[targets == n] for n in range(len(data.labels))]
    return np.array([turns[n % len(turns)][n // len(turns)] for n in range(ROWS)])


def _statistics(data: Cache, changes: RandomChanges) -> dict[str, object]:
    places = data.places("train")[:STATISTICS_IMAGES]
    pixels = torch.from_numpy(data.pixels(places))
    parts = {"before": changes.plain(pixels), "after": changes.views(pixels)}
    return {
        name: {
            "mean": [round(float(v), 4) for v in images.mean(dim=(0, 2, 3))],
            "std": [round(float(v), 4) for v in images.std(dim=(0, 2, 3))],
        }
        for name, images in parts.items()
    }


def _balance(data: Cache, plan: TaskPlan) -> dict[str, object]:
    targets = data.targets(data.places("train"))
    counts = torch.bincount(torch.from_numpy(targets), minlength=len(data.labels))
    weights = class_weights(counts, plan.train.class_weights, data.labels)
    return {
        "classes": {
            label: {"images": int(count), "weight": round(float(weight), 4)}
            for label, count, weight in zip(data.labels, counts, weights, strict=True)
        }
    }
