"""A real bundle that calls an image bright, so that it is known where its heat must lie."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn

from roadworthy.bundle.format import BundleSpec
from roadworthy.bundle.write import write_bundle
from roadworthy.models.build import Network, build
from roadworthy.params import Backbone, Head, Input

MAPPED, PLAIN = 44, 20
"""Sides of input: the network's last map has 8 x 8 cells, and 2 x 2, which explain nothing."""


def bright_bundle(folder: Path, side: int = MAPPED, **settings: Any) -> Path:
    """A bundle for `dark` and `bright`; `settings` are those of the input."""
    spec = BundleSpec(
        task="light",
        kind="binary",
        labels=("dark", "bright"),
        outputs="sigmoid",
        input=Input(height=side, width=side, mean=(0.0,) * 3, std=(1.0,) * 3, **settings),
        backbone=Backbone(name="patch_cnn", weights=None),
        head=Head(),
        threshold=0.5,
    )
    folder.mkdir(parents=True, exist_ok=True)
    sample = np.random.default_rng(0).integers(0, 256, (2, side, side, 3), dtype=np.uint8)
    seen = np.empty(0, np.uint64)
    write_bundle(folder, spec, _adding(spec), reference={}, seen=seen, sample=sample)
    return folder


def square(size: tuple[int, int], centre: tuple[float, float], side: float) -> Image.Image:
    """A black image with a white square; `centre` is across and down, both and `side` in pixels."""
    image = Image.new("RGB", size)
    corner = (centre[0] - side / 2, centre[1] - side / 2)
    box = (*map(round, corner), *(round(edge + side) for edge in corner))
    image.paste("white", box)
    return image


def _adding(spec: BundleSpec) -> Network:
    """A network whose logit is the sum of what is bright, minus a little."""
    network = build(spec.backbone, spec.head, 1, spec.input)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                module.weight.zero_()
                module.weight[0] = 1.0 / module.weight[0].numel()
                if module.bias is not None:
                    module.bias.zero_()
        last = network.head[-1]  # type: ignore[index]
        last.weight[0] = 0.0
        last.weight[0, 0] = 100.0
        last.bias[0] = -1.0
        conv = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
        conv[1].weight.zero_()
        conv[1].weight[0, 0] = 1.0 / 25
        flat = next(
            module for module in network.backbone.modules() if isinstance(module, nn.Linear)
        )
        cells = flat.weight.shape[1] // 64
        flat.weight.zero_()
        flat.weight[0, :cells] = 1.0 / cells
    return network
