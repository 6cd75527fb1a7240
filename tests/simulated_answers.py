"""Answers of models that are known: drawn, so that the truth of every figure is known too."""

import numpy as np

from roadworthy.evaluation.answers import Answers
from roadworthy.models.outputs import to_probabilities


def answers(
    rng: np.random.Generator,
    rows: int = 200,
    classes: int = 3,
    skill: float = 1.5,
    together: int = 1,
    sharpness: float = 1.0,
) -> Answers:
    """Answers of a calibrated model.

    Args:
        skill: how far the logit of the truth stands out, in standard deviations.
        together: rows per unit; they share their class and most of what is hard about them.
        sharpness: 1 is calibrated, more is too sure.
    """
    units = np.arange(rows) // together
    targets = rng.integers(0, classes, units[-1] + 1)[units]
    noise = rng.normal(size=(rows, classes))
    if together > 1:
        shared = rng.normal(size=(units[-1] + 1, classes))[units]
        noise = np.sqrt(0.7) * shared + np.sqrt(0.3) * noise
    noise[np.arange(rows), targets] += skill
    probabilities = to_probabilities(noise * skill * sharpness)
    return Answers(targets, probabilities.argmax(axis=1), probabilities, units)


def covered(
    figures: dict[str, float], found: list[dict[str, tuple[float, float]]]
) -> dict[str, float]:
    """How often intervals held the truth.

    Args:
        figures: the truths.
        found: intervals of each simulated test set.
    """
    return {
        name: float(np.mean([one[name][0] <= truth <= one[name][1] for one in found]))
        for name, truth in figures.items()
    }
