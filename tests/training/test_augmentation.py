"""Changes in a batch: a draw for every image, torchvision's distribution, nothing when switched off."""

from typing import Any

import pytest
import torch
from torchvision.transforms import v2

from pictures import GREY_SPEC, OFF, PLAIN, SPEC, STILL, only, pictures, same_distribution
from roadworthy.data import transforms
from roadworthy.params import Augment, Input
from roadworthy.training.augmentation import Mixer, Normalise, RandomChanges, colour

EVERYTHING: list[dict[str, Any]] = [
    {"crop": crop, "policy": policy, "erase": 0.5, **still}
    for crop in ("centre", "random", "resized")
    for policy in ("colour", "trivial", "rand")
    for still in ({}, STILL)
]


def test_switched_off_it_is_what_evaluation_sees() -> None:
    """Training and serving share one geometry; the difference would cost accuracy unseen."""
    batch = pictures(4)
    assert torch.equal(RandomChanges(SPEC, OFF)(batch), Normalise(SPEC)(batch))


def test_evaluation_sees_what_the_predictor_sees() -> None:
    """The same crop and normalisation in torch and in numpy."""
    batch = pictures(4)
    served = transforms.normalise(transforms.centre(batch.numpy(), SPEC), SPEC)
    assert torch.allclose(Normalise(SPEC)(batch), torch.from_numpy(served), atol=1e-5)


def test_a_mirrored_image_is_mirrored() -> None:
    """And not turned upside down; beside an affine change as well."""
    batch, plain = pictures(3), Normalise(SPEC).plain(pictures(3)).flip(3)
    assert torch.equal(RandomChanges(SPEC, only(flip=1.0)).views(batch), plain)
    beside = RandomChanges(SPEC, only(flip=1.0, rotate=1e-6)).views(batch)
    assert torch.allclose(beside, plain, atol=1e-4)


def test_moves_are_those_of_torchvisions_affine() -> None:
    """Where a marker lands, and how large, after rotation, zoom and shift."""
    torch.manual_seed(1)
    count, (height, width) = 800, transforms.cache_size(SPEC)
    marker = torch.zeros(count, height, width, 3, dtype=torch.uint8)
    marker[:, 14:20, 34:41] = 255
    settings = only(rotate=15, scale=(0.5, 1.2), translate=0.12)
    affine = v2.Compose(
        [
            v2.RandomAffine(
                15, (0.12, 0.12), (0.5, 1.2), interpolation=v2.InterpolationMode.BILINEAR
            ),
            v2.CenterCrop((32, 48)),
        ]
    )
    theirs = torch.stack([affine(image) for image in marker.permute(0, 3, 1, 2).float() / 255])
    same_distribution(_marker(RandomChanges(SPEC, settings).views(marker)), _marker(theirs))


def _marker(images: torch.Tensor) -> torch.Tensor:
    """Mass, row, column of what is bright, and how it is turned."""
    light = images.mean(1)
    rows = torch.arange(light.shape[1])[None, :, None]
    columns = torch.arange(light.shape[2])[None, None, :]
    mass = light.sum((1, 2))
    row, column = (light * rows).sum((1, 2)) / mass, (light * columns).sum((1, 2)) / mass
    turned = light * (rows - row[:, None, None]) * (columns - column[:, None, None])
    return torch.stack([mass, row, column, turned.sum((1, 2)) / mass], 1)


def test_colours_are_those_of_torchvisions_jitter() -> None:
    """Its ranges, and its random order, which shows where values are clipped."""
    torch.manual_seed(2)
    picture = pictures(1).repeat(500, 1, 1, 1)
    jitter = v2.ColorJitter(0.6, 0.7, 0.8)
    plain = Normalise(SPEC).plain(picture)
    theirs = torch.stack([jitter(image) for image in plain])
    settings = only(brightness=0.6, contrast=0.7, saturation=0.8)
    ours = RandomChanges(SPEC, settings).views(picture)
    same_distribution(_colours(ours), _colours(theirs))


def _colours(images: torch.Tensor) -> torch.Tensor:
    spread = images.std((2, 3)).mean(1)
    colourful = (images.amax(1) - images.amin(1)).mean((1, 2))
    clipped = (images == 1).float().mean((1, 2, 3))
    return torch.stack([images.mean((1, 2, 3)), spread, colourful, clipped], 1)


def test_colours_are_adjusted_as_torchvision_does_in_every_order() -> None:
    """Step by step, clipped in between; each of the six orders comes."""
    torch.manual_seed(7)
    strengths = (0.8, 0.7, 0.9)
    steps = colour._steps(64, 3, strengths)[..., 0, 0, 0]
    plain = Normalise(SPEC).plain(pictures(64))
    orders = set()
    for n, image in enumerate(plain):
        order = []
        for keep, mean, grey in steps[:, :, n].tolist():
            order.append("contrast" if mean else "saturation" if grey else "brightness")
            image = getattr(v2.functional, f"adjust_{order[-1]}")(image, keep)
        orders.add(tuple(order))
        plain[n] = image
    assert len(orders) == 6
    torch.manual_seed(7)
    settings = only(**dict(zip(("brightness", "contrast", "saturation"), strengths, strict=True)))
    ours = colour.coloured(Normalise(SPEC).plain(pictures(64)), settings)
    assert torch.allclose(ours, plain, atol=1e-5)


