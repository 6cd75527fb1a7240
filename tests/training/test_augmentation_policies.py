"""TrivialAugment and RandAugment in batches: torchvision's operations, ranges, bins and distribution."""

from typing import Any

import pytest
import torch
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as reference

from pictures import SPEC, only, pictures, same_distribution
from roadworthy.training.augmentation import Normalise, RandomChanges, policies

SIZE = (SPEC.height, SPEC.width)
SPACES: dict[bool, Any] = {
    True: v2.TrivialAugmentWide._AUGMENTATION_SPACE,
    False: v2.RandAugment._AUGMENTATION_SPACE,
}
COLOURS: dict[str, Any] = {
    "Identity": lambda image, m: image,
    "Brightness": lambda image, m: reference.adjust_brightness(image, 1 + m),
    "Color": lambda image, m: reference.adjust_saturation(image, 1 + m),
    "Contrast": lambda image, m: reference.adjust_contrast(image, 1 + m),
    "Sharpness": lambda image, m: reference.adjust_sharpness(image, 1 + m),
    "Posterize": lambda image, m: reference.posterize(image, int(m)),
    "Solarize": lambda image, m: reference.solarize(image, 255 * m),
    "AutoContrast": lambda image, m: reference.autocontrast(image),
    "Equalize": lambda image, m: reference.equalize(image),
}


def theirs(image: torch.Tensor, name: str, magnitude: float) -> torch.Tensor:
    """What torchvision's policies call for one operation."""
    if name in COLOURS:
        return COLOURS[name](image, magnitude)
    if name == "Rotate":
        return reference.rotate(image, magnitude)
    slope = float(torch.rad2deg(torch.tensor(magnitude).atan()))
    shift = [int(magnitude) * (name == "TranslateX"), int(magnitude) * (name == "TranslateY")]
    shear = [slope * (name == "ShearX"), slope * (name == "ShearY")]
    if name.startswith("Shear"):
        return reference.affine(image, 0.0, [0, 0], 1.0, shear, center=[0.0, 0.0])
    return reference.affine(image, 0.0, shift, 1.0, [0.0, 0.0])


@pytest.mark.parametrize("wide", [True, False])
def test_operations_and_magnitudes_are_torchvisions(wide: bool) -> None:
    """All of them, at each of the 31 bins."""
    assert set(policies.NAMES) == set(SPACES[wide])
    ours = policies.magnitudes(wide, SIZE)
    for number, name in enumerate(policies.NAMES):
        table, signed = SPACES[wide][name]
        expected = table(policies.BINS, *SIZE)
        expected = torch.zeros(policies.BINS) if expected is None else expected
        assert torch.allclose(ours[number], expected.float()), name
        assert signed == (name not in policies.UNSIGNED)


@pytest.mark.parametrize("channels", [3, 1])
@pytest.mark.parametrize("name", policies.NAMES)
def test_an_operation_is_torchvisions(name: str, channels: int) -> None:
    """Every bin and sign, each image with its own magnitude, next to images with other operations."""
    batch = torch.cat([pictures(30), torch.randint(0, 256, (32, *SIZE_CACHED, 3))]).to(torch.uint8)
    images = batch[:, :32, :48, :channels].permute(0, 3, 1, 2).contiguous()
    images[5] = 77  # flat: nothing to stretch
    table = policies.magnitudes(True, SIZE)
    number = policies.NAMES.index(name)
    strengths = torch.cat([table[number], table[number]])
    strengths[31:] *= 1 if name in policies.UNSIGNED else -1
    which = torch.full((62,), number)
    which[::9] = torch.arange(7) * 2 % len(policies.NAMES)
    ours = policies.apply(images, which, torch.where(which == number, strengths, 0.0))
    for n in (which == number).nonzero()[:, 0].tolist():
        expected = theirs(images[n], name, float(strengths[n]))
        different = (ours[n].int() - expected.int()).abs()
        if name in policies.MOVES:  # a place between two pixels may go to either
            assert (different > 0).float().mean() < 0.01, (name, n)
        else:
            assert int(different.max()) <= 1 and (different > 0).float().mean() < 0.01, (name, n)


SIZE_CACHED = tuple(pictures(1).shape[1:3])


@pytest.mark.parametrize("channels", [3, 1])
@pytest.mark.parametrize("policy", ["trivial", "rand"])
def test_a_policy_has_torchvisions_distribution(policy: Any, channels: int) -> None:
    """Brightness, spread, size of the change and colour of many draws on one picture."""
    torch.manual_seed(6)
    spec = SPEC.model_copy(
        update={"channels": channels, "mean": (0.5,) * channels, "std": (0.25,) * channels}
    )
    picture = pictures(1, 0, spec).repeat(700, 1, 1, 1)
    settings = only(policy=policy, rand_ops=2, rand_magnitude=14)
    transform = v2.TrivialAugmentWide() if policy == "trivial" else v2.RandAugment(2, 14)
    plain = (Normalise(spec).plain(picture) * 255).round().to(torch.uint8)
    seen = torch.stack([transform(image) for image in plain]).float() / 255
    ours = RandomChanges(spec, settings).views(picture)
    same_distribution(_looks(ours, plain / 255), _looks(seen, plain / 255))


def _looks(images: torch.Tensor, before: torch.Tensor) -> torch.Tensor:
    change = (images - before).abs().mean((1, 2, 3))
    colourful = (images.amax(1) - images.amin(1)).mean((1, 2))
    black = (images == 0).float().mean((1, 2, 3))
    sides = images[..., 24:].mean((1, 2, 3)) - images[..., :24].mean((1, 2, 3))
    spread = images.std((1, 2, 3))
    return torch.stack([images.mean((1, 2, 3)), spread, change, colourful, black, sides], 1)


@pytest.mark.parametrize(
    ("setting", "low", "high"), [("rand_ops", 1, 4), ("rand_magnitude", 2, 28)]
)
def test_rand_augment_does_more_when_told(setting: str, low: int, high: int) -> None:
    """More operations, or stronger ones, change an image more."""
    torch.manual_seed(0)
    batch = pictures(64)
    plain = Normalise(SPEC).plain(batch)
    change = [
        (RandomChanges(SPEC, only(policy="rand", **{setting: value})).views(batch) - plain)
        .abs()
        .mean()
        for value in (low, high)
    ]
    assert change[1] > 1.3 * change[0]
