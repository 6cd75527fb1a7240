"""Changes in a batch: a draw for every image, the geometry of torchvision's, nothing when switched off."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as reference

from roadworthy.data import transforms
from roadworthy.params import Augment, Input
from roadworthy.training.augmentation import Normalise, RandomChanges

OFF = Augment(flip=0, rotate=0, scale=(1, 1), translate=0, brightness=0, contrast=0, saturation=0)
SPEC = Input(height=32, width=48, margin=1.25)


def pictures(count: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, 5, 6, generator=generator)
    size = transforms.cache_size(SPEC)
    smooth = torch.nn.functional.interpolate(coarse, size, mode="bilinear")
    return (smooth * 255).to(torch.uint8).permute(0, 2, 3, 1)


def test_switched_off_it_is_what_evaluation_sees() -> None:
    """Training and serving share one geometry; the difference would cost accuracy unseen."""
    batch = pictures(4)
    assert torch.allclose(RandomChanges(SPEC, OFF)(batch), Normalise(SPEC)(batch), atol=1e-4)


def test_evaluation_sees_what_the_predictor_sees() -> None:
    """The same crop and normalisation in torch and in numpy."""
    batch = pictures(4)
    served = transforms.normalise(transforms.centre(batch.numpy(), SPEC), SPEC)
    assert torch.allclose(Normalise(SPEC)(batch), torch.from_numpy(served), atol=1e-5)


def test_a_mirrored_image_is_mirrored() -> None:
    """And not turned upside down."""
    batch = pictures(3)
    seen = RandomChanges(SPEC, OFF.model_copy(update={"flip": 1.0})).views(batch)
    assert torch.allclose(seen, Normalise(SPEC).plain(batch).flip(3), atol=1e-4)


@settings(max_examples=20, deadline=None)
@given(st.floats(-40, 40), st.floats(0.7, 1.4))
def test_rotation_and_scale_agree_with_torchvision(angle: float, scale: float) -> None:
    """The batched grid computes what torchvision's affine does image by image."""
    batch = pictures(1)
    changes = RandomChanges(
        SPEC, OFF.model_copy(update={"rotate": abs(angle), "scale": (scale, scale)})
    )
    drawn = 1.0 if angle > 0 else 0.0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "rand", lambda *size, **_: torch.full(size, drawn))
        ours = changes.views(batch)
    float_image = batch.permute(0, 3, 1, 2).float() / 255
    turned = reference.affine(
        float_image, -angle, [0, 0], scale, [0.0, 0.0], InterpolationMode.BILINEAR
    )
    top, left = (turned.shape[2] - 32) // 2, (turned.shape[3] - 48) // 2
    theirs = turned[:, :, top : top + 32, left : left + 48]
    # The angle turns the other way; draws are symmetric. Corners may lie outside the picture, where
    # the two fill differently.
    assert (ours - theirs)[:, :, 10:22, 16:32].abs().max() < 0.03


def test_every_image_has_a_draw_of_its_own() -> None:
    """One draw per batch would be a tenth of the variety."""
    torch.manual_seed(0)
    same = pictures(1).repeat(16, 1, 1, 1)
    seen = RandomChanges(SPEC, Augment()).views(same)
    assert len({tuple(image.flatten()[:50].tolist()) for image in seen}) == 16


@pytest.mark.parametrize(
    "extra", [{"trivial": True}, {"erase": 1.0}, {"trivial": True, "erase": 0.5}]
)
def test_all_settings_keep_shape_and_range(extra: dict[str, object]) -> None:
    """Whatever is drawn, the network gets its size and values from 0 to 1."""
    torch.manual_seed(0)
    seen = RandomChanges(SPEC, Augment().model_copy(update=extra)).views(pictures(8))
    assert seen.shape == (8, 3, 32, 48)
    assert float(seen.min()) >= 0 and float(seen.max()) <= 1