@pytest.mark.parametrize("setting", ["brightness", "contrast", "saturation", "rotate", "translate"])
def test_each_strength_changes_the_image(setting: str) -> None:
    """A setting without effect would be searched over in vain."""
    torch.manual_seed(0)
    seen = RandomChanges(SPEC, only(**{setting: 0.5})).views(pictures(4))
    assert not torch.allclose(seen, Normalise(SPEC).plain(pictures(4)), atol=1e-3)


@pytest.mark.parametrize("extra", EVERYTHING)
def test_all_settings_keep_shape_and_range(extra: dict[str, Any]) -> None:
    """Whatever is drawn, colour or grey, the network gets its size and values from 0 to 1."""
    torch.manual_seed(0)
    for spec in (SPEC, GREY_SPEC):
        seen = RandomChanges(spec, Augment().model_copy(update=extra)).views(pictures(20, 0, spec))
        assert seen.shape == (20, spec.channels, spec.height, spec.width)
        assert float(seen.min()) >= 0 and float(seen.max()) <= 1


@pytest.mark.parametrize("extra", EVERYTHING)
def test_every_image_has_a_draw_of_its_own(extra: dict[str, Any]) -> None:
    """One draw per batch would be a tenth of the variety."""
    torch.manual_seed(0)
    settings = Augment().model_copy(update={**extra, "brightness": 0.5, "rand_ops": 3})
    seen = RandomChanges(SPEC, settings).views(pictures(1).repeat(16, 1, 1, 1))
    # TrivialAugment leaves a fourteenth of the images as they are.
    assert len({image.numpy().tobytes() for image in seen}) >= 13


@pytest.mark.parametrize("extra", EVERYTHING)
def test_the_same_seed_gives_the_same_bytes(extra: dict[str, Any]) -> None:
    """A resumed training sees what the uninterrupted one would have seen."""
    changes = RandomChanges(SPEC, Augment().model_copy(update=extra))
    seen = []
    for _ in range(2):
        torch.manual_seed(3)
        seen.append(changes(pictures(9)))
    assert torch.equal(*seen)


@pytest.mark.parametrize("extra", EVERYTHING)
def test_nothing_waits_for_the_device(extra: dict[str, Any]) -> None:
    """A `meta` tensor has a device and no values: whoever looks at one, or mixes devices, fails."""
    settings = Augment().model_copy(update={**extra, "mixup": 0.2, "cutmix": 1.0})
    seen = RandomChanges(SPEC, settings)(pictures(6).to("meta"), (16, 24))
    images, targets = Mixer(settings)(seen, torch.rand(6, 3).to("meta"))
    assert images.device.type == "meta" and images.shape == (6, 3, 16, 24)
    assert targets.device.type == "meta"


@pytest.mark.parametrize("extra", EVERYTHING)
def test_autocast_makes_no_difference(extra: dict[str, Any]) -> None:
    """Training in bf16 augments in full precision: a place in half of it is off by pixels."""
    changes = RandomChanges(SPEC, Augment().model_copy(update=extra))
    torch.manual_seed(4)
    full = changes(pictures(9))
    torch.manual_seed(4)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(changes(pictures(9)), full)


@pytest.mark.parametrize("extra", EVERYTHING)
def test_another_size_shows_the_same_field_of_view(extra: dict[str, Any]) -> None:
    """Progressive resizing shows the whole picture smaller, not a part of it."""
    settings = Augment().model_copy(update={**extra, **PLAIN, "policy": "colour", "erase": 0})
    changes, spec = RandomChanges(SPEC, settings), Input(height=32, width=48, margin=1.25)
    batch = pictures(8, 0, spec)
    torch.manual_seed(5)
    large = changes.views(batch)
    torch.manual_seed(5)
    small = changes.views(batch, (16, 24))
    expected = v2.functional.resize(large, [16, 24])
    assert small.shape == (8, 3, 16, 24)
    assert (small - expected).abs().mean() < 0.005


def test_evaluation_at_another_size_sees_the_whole_centre() -> None:
    """Validation of an early, smaller epoch is of the same part of the picture."""
    batch = pictures(4)
    small = Normalise(SPEC)(batch, (16, 24))
    assert (small - v2.functional.resize(Normalise(SPEC)(batch), [16, 24])).abs().max() < 0.05
    assert torch.equal(RandomChanges(SPEC, OFF)(batch, (16, 24)), small)
