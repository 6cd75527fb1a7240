"""Changed images stay images, the same ones every time, and get worse with strength."""

from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from roadworthy.evaluation.corruptions import CHANGES, STRENGTHS, corrupt

SHAPES = [(64, 64, 3), (40, 100, 1), (16, 16, 1), (97, 33, 3), (224, 224, 3)]


def pictures(count: int, shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """Soft shapes, as photographs have them."""
    rng = np.random.default_rng(seed)
    made = np.empty((count, *shape), np.uint8)
    for image in made:
        coarse = Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8))
        soft = coarse.resize((shape[1], shape[0]), Image.Resampling.BICUBIC)
        image[:] = np.asarray(soft)[..., : shape[2]]
    return made


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_change_gives_other_images_of_the_same_kind(shape: tuple[int, ...]) -> None:
    """Protects small, oblong and grey images, and the ones they were made of."""
    images = pictures(2, shape)
    before = images.copy()
    for change, strength in product(CHANGES, STRENGTHS):
        made = corrupt(images, change, strength)
        assert (made.shape, made.dtype) == (images.shape, np.uint8)
        assert (made != images).any(axis=(1, 2, 3)).all(), (change, strength)
    assert (images == before).all()


@pytest.mark.parametrize("change", CHANGES)
def test_more_strength_is_more_change(change: str) -> None:
    """Protects the meaning of 1, 2 and 3."""
    images = pictures(6, (64, 64, 3))
    far = [
        np.abs(corrupt(images, change, strength).astype(int) - images).mean()
        for strength in STRENGTHS
    ]
    assert 0 < far[0] < far[1] < far[2]


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(sorted(CHANGES)), st.permutations(range(5)), st.integers(1, 5))
def test_an_image_is_changed_alike_in_every_batch(change: str, order: list[int], size: int) -> None:
    """Protects comparisons: champion and challenger, batches of 1 and of 64, see one test."""
    images = pictures(5, (24, 30, 3))
    whole = corrupt(images, change, 3, seed=4)
    places = np.array(order[:size])
    assert (corrupt(images[places], change, 3, seed=4) == whole[places]).all()


def test_the_seed_decides_and_nobody_elses_generator_is_touched() -> None:
    """Protects a training's own random numbers, and the record."""
    images = pictures(3, (32, 32, 3))
    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    first, other = corrupt(images, "noise", 2, seed=0), corrupt(images, "noise", 2, seed=1)
    assert torch.equal(torch.rand(3), wanted)
    assert (first != other).any()


def test_noise_has_the_deviation_it_says() -> None:
    """Protects the words beside the figures."""
    grey = np.full((1, 200, 200, 1), 127, np.uint8)
    noise = corrupt(grey, "noise", 3).astype(float)
    assert noise.std() / 255 == pytest.approx(CHANGES["noise"].levels[2], rel=0.05)


def test_occlusion_hides_the_share_it_says() -> None:
    """Protects the same for the hidden area, on an oblong image."""
    white = np.full((4, 40, 100, 1), 255, np.uint8)
    hidden = (corrupt(white, "occlusion", 3) != 255).mean(axis=(1, 2, 3))
    assert hidden == pytest.approx(CHANGES["occlusion"].levels[2], rel=0.1)


def test_turning_leaves_no_black_corners() -> None:
    """They would be a second change, and one that a model may have learned from."""
    white = np.full((1, 40, 100, 1), 255, np.uint8)
    assert (corrupt(white, "rotation", 3) == 255).all()


def test_batches_that_are_views_are_taken() -> None:
    """A central crop of the cache is one."""
    wide = pictures(2, (40, 40, 3))
    view = wide[:, 4:36, 4:36]
    assert (corrupt(view, "jpeg", 1) == corrupt(view.copy(), "jpeg", 1)).all()
