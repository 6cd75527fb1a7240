"""Write a bundle: weights, inference graph, and all that using them takes."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

from roadworthy.bundle.explainable import Explainable, write_heat
from roadworthy.bundle.format import (
    EXPLAIN,
    GRAPH,
    REFERENCE,
    SEARCH,
    SEEN,
    SPEC,
    SUPPRESS,
    WEIGHTS,
    BundleSpec,
)
from roadworthy.bundle.graphs import write_graph
from roadworthy.bundle.predictor import Predictor
from roadworthy.data.seen import save
from roadworthy.detection.convert import Branch, Sliding, slide
from roadworthy.errors import BundleError
from roadworthy.layout import write_json
from roadworthy.models.build import Network
from roadworthy.params import Search


def write_bundle(
    folder: Path,
    spec: BundleSpec,
    network: Network,
    *,
    reference: dict[str, Any],
    seen: np.ndarray,
    sample: np.ndarray,
    branch: Branch | None = None,
    parity: float = 1e-3,
) -> float:
    """Fill an existing, empty folder and check it by loading it again.

    Args:
        seen: fronts of the digests of the images it was made with, see `data.seen`.
        sample: prepared uint8 pixels (N, height, width, channels) on which graph and torch must agree.
        branch: where in its window the thing is, for a bundle that searches.
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
    if spec.search:
        export_search(slide(network, spec.input, branch), folder, spec.search.settings)
    difference = disagreement(folder, sample)
    if not difference <= parity:
        raise BundleError(
            f"{folder / GRAPH} differs from torch by {difference:.2g} in probability "
            f"(export.parity allows {parity:.2g})"
        )
    return difference


def export_graph(network: Network, path: Path, spec: BundleSpec) -> None:
    """Write the network as ONNX with a free batch size: logits, embedding and, where it has some, maps.

    Beside it goes what explains its answers, see `explainable.write_heat`.
    """
    shape = (2, spec.input.channels, spec.input.height, spec.input.width)
    images = torch.zeros(shape)
    inside = Explainable(network, images[:1])
    names = {name: {0: "batch"} for name in ("images", *inside.names)}
    write_graph(inside, (images,), path, names, len(inside.names))
    write_heat(inside, path.with_name(EXPLAIN), images[:1])


def export_search(network: Sliding, folder: Path, settings: Search) -> None:
    """Write the sliding network for pictures of every size, and torchvision's overlap test, as ONNX."""
    channels, height, width = network.window
    # Larger than the window, whatever that is.
    picture = torch.zeros(1, channels, 2 * height, 3 * width)
    free = {2: "height", 3: "width"}
    maps = {
        "picture": free,
        "logits": {2: "down", 3: "across"},
        "offsets": {2: "down", 3: "across"},
    }
    # Unfolded the file is a fifth as large: the kernel's transform is computed where it is loaded.
    write_graph(network, (picture,), folder / SEARCH, maps, 2, do_constant_folding=False)
    boxes, scores = torch.rand(2, 4), torch.rand(2)
    kept = {"boxes": {0: "boxes"}, "scores": {0: "boxes"}, "kept": {0: "kept"}}
    write_graph(_Suppress(settings.overlap), (boxes, scores), folder / SUPPRESS, kept, 1)


class _Suppress(nn.Module):
    """torchvision's non-maximum suppression, so that who serves needs no torchvision."""

    def __init__(self, overlap: float) -> None:
        super().__init__()
        self.overlap = overlap

    def forward(self, boxes: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Places int64 (K,) of boxes (N, 4) with scores (N,)."""
        from torchvision.ops import nms

        kept: torch.Tensor = nms(boxes, scores, self.overlap)
        return kept


def disagreement(folder: Path, sample: np.ndarray) -> float:
    """Largest difference of probabilities between the bundle's graph and its torch network."""
    graph = Predictor(folder, engine="onnx").probabilities(sample)
    reference = Predictor(folder, engine="torch").probabilities(sample)
    return float(np.abs(graph - reference).max())
