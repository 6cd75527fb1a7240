"""What tests share: small bundles, drawn images, free ports."""

import socket
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

# Runs a command in a project's folder: `run("dvc", "repro", ok=False, SOME_VARIABLE="x")`.
Run = Callable[..., subprocess.CompletedProcess[str]]


def tiny_bundle(
    folder: Path,
    task: str = "car",
    labels: tuple[str, ...] = ("not_car", "car"),
    seed: int = 0,
    bias: float = 0.0,
    seen: Sequence[str] = (),
    **changes: Any,
) -> Path:
    """A real bundle around a small random network on 20 x 20 images.

    `bias` is added to the last logit; `seen` are SHA-256 of images it was made with.
    """
    import torch

    from roadworthy.bundle.format import CARD, BundleSpec
    from roadworthy.bundle.write import write_bundle
    from roadworthy.data.seen import fronts
    from roadworthy.models.build import build
    from roadworthy.params import Backbone, Head, Input

    binary = len(labels) == 2
    values: dict[str, Any] = {
        "task": task,
        "kind": "binary" if binary else "multiclass",
        "labels": labels,
        "outputs": "sigmoid" if binary else "softmax",
        "input": Input(height=20, width=20),
        "backbone": Backbone(name="patch_cnn", weights=None),
        "head": Head(),
        "threshold": 0.5 if binary else None,
        "metrics": {"accuracy": 0.9},
    }
    spec = BundleSpec.model_validate({**values, **changes})
    network = build(spec.backbone, spec.head, 1 if binary else len(labels), spec.input, seed)
    with torch.no_grad():
        network.head[-1].bias[-1] += bias  # type: ignore[index, union-attr, operator]
    folder.mkdir(parents=True, exist_ok=True)
    shape = (4, spec.input.height, spec.input.width, spec.input.channels)
    sample = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    made_with = fronts(seen)
    write_bundle(folder, spec, network, reference={}, seen=made_with, sample=sample)
    (folder / CARD).write_text(f"# {task}\n")
    return folder


def write_images(
    folder: Path, count: int, size: tuple[int, int] = (32, 24), seed: int = 0
) -> list[Path]:
    """Write `count` different PNG images of width x height `size`."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    paths = [folder / f"{number:04d}.png" for number in range(count)]
    for path in paths:
        coarse = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8))
        coarse.resize(size, Image.Resampling.BICUBIC).save(path)
    return paths


def free_port() -> int:
    """A TCP port on loopback that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
