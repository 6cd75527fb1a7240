"""Crops: torchvision's boxes, cut from bytes without a difference between the devices' ways."""

from typing import Any

import pytest
import torch
from torch.nn import functional as F
from torchvision.transforms import v2

from pictures import OFF, SPEC, only, pictures, same_distribution
from roadworthy.data import transforms
from roadworthy.params import Augment
from roadworthy.training.augmentation import RandomChanges, crops

CACHED = transforms.cache_size(SPEC)
FULL = (SPEC.height, SPEC.width)


def boxes(settings: Augment, count: int = 2000, cached: tuple[int, int] = CACHED) -> torch.Tensor:
    """Top, left, height, width of each, float (N, 4)."""
    drawn = crops.draw(count, cached, FULL, settings)
    return torch.stack([drawn.top, drawn.left, drawn.height, drawn.width], 1).float()


@pytest.mark.parametrize("cached", [(40, 60), (72, 72), (40, 100)])
@pytest.mark.parametrize(("scale", "ratio"), [((0.1, 0.9), (0.75, 1.33)), ((0.9, 1), (0.9, 1.1))])
def test_resized_boxes_are_torchvisions(
    cached: tuple[int, int], scale: tuple[float, float], ratio: tuple[float, float]
) -> None:
    """The second range hardly ever fits, so that the centre is taken."""
    torch.manual_seed(0)
    reference = v2.RandomResizedCrop(FULL, scale, ratio)
    image = torch.zeros(3, *cached)
    drawn = [reference.make_params([image]) for _ in range(2000)]
    theirs = torch.tensor([[d["top"], d["left"], d["height"], d["width"]] for d in drawn]).float()
    settings = only(crop="resized", crop_scale=scale, crop_ratio=ratio)
    same_distribution(boxes(settings, cached=cached), theirs)


def test_random_boxes_are_torchvisions() -> None:
    """Every place as likely as another, the edges included."""
    torch.manual_seed(0)
    reference, image = v2.RandomCrop(FULL), torch.zeros(3, *CACHED)
    drawn = [reference.make_params([image]) for _ in range(2000)]
    theirs = torch.tensor([[d["top"], d["left"]] for d in drawn]).float()
    ours = boxes(only(crop="random"))
    same_distribution(ours[:, :2], theirs)
    assert ours[:, 0].unique().tolist() == list(range(CACHED[0] - FULL[0] + 1))


def test_a_centre_crop_is_where_evaluation_cuts() -> None:
    """Half of an odd margin is rounded the same way."""
    drawn = boxes(OFF, 3, (41, 61))
    assert drawn[:, :2].tolist() == [[4, 6]] * 3


def test_half_of_the_images_are_mirrored() -> None:
    """By a draw of their own."""
    torch.manual_seed(0)
    assert 440 < int(crops.draw(1000, CACHED, FULL, only(flip=0.5)).mirrored.sum()) < 560
    assert not crops.draw(1000, CACHED, FULL, OFF).mirrored.any()


@pytest.mark.parametrize("crop", ["centre", "random"])
def test_a_cut_is_the_bytes_of_its_box(crop: Any) -> None:
    """In place and whole, mirrored or not, by slices (CPU) and by gathering (elsewhere)."""
    torch.manual_seed(1)
    batch = pictures(12)
    drawn = crops.draw(12, CACHED, FULL, only(crop=crop, flip=0.5))
    seen = crops.cut(batch, drawn, FULL)
    for n in range(12):
        top, left = int(drawn.top[n]), int(drawn.left[n])
        part = batch[n, top : top + 32, left : left + 48]
        assert torch.equal(seen[n], part.flip(1) if drawn.mirrored[n] else part)
    assert torch.equal(crops._gathered(batch, drawn, FULL), seen)


@pytest.mark.parametrize("size", [FULL, (16, 24), (50, 70)])
def test_a_resized_cut_is_the_resized_box(size: tuple[int, int]) -> None:
    """As torchvision resizes it, antialiased; by products of matrices (not on the CPU) as well."""
    torch.manual_seed(2)
    batch = torch.randint(0, 256, (12, *CACHED, 3), dtype=torch.uint8)
    drawn = crops.draw(12, CACHED, FULL, only(crop="resized", crop_scale=(0.1, 1), flip=0.5))
    seen = crops.cut_resized(batch, drawn, size)
    exact = torch.stack([_box(batch, drawn, n, size) for n in range(12)])
    assert (seen.float() - exact).abs().max() < 1.01  # rounded after rows and after columns
    with torch.autocast("cpu", torch.bfloat16):
        products = crops._multiplied(batch, drawn, size)
    assert (products.float() - exact).abs().max() <= 0.51


def _box(batch: torch.Tensor, drawn: crops.Boxes, n: int, size: tuple[int, int]) -> torch.Tensor:
    top, left = int(drawn.top[n]), int(drawn.left[n])
    part = batch[n, top : top + int(drawn.height[n]), left : left + int(drawn.width[n])]
    image = part.permute(2, 0, 1)[None].float()
    seen = F.interpolate(image, size, mode="bilinear", antialias=True)[0].permute(1, 2, 0)
    return seen.flip(1) if drawn.mirrored[n] else seen


@pytest.mark.parametrize("crop", ["random", "resized"])
def test_one_resampling_cuts_the_same_box(crop: Any) -> None:
    """With an affine change on, the crop is part of it: the same place, at the same size."""
    settings = only(crop=crop, flip=0.5)
    torch.manual_seed(3)
    cut = RandomChanges(SPEC, settings).views(pictures(12))
    torch.manual_seed(3)
    turned = RandomChanges(SPEC, settings.model_copy(update={"rotate": 1e-5})).views(pictures(12))
    assert (cut - turned).abs().mean() < 0.005


def test_cut_gives_bytes_of_any_size() -> None:
    """What the loader's benchmark calls."""
    for crop in ("centre", "random", "resized"):
        changes = RandomChanges(SPEC, only(crop=crop, flip=0.5))
        assert changes.cut(pictures(3)).shape == (3, 32, 48, 3)
        small = changes.cut(pictures(3), (16, 24))
        assert small.shape == (3, 16, 24, 3) and small.dtype == torch.uint8
