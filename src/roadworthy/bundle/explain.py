"""Which parts of an image spoke for an answer, on ONNX Runtime and without torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from roadworthy.bundle.format import EXPLAIN
from roadworthy.bundle.predictor import Predictor, session
from roadworthy.models.outputs import to_probabilities

Method = Literal["grad-cam", "occlusion"]
# Occlusion: about this many places of the patch, in all.
PLACES = 64


@dataclass(frozen=True)
class Heat:
    """What spoke for one label in one image."""

    values: np.ndarray
    """float32 (H, W) of the network's input, 0 to 1, the hottest place at 1; all 0 where nothing did."""
    method: Method
    label: int
    """Number of the label that is explained."""
    probabilities: np.ndarray
    """float64 (labels,), calibrated: what the bundle says of the image."""


class Explainer:
    """Explains the answers of a bundle. Safe to call from several threads.

    Grad-CAM where the bundle has `explain.onnx`, which takes no longer than an answer: the last
    convolutional map, each cell with its own gradient (Selvaraju et al. 2017, "Grad-CAM"; Draelos and
    Carin 2020, "Use HiResCAM instead of Grad-CAM"), as `evaluation.explanations` does. Else
    occlusion, which asks about 60 times: a patch of the mean colour goes over the image, and where
    it hides something the label loses (Zeiler and Fergus 2014, "Visualizing and Understanding
    Convolutional Networks").

    Args:
        predictor: whose answers.
        threads: CPU threads for the gradient; it is small.

    Raises:
        BundleError: `explain.onnx` is damaged.
    """

    def __init__(self, predictor: Predictor, threads: int = 1) -> None:
        self.predictor = predictor
        graph = Path(predictor.folder) / EXPLAIN
        self._graph = session(graph, threads) if graph.is_file() else None

    def heat(self, pixels: np.ndarray, label: int | None = None) -> Heat:
        """Heat of one image for one label.

        Args:
            pixels: uint8 (H, W, C), as `Predictor.prepare` gives them.
            label: its number; None explains the answer.
        """
        made = self.predictor.outputs(pixels[None], maps=self._graph is not None)
        probabilities = to_probabilities(made.logits, self.predictor.spec.temperature)
        wanted = int(self.predictor.decide(probabilities)[0]) if label is None else label
        if self._graph is not None and made.maps is not None:
            weights = towards(made.logits, wanted)
            cells = self._graph.run(None, {"maps": made.maps, "weights": weights})[0][0]
            values = spread(cells, pixels, Image.Resampling.BILINEAR)
            return Heat(values, "grad-cam", wanted, probabilities[0])
        return Heat(
            self._occlude(pixels, made.logits, wanted), "occlusion", wanted, probabilities[0]
        )

    def _occlude(self, pixels: np.ndarray, logits: np.ndarray, label: int) -> np.ndarray:
        rows, columns = grid(*pixels.shape[:2])
        hidden = self.predictor.logits(occluded(pixels, self._grey(), rows, columns))
        lost = log_odds(logits, label) - log_odds(hidden, label)
        # Between so few places straight lines would show as stars.
        return spread(lost.reshape(rows, columns), pixels, Image.Resampling.BICUBIC)

    def _grey(self) -> np.ndarray:
        """What says nothing: after normalisation it is 0."""
        return np.round(np.asarray(self.predictor.spec.input.mean) * 255).astype(np.uint8)


def log_odds(logits: np.ndarray, label: int) -> np.ndarray:
    """Of a label against all others, float64 (N,): what speaks for all labels alike drops out.

    Args:
        logits: (N, labels), or (N, 1) of label 1 against label 0.
    """
    if logits.shape[1] == 1:
        return np.asarray(logits[:, 0] if label == 1 else -logits[:, 0])
    others = np.delete(logits, label, axis=1)
    most = others.max(axis=1)
    summed = np.log(np.exp(others - most[:, None]).sum(axis=1))
    return np.asarray(logits[:, label] - most - summed)


def towards(logits: np.ndarray, label: int) -> np.ndarray:
    """How the log-odds of a label change with each logit: their gradient, float32 (N, outputs)."""
    if logits.shape[1] == 1:
        return np.full(logits.shape, 1.0 if label == 1 else -1.0, np.float32)
    others = np.array(logits, np.float64)
    others[:, label] = -np.inf
    weights = -to_probabilities(others)
    weights[:, label] = 1.0
    return weights.astype(np.float32)


def grid(height: int, width: int) -> tuple[int, int]:
    """Places of the patch down and across, so that they are about as far apart both ways."""
    rows = max(round((PLACES * height / width) ** 0.5), 1)
    return rows, max(round(PLACES / rows), 1)


def occluded(pixels: np.ndarray, grey: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """The image with a patch at every place, uint8 (rows * columns, H, W, C).

    A patch is two cells of the grid high and wide, so that neighbours overlap by half.
    """
    height, width = pixels.shape[:2]
    made = np.repeat(pixels[None], rows * columns, axis=0)
    for place in range(rows * columns):
        row, column = divmod(place, columns)
        top, bottom = (round((row + by) * height / rows) for by in (-0.5, 1.5))
        left, right = (round((column + by) * width / columns) for by in (-0.5, 1.5))
        made[place, max(top, 0) : bottom, max(left, 0) : right] = grey
    return made


def spread(cells: np.ndarray, pixels: np.ndarray, how: Image.Resampling) -> np.ndarray:
    """What is positive in a coarse map (h, w), as large as the image (H, W), the hottest place at 1."""
    positive = np.maximum(np.asarray(cells, np.float32), 0)
    hottest = positive.max(initial=0)
    if not hottest > 0:
        return np.zeros(pixels.shape[:2], np.float32)
    size = (pixels.shape[1], pixels.shape[0])
    wide = np.asarray(Image.fromarray(positive / hottest).resize(size, how)).clip(0)
    return np.asarray(wide / wide.max(), np.float32)
