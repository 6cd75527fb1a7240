"""The figures of a split with their intervals, of each class, and what was taken for what."""

import logging
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from roadworthy.evaluation.answers import Answers
from roadworthy.evaluation.bootstrap import Bootstrap, Estimate
from roadworthy.evaluation.figures import FIGURES, Figure, confusion_matrix, f1, precision, recall
from roadworthy.progress import Report

__all__ = ["FIGURES", "available", "confusions", "measure", "per_class", "quick"]

log = logging.getLogger(__name__)

# Ranking 120 classes of 20,000 images takes half a second: such figures get fewer resamples.
HEAVY_CELLS, HEAVY_SAMPLES = 500_000, 200


def measure(
    answers: Answers,
    uncalibrated: np.ndarray | None = None,
    bootstrap: Bootstrap | None = None,
    report: Report | None = None,
) -> dict[str, Estimate]:
    """All figures that these answers have, each with its interval.

    What the answers do not tell (ROC-AUC without both classes) is left out, and the log says so.

    Args:
        answers: at least one row.
        uncalibrated: probabilities before temperature scaling, (N, C); None leaves `ece_before` out.
        report: told how far it is.
    """
    bootstrap = bootstrap or Bootstrap()
    before = None if uncalibrated is None else replace(answers, probabilities=uncalibrated)
    names = [name for name in available(answers) if before is not None or not FIGURES[name].before]
    found: dict[str, Estimate] = {}
    drawn = []
    for name in names:
        if (scores := FIGURES[name].scores) is not None:
            found[name] = bootstrap.mean(scores(answers), answers.units)
        else:
            drawn.append(name)
    heavy = answers.probabilities.size > HEAVY_CELLS
    slow = [name for name in drawn if heavy and FIGURES[name].ranks]
    for group in ([name for name in drawn if name not in slow], slow):
        few = min(bootstrap.samples, HEAVY_SAMPLES) if group is slow else bootstrap.samples
        found |= _estimates(answers, before, group, replace(bootstrap, samples=few), report)
    return {name: found[name] for name in names}


def quick(answers: Answers, names: Sequence[str]) -> dict[str, float]:
    """Plain values of the named figures, without intervals; NaN where the answers do not tell.

    Raises:
        KeyError: a name is not in `FIGURES`.
    """
    return {name: FIGURES[name].of(answers) for name in names}


def available(answers: Answers) -> list[str]:
    """Names of the figures that these answers have."""
    found = []
    for name, figure in FIGURES.items():
        if not figure.fits(answers.probabilities.shape[1]):
            continue
        if np.isfinite(figure.of(answers)):
            found.append(name)
        else:
            log.warning("%s is left out: no row of a class that it needs", name)
    return found


def _estimates(
    answers: Answers,
    before: Answers | None,
    names: list[str],
    bootstrap: Bootstrap,
    report: Report | None,
) -> dict[str, Estimate]:
    if not names:
        return {}

    def values(places: np.ndarray) -> list[float]:
        calibrated = answers.take(places)
        raw = before.take(places) if before is not None else calibrated
        return [FIGURES[n].of(raw if FIGURES[n].before else calibrated) for n in names]

    resampled = bootstrap.resample(values, answers.units, report)
    return {
        name: resampled.estimate(
            place,
            bootstrap.confidence,
            evidence=_evidence(answers, FIGURES[name], float(resampled.observed[place])),
            biased=FIGURES[name].calibrates,
        )
        for place, name in enumerate(names)
    }


def _evidence(answers: Answers, figure: Figure, value: float) -> int | None:
    """Units that the figure rests on; None where resamples that agree are right to."""
    if figure.calibrates or (not figure.share and value < 0.5):
        return None
    if figure.balanced:
        return _balanced_evidence(answers, figure.share)
    rows = figure.rests_on(answers) if figure.rests_on else np.ones(len(answers), bool)
    return len(np.unique(answers.units[rows]))


def _balanced_evidence(answers: Answers, share: bool = True) -> int:
    """Units of one share that tell as much as these tell of a mean over classes.

    The variance of a mean of C shares of n_c units each is sum(p (1 - p) / n_c) / C^2: that of one
    share of C^2 / sum(1 / n_c) units; never more than there are, though one may hold many classes.
    Of a correlation, which is 0 where 1 in C is right, the same errors take C / (C - 1) as much, as
    if there were fewer units by that factor.
    """
    classes = np.unique(answers.targets)
    units = [len(np.unique(answers.units[answers.targets == number])) for number in classes]
    evidence = len(classes) ** 2 / sum(1 / count for count in units)
    evidence = min(evidence, len(np.unique(answers.units)))
    return round(evidence if share else evidence * (1 - 1 / max(len(classes), 2)))


def per_class(
    answers: Answers, labels: Sequence[str], bootstrap: Bootstrap | None = None
) -> pd.DataFrame:
    """Precision, recall and F1 of each class: columns class, images, and each with `_low`, `_high`.

    A class without images has NaN for recall, one that was never the answer for precision.
    """
    bootstrap = bootstrap or Bootstrap()
    classes = len(labels)

    def values(places: np.ndarray) -> np.ndarray:
        drawn = answers.take(places)
        return np.concatenate([figure(drawn, classes) for figure in (precision, recall, f1)])

    resampled = bootstrap.resample(values, answers.units)
    rows = []
    for number, label in enumerate(labels):
        row: dict[str, object] = {"class": label, "images": int((answers.targets == number).sum())}
        asked = {"precision": answers.predicted == number, "recall": answers.targets == number}
        asked["f1"] = asked["precision"] | asked["recall"]
        for place, (name, counted) in enumerate(asked.items()):
            evidence = len(np.unique(answers.units[counted]))
            found = resampled.estimate(
                place * classes + number, bootstrap.confidence, evidence=evidence
            )
            row |= {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}
        rows.append(row)
    return pd.DataFrame(rows)


def confusions(answers: Answers, labels: Sequence[str]) -> pd.DataFrame:
    """Which truths got which wrong answers: columns truth, answer, images, share (of the truth)."""
    counts = confusion_matrix(answers, len(labels))
    truth, answer = np.nonzero(counts * (1 - np.eye(len(labels), dtype=np.int64)))
    names = np.asarray(labels, dtype=object)
    table = pd.DataFrame(
        {
            "truth": names[truth],
            "answer": names[answer],
            "images": counts[truth, answer],
            "share": counts[truth, answer] / counts.sum(axis=1)[truth],
        }
    )
    order = ["images", "share", "truth", "answer"]
    return table.sort_values(order, ascending=[False, False, True, True], ignore_index=True)
