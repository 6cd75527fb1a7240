"""The network under test: asked about images, and what it said of the test split."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from roadworthy.data.transforms import centre
from roadworthy.evaluation import gallery
from roadworthy.evaluation.answers import Answers
from roadworthy.evaluation.findings import Fitted, Shot
from roadworthy.models.outputs import to_probabilities
from roadworthy.params import TaskPlan
from roadworthy.pipeline.train import Trained
from roadworthy.quality.units import units
from roadworthy.training.augmentation import Normalise

BATCH = 64


@dataclass(frozen=True)
class Subject:
    """The network under test, with the test images as it sees them."""

    plan: TaskPlan
    trained: Trained
    fitted: Fitted
    pixels: np.ndarray
    """Uint8 (N, H, W, C) of input size."""
    rows: pd.DataFrame
    answers: Answers

    def ask(self, pixels: np.ndarray) -> np.ndarray:
        """Calibrated probabilities (N, C) for uint8 pixels of input size."""
        return to_probabilities(outputs(self.trained, pixels), self.fitted.temperature)

    def decide(self, probabilities: np.ndarray) -> np.ndarray:
        """Class numbers (N,), by threshold or by the largest."""
        if self.fitted.threshold is None:
            return np.asarray(probabilities.argmax(axis=1))
        return (probabilities[:, 1] >= self.fitted.threshold).astype(np.int64)

    @property
    def predictions(self) -> pd.DataFrame:
        """Columns path, sha256, label, predicted, probability, and one `p_LABEL` per label."""
        labels, answers, rows = self.trained.data.labels, self.answers, self.rows
        said = answers.probabilities[np.arange(len(rows)), answers.predicted]
        table = pd.DataFrame(
            {
                "path": rows["path"].to_numpy(),
                "sha256": rows["sha256"].to_numpy(),
                "label": [labels[n] for n in answers.targets],
                "predicted": [labels[n] for n in answers.predicted],
                "probability": said,
            }
        )
        columns = {f"p_{label}": answers.probabilities[:, n] for n, label in enumerate(labels)}
        return pd.concat([table, pd.DataFrame(columns)], axis=1).round(6)

    def shots(self, places: np.ndarray) -> list[Shot]:
        """The test images at `places`, with what was said of them."""
        table = self.predictions
        return [gallery.shot(table.iloc[place], self.pixels[place]) for place in places]


def logits(trained: Trained, split: str) -> np.ndarray:
    """Raw outputs (N, 1 or C) of the network, in fp32, for a split in the order of the cache."""
    data = trained.data
    return outputs(trained, centre(data.pixels(data.places(split)), data.input))


def outputs(trained: Trained, pixels: np.ndarray) -> np.ndarray:
    """Raw outputs for uint8 pixels of input size."""
    plain = Normalise(trained.data.input)
    with torch.inference_mode():
        parts = [
            trained.network(plain(torch.from_numpy(pixels[start : start + BATCH]))).float().numpy()
            for start in range(0, len(pixels), BATCH)
        ]
    return np.concatenate(parts)


def answers(
    trained: Trained, split: str, raw: np.ndarray, rows: pd.DataFrame, fitted: Fitted
) -> Answers:
    """What `raw` outputs for a split mean, beside the truth."""
    probabilities = to_probabilities(raw, fitted.temperature)
    predicted = probabilities.argmax(axis=1)
    if fitted.threshold is not None:
        predicted = (probabilities[:, 1] >= fitted.threshold).astype(np.int64)
    targets = trained.data.targets(trained.data.places(split))
    return Answers(targets, predicted, probabilities, units(rows))
