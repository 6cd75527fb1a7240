"""Things to be searched for: drawn scenes, a network that was taught to see them, and its bundle."""

import csv
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from roadworthy.bundle.format import BundleSpec, Searching
from roadworthy.bundle.write import write_bundle
from roadworthy.data.seen import fronts
from roadworthy.data.transforms import normalise
from roadworthy.detection.convert import Branch, feature_width, slide
from roadworthy.detection.offsets import encode
from roadworthy.models.build import Network, build
from roadworthy.params import Backbone, Head, Input, Search

WINDOW = Input(height=24, width=40, channels=1, mean=(0.5,), std=(0.25,))
SETTINGS = Search(enabled=True, smallest=0.22, largest=0.6, step=1.2)
# Where a thing lies in the windows that show it: left, top, right, bottom in pixels.
INSIDE = (4.0, 3.0, 36.0, 21.0)
BACKBONE = Backbone(name="patch_cnn", weights=None)
SIZE = (160, 120)


def drawn(size: tuple[int, int], boxes: np.ndarray, seed: int = 0) -> Image.Image:
    """Noise with things in it, of mode L: each is bright above and dark below."""
    width, height = size
    rng = np.random.default_rng(seed)
    pixels = rng.integers(90, 150, (height, width)).astype(np.uint8)
    for left, top, right, bottom in np.rint(boxes).astype(int):
        middle = (top + bottom) // 2
        pixels[max(top, 0) : middle, max(left, 0) : right] = 235
        pixels[middle:bottom, max(left, 0) : right] = 15
    return Image.fromarray(pixels)


def some_boxes(seed: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """One or two boxes of things, apart from each other, float32 (M, 4)."""
    rng = np.random.default_rng(seed)
    half = size[0] // 2
    found = []
    for number in range(1 + seed % 2):
        wide = rng.uniform(0.16, 0.36) * size[0]
        high = wide * 18 / 32
        left = rng.uniform(number * half, (number + 1) * half - wide)
        top = rng.uniform(0, size[1] - high)
        found.append((left, top, left + wide, top + high))
    return np.rint(np.array(found)).astype(np.float32)


def write_scenes(folder: Path, count: int, empty: int = 4) -> list[np.ndarray]:
    """A folder of scenes with its boxes.csv, every `empty`-th without a thing; their true boxes."""
    (folder / "images").mkdir(parents=True)
    truths = []
    with (folder / "boxes.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["image", "x_center", "y_center", "width", "height"])
        for number in range(count):
            boxes = np.empty((0, 4)) if number % empty == empty - 1 else some_boxes(number)
            drawn(SIZE, boxes, number).save(folder / "images" / f"{number:03}.png")
            for left, top, right, bottom in boxes / np.tile(SIZE, 2):
                row = ((left + right) / 2, (top + bottom) / 2, right - left, bottom - top)
                table.writerow([f"{number:03}.png", *row])
            truths.append(boxes.astype(np.float32))
    return truths


def windows(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Windows uint8 (N, 24, 40, 1) and whether each shows a thing, by turns int64 (N,)."""
    rng = np.random.default_rng(seed)
    pixels, targets = [], np.arange(count) % 2
    for number, target in enumerate(targets):
        boxes = np.empty((0, 4)) if number % 8 == 0 else _placed(rng, bool(target))
        pixels.append(np.asarray(drawn((40, 24), boxes, seed * count + number))[..., None])
    return np.stack(pixels), targets


def _placed(rng: np.random.Generator, shown: bool) -> np.ndarray:
    """A thing where it belongs, or one too large, too small or aside."""
    left, top, right, bottom = INSIDE
    centre = np.array([(left + right) / 2, (top + bottom) / 2])
    if shown:
        scale, away = rng.uniform(0.88, 1.13), rng.uniform(-2, 2, 2)
    elif rng.random() < 0.7:
        scale, away = rng.choice([0.6, 1.4, 1.7, 2.2, 3.0]), rng.uniform(-14, 14, 2)
    else:
        scale, away = 1.0, rng.choice([-1, 1], 2) * rng.uniform(6, 16, 2)
    half = np.array([right - left, bottom - top]) / 2 * scale
    return np.concatenate([centre + away - half, centre + away + half])[None]


@cache
def taught() -> Network:
    """A small network that tells windows with a thing from others; do not change it."""
    network = build(BACKBONE, Head(), 2, WINDOW, seed=0)
    pixels, targets = windows(800)
    images, wanted = torch.from_numpy(normalise(pixels, WINDOW)), torch.from_numpy(targets)
    optimiser = torch.optim.Adam(network.parameters(), 1e-3)
    generator = torch.Generator().manual_seed(0)
    for _ in range(5):
        for places in torch.randperm(len(images), generator=generator).split(32):
            optimiser.zero_grad()
            loss = torch.nn.functional.cross_entropy(network(images[places]), wanted[places])
            loss.backward()
            optimiser.step()
    return network.eval()


def usual_place(network: Network) -> Branch:
    """Says of every window that the thing lies `INSIDE`."""
    whole = np.array([[0, 0, WINDOW.width, WINDOW.height]], np.float32)
    offsets = encode(np.array([INSIDE], np.float32), whole)[0]
    return Branch.fixed(feature_width(network), tuple(map(float, offsets)))


def searching_bundle(folder: Path, network: Network | None = None, **changes: Any) -> Path:
    """A real bundle that can search; without a network, that of `taught`."""
    network = network or taught()
    settings = changes.pop("settings", SETTINGS)
    search = Searching(settings=settings, stride=slide(network, WINDOW).stride, threshold=0.5)
    values: dict[str, Any] = {
        "task": "detector",
        "kind": "binary",
        "labels": ("background", "car"),
        "outputs": "softmax",
        "input": WINDOW,
        "backbone": BACKBONE,
        "head": Head(),
        "threshold": 0.5,
        "search": search,
    }
    folder.mkdir(parents=True, exist_ok=True)
    write_bundle(
        folder,
        BundleSpec.model_validate({**values, **changes}),
        network,
        reference={},
        seen=fronts([]),
        sample=windows(8, seed=1)[0],
        branch=usual_place(network),
    )
    return folder
