"""augment: the augmentation policy made visible, its statistics, and the class balance."""

import numpy as np
import torch
from PIL import Image

from roadworthy.data import cache
from roadworthy.data.cache import Cache
from roadworthy.layout import folder, needed, replacing, write_json
from roadworthy.params import TaskPlan
from roadworthy.training.augmentation import RandomChanges
from roadworthy.training.balance import class_weights

ROWS, VIEWS = 8, 7
STATISTICS_IMAGES = 256


def run(plan: TaskPlan) -> None:
    """Write the contact sheet (one image a row: as it is, then as training will see it) and figures."""
    torch.manual_seed(plan.seed)
    data = cache.load(needed(plan.name, "prepare"))
    changes = RandomChanges(plan.input, plan.augment)
    with replacing(folder(plan.name, "augment")) as out:
        contact_sheet(data, changes, plan.seed).save(out / "contact_sheet.png")
        write_json(out / "augment.json", {**_statistics(data, changes), **_balance(data, plan)})


def contact_sheet(data: Cache, changes: RandomChanges, seed: int) -> Image.Image:
    """`ROWS` training images of all classes in turn, each followed by `VIEWS` random views."""
    pixels = torch.from_numpy(data.pixels(_examples(data, seed)))
    before = changes.plain(pixels)
    views = [changes.views(pixels) for _ in range(VIEWS)]
    grid = torch.stack([before, *views], 1).mul(255).round().to(torch.uint8)
    rows, columns, channels, height, width = grid.shape
    gap = 4
    sheet = np.full(
        (rows * (height + gap) + gap, columns * (width + gap) + gap, channels), 255, np.uint8
    )
    for row in range(rows):
        for column in range(columns):
            top, left = gap + row * (height + gap), gap + column * (width + gap)
            tile = grid[row, column].permute(1, 2, 0).numpy()
            sheet[top : top + height, left : left + width] = tile
    image = Image.fromarray(sheet[..., 0] if channels == 1 else sheet)
    return image.resize((image.width * 2, image.height * 2), Image.Resampling.NEAREST)


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
    weights = class_weights(counts, plan.train.class_weights)
    return {
        "classes": {
            label: {"images": int(count), "weight": round(float(weight), 4)}
            for label, count, weight in zip(data.labels, counts, weights, strict=True)
        }
    }
