"""Backbones: torchvision's classifiers without their last layer, and the patch network.

What comes before the last layer stays, a classifier's own hidden layers too (VGG, AlexNet,
MobileNet v3, MaxViT): they have ImageNet weights like the rest. So do dropout layers before it.
"""

from dataclasses import dataclass
from typing import Any, cast

from torch import nn

from roadworthy.errors import ParamsError
from roadworthy.models import catalogue
from roadworthy.models.patch_cnn import PatchFeatures
from roadworthy.params import Input

# Every classifier of torchvision is built for ImageNet's classes, and known by that.
IMAGENET = 1000


@dataclass(frozen=True)
class Features:
    """A module from images (N, C, H, W) to features (N, width)."""

    module: nn.Module
    width: int
    auxiliary: tuple[int, ...] = ()
    """Widths of what auxiliary classifiers see. In training the module gives a tuple: the features,
    then those."""


def build_backbone(name: str, spec: Input) -> Features:
    """The backbone called `name` for images of `spec`, with random weights.

    Raises:
        ParamsError: no backbone has that name, or it cannot take images of that size.
    """
    if name != catalogue.PATCH_CNN:
        catalogue.check_name(name)
    catalogue.check_size(name, spec.height, spec.width)
    if name == catalogue.PATCH_CNN:
        features = PatchFeatures(spec)
        return Features(features, features.width)
    model = _classifier(name, spec)
    *auxiliary, width = [_take_out(model, place) for place in _last_layers(model)]
    _average_anywhere(model)
    if spec.channels == 1:
        _see_grey(model)
    return Features(model, width, tuple(auxiliary))


def _classifier(name: str, spec: Input) -> nn.Module:
    from torchvision.models import get_model

    if name.startswith("mnasnet"):
        from roadworthy.models.adapted import UnmarkedMNASNet

        return UnmarkedMNASNet(float(name.removeprefix("mnasnet").replace("_", ".")))
    model: nn.Module = get_model(name, weights=None, **_options(name, spec))
    return model


def _options(name: str, spec: Input) -> dict[str, Any]:
    """What a family has to be told."""
    if name.startswith(("resnet", "wide", "resnext")):
        # A residual branch that begins as nothing was the largest gain of all from scratch.
        return {"zero_init_residual": True}
    if name.startswith("vit"):
        return {"image_size": spec.height}
    if name.startswith("maxvit"):
        return {"input_size": (spec.height, spec.width)}
    if name == "inception_v3":
        from roadworthy.models.adapted import INCEPTION_BLOCKS

        return {**_tensorflow(spec), "inception_blocks": INCEPTION_BLOCKS}
    if name == "googlenet":
        return _tensorflow(spec)
    return {}


def _tensorflow(spec: Input) -> dict[str, Any]:
    """For weights that came from TensorFlow: they want -1 to 1, not ImageNet's mean and deviation."""
    return {"transform_input": spec.channels == 3, "init_weights": True}


def _last_layers(model: nn.Module) -> list[str]:
    """Where classes are told apart: auxiliary heads first, the classifier last."""
    found = [
        name
        for name, module in model.named_modules()
        if getattr(module, "out_features", getattr(module, "out_channels", 0)) == IMAGENET
    ]
    if not found:
        raise ParamsError(f"{type(model).__name__} has no classifier to replace")
    return found


def _take_out(model: nn.Module, place: str) -> int:
    """Remove a last layer; returns the width of what it saw. SqueezeNet's is a 1 x 1 convolution."""
    layer = model.get_submodule(place)
    parent, _, name = place.rpartition(".")
    setattr(model.get_submodule(parent), name, nn.Identity())
    return int(layer.in_channels if isinstance(layer, nn.Conv2d) else layer.in_features)  # type: ignore[arg-type]


def _average_anywhere(model: nn.Module) -> None:
    """Let VGG and AlexNet, which average to 7 x 7 and 6 x 6, be exported at every size."""
    for name, child in model.named_children():
        if isinstance(child, nn.AdaptiveAvgPool2d) and child.output_size not in (1, (1, 1)):
            from roadworthy.models.adapted import AveragePool

            height, width = cast(tuple[int, int], child.output_size)
            setattr(model, name, AveragePool(height, width))


def _see_grey(model: nn.Module) -> None:
    """Sum the first layer over the colours: what it would say of a grey image in three channels."""
    first = next(module for module in model.modules() if isinstance(module, nn.Conv2d))
    first.in_channels = 1
    first.weight = nn.Parameter(first.weight.detach().sum(1, keepdim=True))
