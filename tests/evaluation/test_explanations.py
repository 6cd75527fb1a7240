"""Heat lies where the decision was made, whatever the network, and leaves no trace in it."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from roadworthy.evaluation.explanations import explain, overlay
from roadworthy.models.build import build
from roadworthy.params import Backbone, Head, Input


class Corner(nn.Module):
    """Is there red in the upper left quarter? Two convolutions, or none."""

    def __init__(self, outputs: int, *, convolutions: bool) -> None:
        super().__init__()
        self.maps = nn.Identity()
        if convolutions:
            layers = [nn.Conv2d(3, 3, 1, bias=False), nn.Conv2d(3, 3, 1, bias=False)]
            for layer in layers:
                nn.init.dirac_(layer.weight)
            self.maps = nn.Sequential(*layers, nn.ReLU())
        self.outputs = outputs

    def forward(self, batch: Tensor) -> Tensor:
        seen = self.maps(batch)
        side = batch.shape[-1] // 2
        red = seen[:, 0, :side, :side].mean(dim=(1, 2))
        if self.outputs == 1:
            return red[:, None]
        return torch.stack([red * number for number in range(self.outputs)], dim=1)


def share_in_corner(heat: np.ndarray) -> np.ndarray:
    side = heat.shape[-1] // 2
    return np.asarray(heat[:, :side, :side].sum(axis=(1, 2)) / heat.sum(axis=(1, 2)))


@pytest.mark.parametrize("convolutions", [True, False], ids=["map", "pixels"])
@pytest.mark.parametrize("outputs", [1, 3])
def test_heat_lies_where_the_decision_is_made(outputs: int, convolutions: bool) -> None:
    """Protects what people will believe; half of the heat in a quarter would be chance twice."""
    images = torch.rand(3, 3, 24, 24, generator=torch.Generator().manual_seed(0)) + 0.5
    heat = explain(Corner(outputs, convolutions=convolutions), images, np.full(3, outputs // 2 + 1))
    assert (heat.shape, heat.dtype) == ((3, 24, 24), np.float32)
    assert heat.max() == 1 and heat.min() >= 0
    assert (share_in_corner(heat) > 0.9).all()


def test_the_negative_class_has_evidence_of_its_own() -> None:
    """One logit speaks for both classes, with opposite signs."""
    images = torch.ones(2, 3, 24, 24) * torch.tensor([1.0, -1.0])[:, None, None, None]
    network = Corner(1, convolutions=False)
    yes, no = (explain(network, images, np.full(2, target)) for target in (1, 0))
    assert list(yes.max(axis=(1, 2))) == [1.0, 0.0]
    assert list(no.max(axis=(1, 2))) == [0.0, 1.0]


@pytest.mark.parametrize(
    ("name", "side"),
    [
        ("patch_cnn", 40),
        ("resnet18", 64),
        ("resnet18", 192),
        ("mobilenet_v3_small", 192),
        ("efficientnet_b0", 192),
        ("convnext_tiny", 64),
        ("vit_b_32", 32),
        ("swin_t", 32),
        ("squeezenet1_1", 192),
    ],
)
def test_every_kind_of_backbone_can_be_explained(name: str, side: int) -> None:
    """Protects `roadworthy train` with another backbone from failing after the training."""
    spec = Input(height=side, width=side, channels=1, mean=(0.5,), std=(0.25,))
    network = build(Backbone(name=name, weights=None), Head(), 3, spec)
    images = torch.randn(1, 1, side, side, generator=torch.Generator().manual_seed(1))
    heat = explain(network, images, np.array([2]))
    assert heat.shape == (1, side, side)
    assert np.isfinite(heat).all() and heat.min() >= 0 and heat.max() <= 1


@pytest.mark.parametrize("side", [16, 40], ids=["pixels", "map"])
def test_the_network_is_left_as_it_was(side: int) -> None:
    """Protects what comes after: modes, frozen parts, gradients, weights, hooks."""
    spec = Input(height=side, width=side)
    network = build(Backbone(name="patch_cnn", weights=None), Head(dropout=0.5), 1, spec)
    network.backbone.requires_grad_(False)
    network.train()
    modes = [module.training for module in network.modules()]
    weights = {name: value.clone() for name, value in network.state_dict().items()}
    images = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(2))
    first = explain(network, images, np.array([0, 1]))
    assert (explain(network, images, np.array([0, 1])) == first).all()
    assert [module.training for module in network.modules()] == modes
    assert all(parameter.grad is None for parameter in network.parameters())
    assert not images.requires_grad
    assert all(torch.equal(weights[name], value) for name, value in network.state_dict().items())
    assert not any(module._forward_hooks for module in network.modules())


def test_it_can_be_asked_where_no_gradients_are_made() -> None:
    """Protects a service, whose requests run in inference mode."""
    spec = Input(height=40, width=40)
    network = build(Backbone(name="patch_cnn", weights=None), Head(), 1, spec)
    with torch.inference_mode():
        images = torch.randn(1, 3, 40, 40, generator=torch.Generator().manual_seed(3))
        assert explain(network, images, np.array([1])).max() <= 1


def test_no_images_need_no_explanation() -> None:
    """A model without errors has no worst ones."""
    assert explain(nn.Identity(), torch.zeros(0, 3, 8, 9), np.zeros(0)).shape == (0, 8, 9)


def test_an_image_is_explained_alike_in_every_batch() -> None:
    """Protects the gallery: heat is scaled per image."""
    spec = Input(height=40, width=40)
    network = build(Backbone(name="patch_cnn", weights=None), Head(), 2, spec)
    images = torch.randn(18, 3, 40, 40, generator=torch.Generator().manual_seed(4))
    whole = explain(network, images, np.ones(18, np.int64))
    alone = explain(network, images[17:], np.ones(1, np.int64))
    assert alone[0] == pytest.approx(whole[17], abs=1e-4)


@pytest.mark.parametrize(
    ("shape", "size"), [((64, 64, 3), (224, 224)), ((40, 100, 1), (224, 90)), ((300, 10, 3), None)]
)
def test_an_overlay_is_large_enough_to_look_at(
    shape: tuple[int, ...], size: tuple[int, int] | None
) -> None:
    """Grey where it is cold, coloured where it is hot; large images stay as they are."""
    pixels = np.full(shape, 100, np.uint8)
    heat = np.zeros(shape[:2])
    cold = overlay(pixels, heat)
    assert cold.size == (size or (10, 300))
    assert (np.asarray(cold) == 100).all()
    heat[: shape[0] // 2] = 1
    red, _, blue = np.asarray(overlay(pixels, heat))[2, 2].astype(int)
    assert red - blue > 50
