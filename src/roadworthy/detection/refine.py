"""The branch that says where in its window a thing is: a linear layer on the classifier's features.

Ridge regression from features to offsets, as R-CNN refines its boxes (Girshick et al. 2014, appendix
C); how much it is held back is chosen by leaving windows out.
"""

import numpy as np
import torch

from roadworthy.data.transforms import normalise
from roadworthy.detection.convert import Branch, feature_width
from roadworthy.detection.windows import Windows
from roadworthy.models.build import Network
from roadworthy.params import Input

# Fewer windows than this do not tell a box's place from the features.
FEW = 50
ALPHAS = np.logspace(0, 6, 13)
BATCH = 256


def fit_branch(network: Network, spec: Input, windows: Windows, refine: bool) -> Branch:
    """The branch; without `refine`, or with few windows, one that gives the mean place always.

    Args:
        windows: about boxes that are known; with none at all a thing is taken to fill its window.
    """
    width = feature_width(network)
    if not len(windows.pixels):
        return Branch.fixed(width)
    mean = windows.offsets.mean(axis=0)
    if not refine or len(windows.pixels) < FEW:
        return Branch.fixed(width, tuple(map(float, mean)))
    from sklearn.linear_model import RidgeCV

    found = RidgeCV(alphas=ALPHAS).fit(_features(network, spec, windows.pixels), windows.offsets)
    weight, bias = (
        torch.from_numpy(np.asarray(v, np.float32)) for v in (found.coef_, found.intercept_)
    )
    return Branch(weight.contiguous(), bias)


def _features(network: Network, spec: Input, pixels: np.ndarray) -> np.ndarray:
    """Float32 (N, width)."""
    network = network.eval()
    with torch.inference_mode():
        parts = [
            network.backbone(torch.from_numpy(normalise(pixels[start : start + BATCH], spec)))
            for start in range(0, len(pixels), BATCH)
        ]
    return torch.cat(parts).float().numpy()
