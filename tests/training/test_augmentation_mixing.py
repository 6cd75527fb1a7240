"""Erasing, mixup and cutmix: torchvision's distribution, image by image, with targets that add up."""

import pytest
import torch
from torchvision.transforms import v2

from pictures import SPEC, only, pictures, same_distribution
from roadworthy.training.augmentation import Mixer, Normalise, RandomChanges, erasing

ONE_HOT = torch.eye(2)


def pairs(count: int, size: tuple[int, int] = (24, 32)) -> tuple[torch.Tensor, torch.Tensor]:
    """Images that are all their class: 0 or 1 everywhere, in turn."""
    classes = torch.arange(count) % 2
    images = classes.float()[:, None, None, None].expand(count, 3, *size)
    return images, ONE_HOT[classes]


def test_erased_rectangles_are_torchvisions() -> None:
    """Their number, area, aspect and place."""
    torch.manual_seed(0)
    white = torch.ones(1, 3, 32, 48)
    reference = v2.RandomErasing(0.7)
    theirs = torch.cat([reference(white) for _ in range(1500)])
    ours = erasing.erased(white.repeat(1500, 1, 1, 1), 0.7)
    same_distribution(_holes(ours), _holes(theirs))
    untouched = float((_holes(ours)[:, 0] == 0).float().mean())
    assert 0.25 < untouched < 0.35


def _holes(images: torch.Tensor) -> torch.Tensor:
    """Area, height, width, row and column of what is black."""
    black = images.sum(1) == 0
    rows, columns = black.any(2).float(), black.any(1).float()
    places = [(sides * torch.arange(sides.shape[1])).sum(1) / sides.sum(1).clamp(min=1)
              for sides in (rows, columns)]  # fmt: skip
    return torch.stack([black.float().sum((1, 2)), rows.sum(1), columns.sum(1), *places], 1)


@pytest.mark.parametrize("chance", [0.0, 0.5, 1.0])
def test_erase_is_a_chance(chance: float) -> None:
    """As many images have a hole as the setting says."""
    torch.manual_seed(0)
    batch = pictures(1).repeat(300, 1, 1, 1)
    seen = RandomChanges(SPEC, only(erase=chance)).views(batch)
    changed = (seen != Normalise(SPEC).plain(batch)).flatten(1).any(1).float().mean()
    assert abs(float(changed) - chance) < 0.08


@pytest.mark.parametrize("alpha", [0.2, 1.0])
@pytest.mark.parametrize("kind", ["mixup", "cutmix"])
def test_shares_are_torchvisions(kind: str, alpha: float) -> None:
    """Its Beta distribution and its rectangles; ours draws for each image, its for each batch."""
    torch.manual_seed(1)
    transform = (v2.MixUp if kind == "mixup" else v2.CutMix)(alpha=alpha, num_classes=2)
    images, _ = pairs(2)
    labels = torch.tensor([0, 1])
    theirs = torch.stack([transform(images, labels)[1][0, 0] for _ in range(600)])[:, None]
    _, soft = Mixer(only(**{kind: alpha}))(*_numbered(1200))
    same_distribution(soft.diagonal()[:, None], theirs)


def _numbered(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Each image of a class of its own, so that the targets tell who its partner was."""
    images = torch.arange(count).float()[:, None, None, None].expand(count, 1, 24, 32)
    return images, torch.eye(count)


@pytest.mark.parametrize(
    "settings", [{"mixup": 0.8}, {"cutmix": 1.0}, {"mixup": 0.8, "cutmix": 1.0}]
)
def test_targets_are_mixed_by_the_exact_share(settings: dict[str, float]) -> None:
    """Of the pixels: for cutmix the true area, cut at the edges and rounded to whole pixels."""
    torch.manual_seed(2)
    images, targets = pairs(400)
    mixed, soft = Mixer(only(**settings))(images, targets)
    assert torch.allclose(mixed.mean((1, 2, 3)), soft[:, 1], atol=1e-5)
    assert torch.allclose(soft.sum(1), torch.ones(400))
    assert soft[:, 1].unique().numel() > 40


def test_both_on_each_image_gets_one_of_them() -> None:
    """With equal chance: a blend has one value everywhere, a cut has two and no others."""
    torch.manual_seed(3)
    mixed, soft = Mixer(only(mixup=0.8, cutmix=1.0))(*pairs(2000))
    flat = mixed.flatten(1)
    told_apart = (soft[:, 1] > 0.02) & (soft[:, 1] < 0.98)
    blended = (flat.amax(1) - flat.amin(1) < 1e-6)[told_apart]
    cut = ((flat == 0) | (flat == 1)).all(1)[told_apart]
    assert torch.equal(blended, ~cut)
    assert 0.4 < float(blended.float().mean()) < 0.6


def test_partners_are_drawn_over_the_whole_batch() -> None:
    """Not the next image, and not the same one every time."""
    torch.manual_seed(4)
    images, targets = _numbered(64)
    partners = []
    for _ in range(2):
        _, soft = Mixer(only(mixup=5.0))(images, targets)
        soft.fill_diagonal_(0)
        partners.append(soft.argmax(1))
    assert not torch.equal(*partners)
    assert len({int(d) for d in (partners[0] - torch.arange(64)) % 64}) > 20


def test_off_it_returns_what_it_was_given() -> None:
    """No copy, no draw: the sequence of random numbers is that of a training without it."""
    images, targets = pairs(4)
    before = torch.get_rng_state()
    mixed, soft = Mixer(only())(images, targets)
    assert mixed is images and soft is targets
    assert torch.equal(torch.get_rng_state(), before)


def test_a_batch_of_one_stays_what_it_is() -> None:
    """It is its own partner."""
    images, targets = torch.rand(1, 3, 8, 8), torch.tensor([[0.0, 1.0]])
    mixed, soft = Mixer(only(mixup=1.0, cutmix=1.0))(images, targets)
    assert torch.allclose(mixed, images) and torch.allclose(soft, targets)
