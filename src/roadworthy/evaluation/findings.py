"""All that an evaluation found, as report, card and run take it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from PIL import Image

if TYPE_CHECKING:
    from roadworthy.evaluation.bootstrap import Estimate
    from roadworthy.evaluation.scenes import Scenes


@dataclass(frozen=True)
class Fitted:
    """What was fitted on validation."""

    temperature: float
    threshold: float | None
    """Probability of the positive class from which the answer is positive; None of many classes."""
    sure: float
    """Probability of the answer below which it is marked as not sure."""
    box_threshold: float | None = None
    """Probability from which a box in a scene counts as found; None where nothing is searched."""


@dataclass(frozen=True)
class Shot:
    """A test image with what was said of it."""

    sha256: str
    path: str
    label: str
    predicted: str
    probability: float
    """Of the answer."""
    image: Image.Image
    """As the network saw it."""
    heat: Image.Image | None = None
    """The same with the parts that spoke for the answer."""

    @property
    def wrong(self) -> bool:
        """Whether the answer is not the label."""
        return self.label != self.predicted


@dataclass(frozen=True)
class Speed:
    """How fast the inference graph answers here, beside torch."""

    machine: str
    """Processor and threads."""
    latency_ms: float
    """One image, median."""
    latency_p95_ms: float
    throughput: float
    """Images per second, 32 at once."""
    torch_latency_ms: float
    torch_throughput: float
    megabytes: float
    """Of the graph's file."""
    parameters: int
    disagreement: float
    """Largest difference of probabilities between graph and torch."""


@dataclass(frozen=True)
class Spent:
    """What a training took."""

    hours: float
    kilowatt_hours: float
    kilograms: float
    """Of CO2e."""
    price: float
    machine: str
    """How busy it was."""


@dataclass(frozen=True)
class Findings:
    """One evaluation.

    Tables (all on the test split unless said): `classes` class, images and precision, recall, f1,
    each also with `_low` and `_high`; `confusions` truth, answer, images, share (of the truth), the
    most frequent first, right answers left out; `thresholds` threshold, precision, recall, f1,
    coverage (share of positive answers), cost (per image), of a binary task, else empty;
    `confidences` confidence, coverage (share answered), accuracy (of those), cost (per image);
    `reliability` state (before, after), confidence, accuracy, images; `slices` slice, column, value,
    images, accuracy, low, high, p, p_corrected, weak (bool), the worst first; `stress` change,
    strength (0 is none), accuracy, low, high; `behaviour` check, figure, limit, passed, words.
    """

    task: str
    kind: str
    labels: Sequence[str]
    rows: dict[str, int]
    """Images per split."""
    confidence: float
    """Coverage of all intervals."""
    figures: "dict[str, Estimate]"
    validation: "dict[str, Estimate]"
    baseline: float
    """Accuracy of a classifier that sees only size, format, file size and colours."""
    fitted: Fitted
    threshold_rule: str
    sure_rule: str
    counts: np.ndarray
    """Confusion matrix (C, C), truth by answer."""
    classes: pd.DataFrame
    confusions: pd.DataFrame
    thresholds: pd.DataFrame
    confidences: pd.DataFrame
    reliability: pd.DataFrame
    slices: pd.DataFrame
    stress: pd.DataFrame
    behaviour: pd.DataFrame
    history: Sequence[dict[str, Any]]
    """Rows of `history.csv`."""
    fixed: Sequence[Shot]
    """The same test images in every run."""
    errors: Sequence[Shot]
    """Wrong answers, the surest first, then the right ones that were least sure."""
    explained: Mapping[str, Sequence[Shot]]
    """`best`, `worst`, `doubtful`, with their heat."""
    speed: Speed | None
    spent: Spent | None
    """None where the run's record is not at hand."""
    lineage: dict[str, str]
    """Commit, data version, run, backbone ..., as people read them."""
    scenes: "Scenes | None" = None
    """Of a task whose network searches whole scenes."""
