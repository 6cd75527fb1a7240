"""A network is a backbone, which makes features, and a head, which makes logits of them."""

from typing import cast

import torch
from torch import nn

from roadworthy.errors import ParamsError
from roadworthy.models.patch_cnn import PatchFeatures
from roadworthy.params import Backbone, Head, Input


class Network(nn.Module):
    """Backbone and head; `forward` takes float (N, C, H, W) and gives logits (N, outputs)."""

    def __init__(self, backbone: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        """Logits (N, outputs) of normalised images (N, C, H, W)."""
        return cast(torch.Tensor, self.head(self.backbone(batch)))


def build(backbone: Backbone, head: Head, outputs: int, spec: Input, seed: int = 0) -> Network:
    """The network, with random weights drawn from `seed`.

    Raises:
        ParamsError: no backbone has that name.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        features, width = build_backbone(backbone.name, spec)
        return Network(features, build_head(width, head, outputs))


def build_head(width: int, head: Head, outputs: int) -> nn.Module:
    """Linear, or hidden layers with BatchNorm, ReLU and dropout before it."""
    layers: list[nn.Module] = []
    for hidden in head.hidden:
        layers += [nn.Linear(width, hidden), nn.BatchNorm1d(hidden), nn.ReLU()]
        layers += [nn.Dropout(head.dropout)] if head.dropout else []
        width = hidden
    return nn.Sequential(*layers, nn.Linear(width, outputs))


def build_backbone(name: str, spec: Input) -> tuple[nn.Module, int]:
    """A module from images to features (N, width), and that width."""
    if name == "patch_cnn":
        features = PatchFeatures(spec)
        return features, features.width
    return _torchvision_backbone(name)


def _torchvision_backbone(name: str) -> tuple[nn.Module, int]:
    from torchvision.models import get_model, list_models

    known = list_models(module=__import__("torchvision").models)
    if name not in known:
        raise ParamsError(f"backbone {name!r} is not one of torchvision's: {', '.join(known)}")
    # A residual branch that begins as nothing was the largest gain of all from scratch.
    options = {"zero_init_residual": True} if name.startswith(("resnet", "wide", "resnext")) else {}
    model = get_model(name, weights=None, **options)
    place, last = _last_linear(model)
    parent = model.get_submodule(place.rpartition(".")[0])
    setattr(parent, place.rpartition(".")[2], nn.Identity())
    return model, last.in_features


def _last_linear(model: nn.Module) -> tuple[str, nn.Linear]:
    """The classifier's last layer: torchvision's models all end in one linear layer."""
    found = [(n, m) for n, m in model.named_modules() if isinstance(m, nn.Linear)]
    if not found:
        raise ParamsError(f"{type(model).__name__} has no linear classifier to replace")
    return found[-1]
