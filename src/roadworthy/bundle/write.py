"""Write a bundle: weights, inference graph, and all that using them takes."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

from roadworthy.bundle.format import GRAPH, REFERENCE, SEEN, SPEC, WEIGHTS, BundleSpec
from roadworthy.bundle.predictor import Predictor
from roadworthy.data.seen import save
from roadworthy.errors import BundleError
from roadworthy.layout import write_json


def write_bundle(
    folder: Path,
    spec: BundleSpec,
    network: nn.Module,
    *,
    reference: dict[str, Any],
    seen: np.ndarray,
    sample: np.ndarray,
    parity: float = 1e-3,
) -> float:
    """Fill an existing, empty folder and check it by loading it again.

    Args:
        seen: fronts of the digests of the images it was made with, see `data.seen`.
        sample: prepared uint8 pixels (N, height, width, channels) on which graph and torch must agree.
        parity: largest difference of probabilities allowed between the two.

    Returns:
        The largest difference found.

    Raises:
        BundleError: the graph does not compute what the network computes.
    """
    network = network.eval().float().cpu()
    weights = {name: value.contiguous() for name, value in network.state_dict().items()}
    save_file(weights, folder / WEIGHTS)
    write_json(folder / SPEC, spec.model_dump(mode="json"))
    write_json(folder / REFERENCE, reference)
    save(folder / SEEN, seen)
    export_graph(network, folder / GRAPH, spec)
    difference = disagreement(folder, sample)
    if not difference <= parity:
        raise BundleError(
            f"{folder / GRAPH} differs from torch by {difference:.2g} in probability "
            f"(export.parity allows {parity:.2g})"
        )
    return difference


def export_graph(network: nn.Module, path: Path, spec: BundleSpec) -> None:
    """Write the network as ONNX with a free batch size."""
    shape = (2, spec.input.channels, spec.input.height, spec.input.width)
    with warnings.catch_warnings():
        # The older exporter folds BatchNorm, takes a third of the time, and writes the same bytes in
        # every folder; the newer one puts source paths into the file.
        warnings.simplefilter("ignore", DeprecationWarning)
        # ViT and Swin look at sizes, which are constants here but for the batch.
        warnings.simplefilter("ignore", torch.jit.TracerWarning)  # type: ignore[attr-defined]
        torch.onnx.export(
            network,
            (torch.zeros(shape),),
            str(path),
            input_names=["images"],
            output_names=["logits"],
            dynamic_axes={"images": {0: "batch"}, "logits": {0: "batch"}},
            dynamo=False,
        )


def disagreement(folder: Path, sample: np.ndarray) -> float:
    """Largest difference of probabilities between the bundle's graph and its torch network."""
    graph = Predictor(folder, engine="onnx").probabilities(sample)
    reference = Predictor(folder, engine="torch").probabilities(sample)
    return float(np.abs(graph - reference).max())
