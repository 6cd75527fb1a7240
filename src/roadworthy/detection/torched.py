"""Searching with a network as torch has it: before there is a bundle, and where none is wanted."""

import numpy as np
import torch

from roadworthy.detection.convert import Branch, slide
from roadworthy.detection.search import Searcher
from roadworthy.models.build import Network
from roadworthy.params import Input, Search


def searcher(
    network: Network,
    spec: Input,
    settings: Search,
    branch: Branch | None = None,
    temperature: float = 1.0,
) -> Searcher:
    """A searcher that runs `network`, which may go on being trained: this is a copy.

    Raises:
        TrainingError: the network cannot slide, see `convert.slide`.
    """
    sliding = slide(network, spec, branch)

    def maps(picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        with torch.inference_mode():
            logits, offsets = sliding(torch.from_numpy(picture))
        return logits.numpy(), offsets.numpy()

    return Searcher(maps, suppress, spec, settings, sliding.stride, temperature)


def suppress(boxes: np.ndarray, scores: np.ndarray, overlap: float) -> np.ndarray:
    """Places of the boxes that stay, the surest first."""
    from torchvision.ops import nms

    found: np.ndarray = nms(torch.from_numpy(boxes), torch.from_numpy(scores), overlap).numpy()
    return found
