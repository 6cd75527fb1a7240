"""What torchvision says of its classifiers: names, sizes, normalisation, published figures.

All of it comes with the package: nothing is built here, and nothing downloaded.
"""

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from roadworthy.errors import ParamsError
from roadworthy.params import Backbone, Input

PATCH_CNN = "patch_cnn"
# Inception's ImageNet weights want -1 to 1; for colour images the network itself changes over.
TENSORFLOW_RANGE = ("inception_v3", "googlenet")
# torchvision says 224 and more, and 33; but windows are padded, and one pixel passes.
OVERSTATED = {"swin": 4, "efficientnet_v2": 1}


@dataclass(frozen=True)
class Native:
    """What weights were made with: pixels, and mean and standard deviation per channel (of 0 to 1)."""

    weights: str
    height: int
    width: int
    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True)
class Facts:
    """One classifier with its best published weights; parameters and operations with 1,000 classes."""

    name: str
    least: int
    native: Native
    parameters: int
    gflops: float
    top1: float
    """Accuracy on ImageNet-1K in percent, as published with the weights."""


def names() -> list[str]:
    """Every classifier that torchvision has."""
    from torchvision import models

    known: list[str] = models.list_models(module=models)
    return known


def check_name(name: str) -> None:
    """Raise ParamsError, with the nearest names, where torchvision has no such classifier."""
    known = names()
    if name not in known:
        near = get_close_matches(name, known, n=3, cutoff=0.4) or known[:3]
        raise ParamsError(
            f"backbone {name!r} is not one of torchvision's; did you mean {' or '.join(near)}? "
            "`roadworthy backbones` lists all"
        )


def facts(name: str) -> Facts:
    """What is published of the classifier called `name`."""
    meta = _weights(name, None).meta
    return Facts(
        name=name,
        least=least_side(name),
        native=native(name),
        parameters=meta["num_params"],
        gflops=meta["_ops"],
        top1=meta["_metrics"]["ImageNet-1K"]["acc@1"],
    )


def native(name: str, weights: str | None = None, channels: int = 3) -> Native:
    """The input of the weights so called, of the best ones where there are none of that name.

    Args:
        channels: with 1, a mean and a deviation that stand for those of the three colours.

    Raises:
        ParamsError: torchvision has no such classifier.
    """
    chosen = _weights(name, weights)
    transform = chosen.transforms()
    (side,) = transform.crop_size
    mean, std = tuple(transform.mean), tuple(transform.std)
    if channels == 1:
        halves = name in TENSORFLOW_RANGE
        mean, std = ((0.5,), (0.5,)) if halves else ((_average(mean),), (_average(std),))
    return Native(str(chosen.name), side, side, mean, std)


def resolve(spec: Input, backbone: Backbone) -> Input:
    """The input with `size: backbone` replaced by what the backbone's weights were made with.

    Raises:
        ParamsError: the backbone is not torchvision's.
    """
    if spec.size == "set":
        return spec
    if backbone.name == PATCH_CNN:
        raise ParamsError(f"input.size: {PATCH_CNN} has no size of its own; set height and width")
    its = native(backbone.name, backbone.weights, spec.channels)
    own = {"height": its.height, "width": its.width, "mean": its.mean, "std": its.std}
    return spec.model_copy(update={"size": "set", **own})


def check_size(name: str, height: int, width: int) -> None:
    """Raise ParamsError where the backbone cannot take images of `height` x `width` pixels."""
    given = f"input is {height} x {width}"
    if (grid := _grid(name)) and (height != width or height % grid):
        raise ParamsError(
            f"{name} needs square images with a side that is a multiple of {grid}; {given}"
        )
    least = least_side(name)
    if min(height, width) < least:
        raise ParamsError(f"{name} needs at least {least} x {least} images; {given}")


def least_side(name: str) -> int:
    """Pixels of the smallest square image that passes through."""
    if name == PATCH_CNN:
        return 16
    if grid := _grid(name):
        return grid
    for family, side in OVERSTATED.items():
        if name.startswith(family):
            return side
    return int(min(_weights(name, None).meta["min_size"]))


def has_one_size(name: str) -> bool:
    """Whether the network takes images of the size it was built for only, and cannot be resized."""
    return name == PATCH_CNN or _grid(name) is not None


def _grid(name: str) -> int | None:
    """The side must be a multiple of this, where position is learned: patches, MaxViT's windows."""
    if name.startswith("maxvit"):
        return 224
    return int(name.rpartition("_")[2]) if name.startswith("vit_") else None


def _weights(name: str, wanted: str | None) -> Any:
    from torchvision.models import get_model_weights

    check_name(name)
    known = get_model_weights(name)
    return known.__members__.get(str(wanted), known.DEFAULT)


def _average(values: tuple[float, ...]) -> float:
    return round(sum(values) / len(values), 4)
