"""augment: what the contact sheet shows."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from roadworthy.data import cache
from roadworthy.params import Augment, Input
from roadworthy.pipeline.augment import ROWS, VIEWS, contact_sheet
from roadworthy.training.augmentation import Mixer, RandomChanges

OFF: dict[str, Any] = {
    "flip": 0, "rotate": 0, "scale": (1, 1), "translate": 0,
    "brightness": 0, "contrast": 0, "saturation": 0,
}  # fmt: skip
COLOURS = [(200, 30, 30), (30, 160, 60), (40, 60, 200)]


def opened(folder: Path, spec: Input) -> cache.Cache:
    """Ten images of each of three classes; a class has one colour."""
    rows = []
    for n in range(30):
        path = folder / f"{n}.png"
        noise = np.random.default_rng(n).integers(0, 9, (80, 80, 3))
        Image.fromarray((noise + COLOURS[n % 3]).astype(np.uint8)).save(path)
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        rows.append({"path": str(path), "label": "abc"[n % 3], "split": "train", "sha256": sha256})
    target = folder / "cache"
    target.mkdir()
    cache.write(target, pd.DataFrame(rows), ("a", "b", "c"), spec)
    return cache.load(target)


def sheet(folder: Path, spec: Input, **update: Any) -> Image.Image:
    torch.manual_seed(0)
    settings = Augment.model_validate({**OFF, **update})
    changes, mixer = RandomChanges(spec, settings), Mixer(settings)
    return contact_sheet(opened(folder, spec), changes, mixer, seed=0)


def tiles(image: Image.Image, side: int) -> np.ndarray:
    """Colours in the middle of each tile, (ROWS, 1 + VIEWS, 3): runs of what is not white."""
    pixels = np.asarray(image).astype(int)
    dark = (pixels < 235).any(2)
    columns, rows = _runs(dark.mean(0) > 0.5, side), _runs(dark.mean(1) > 0.5, side)
    return pixels[np.ix_(rows, columns)]


def _runs(filled: np.ndarray, side: int) -> list[int]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], filled.astype(int), [0]])))
    assert all(stop - start == side for start, stop in edges.reshape(-1, 2))
    return [int(start) + side // 2 for start in edges[::2]]


@pytest.mark.parametrize(("side", "shown"), [(64, 128), (140, 140)])
def test_each_row_is_an_image_and_its_views(tmp_path: Path, side: int, shown: int) -> None:
    """All classes in turn; small images are enlarged, larger ones as they are."""
    seen = tiles(sheet(tmp_path, Input(height=side, width=side)), shown)
    assert seen.shape == (ROWS, 1 + VIEWS, 3)
    for row in range(ROWS):
        assert np.abs(seen[row] - np.array(COLOURS[row % 3])).max() < 12


@pytest.mark.parametrize("setting", ["mixup", "cutmix"])
def test_mixed_views_are_shown_when_they_are_on(tmp_path: Path, setting: str) -> None:
    """Not before, so that both are seen: the last three columns hold colours of other rows."""
    seen = tiles(sheet(tmp_path, Input(), **{setting: 1.0}), 128)
    assert seen.shape == (ROWS, 1 + VIEWS, 3)
    strange = np.array(
        [np.abs(seen[row] - np.array(COLOURS[row % 3])).max(1) > 40 for row in range(8)]
    )
    assert not strange[:, :-3].any()
    assert strange[:, -3:].mean() > 0.2


def test_grey_images_have_a_sheet(tmp_path: Path) -> None:
    """A task of one channel and another aspect."""
    spec = Input(height=40, width=100, channels=1, mean=(0.5,), std=(0.25,))
    image = sheet(tmp_path, spec, policy="rand", mixup=0.4)
    assert image.mode == "RGB" and image.width > 8 * 200
