"""The single comparisons of live traffic with the reference, before they are weighed together."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest, ks_2samp

from roadworthy.monitoring.embedding import discrepancy
from roadworthy.monitoring.evidence import Live
from roadworthy.monitoring.permuting import divisions, p_value
from roadworthy.monitoring.reference import Reference

EMBEDDING, ANSWERS, CONFIDENCE = "embedding", "answers", "confidence"
REFUSED, ACCURACY = "refused", "accuracy"
COLOURS = ("red", "green", "blue")
TOLD_APART = 0.6
"""Share of pairs below which a difference of embeddings is of no matter, however sure it is."""
SHIFTED = 0.1
"""The same of answers that are others, and of the distance between two distribution functions even
if each live figure may be nearer to the reference by its tolerance."""
TOLERANCE = {"aspect": (0.0, 0.05), "sharpness": (0.0, 0.05), "confidence": (0.02, 0.0)}
"""In absolute terms, and as a share of the figure. What is measured of one JPEG differs by up to 3 %
in sharpness and 0.003 in brightness with the scale it is decoded at (`data.statistics.measure`)."""
OTHERWISE = (0.01, 0.0)
PERMUTED = 2000
"""Live images whose embeddings and answers are compared; of more an even share."""


@dataclass(frozen=True)
class Comparison:
    """What one comparison found."""

    name: str
    p: float | None
    """None: it could not be made."""
    effect: float
    matters: bool
    """Whether the effect is large enough for an alarm."""
    said: str


def of_images(reference: Reference, live: Live, times: int, seed: int) -> Iterator[Comparison]:
    """Embedding, answers, confidence and the statistics of images.

    Args:
        reference: with images.
        live: at least one image.
        times: permutations.
        seed: of the permutations.
    """
    expected = reference.probabilities
    assert expected is not None
    some = _evenly(len(live))
    divided = divisions(len(expected), len(some), times, seed)
    seen = None if live.embeddings is None else live.embeddings[some]
    yield _embedding(reference.embeddings, seen, divided)
    yield _answers(expected, live.probabilities[some], divided)
    yield _shifted(CONFIDENCE, expected.max(axis=1), live.probabilities.max(axis=1))
    grey = _grey(reference.statistics) and _grey(live.statistics)
    for name, values in reference.statistics.items():
        if grey and name in COLOURS:
            yield _untested(name, "the images are grey")
        elif name in live.statistics:
            yield _shifted(name, values, live.statistics[name])


def refusals(live: Live, most: float, least: int) -> Comparison:
    """Whether more is refused than may be: exact, binomial, one-sided.

    Args:
        live: its counts.
        most: share that may be refused.
        least: images sent, below which nothing is said.
    """
    if live.requests < least:
        return _untested(REFUSED, f"{live.requests} images were sent, it takes {least}")
    share = live.refused / live.requests
    p = float(binomtest(live.refused, live.requests, most, "greater").pvalue)
    said = f"{share:.1%} of {live.requests:,} images were refused, {most:.1%} may be"
    return Comparison(REFUSED, p, share, True, said)


def accuracy(live: Live, expected: float | None, drop: float, least: int) -> Comparison:
    """Whether fewer answers are right than on test images less `drop`: exact, binomial, one-sided.

    Args:
        live: its feedback.
        expected: accuracy on test images; None: unknown.
        drop: what may be lost, 0 to 1.
        least: answers judged by people, below which nothing is said.
    """
    judged = len(live.right)
    if expected is None:
        return _untested(ACCURACY, "the bundle does not say how accurate it was on test images")
    if judged < least:
        return _untested(ACCURACY, f"people have judged {judged} answers, it takes {least}")
    right = int(live.right.sum())
    p = float(binomtest(right, judged, max(0.0, expected - drop), "less").pvalue)
    said = f"{right} of {judged} judged answers are right ({right / judged:.1%})"
    lost = expected - right / judged
    return Comparison(ACCURACY, p, lost, True, f"{said}, {expected:.1%} were on test images")


def _evenly(count: int) -> np.ndarray:
    """Places of all images, or of as many as permutations can be made of in seconds."""
    return np.linspace(0, count - 1, min(count, PERMUTED)).round().astype(np.int64)


def _embedding(
    known: np.ndarray | None, seen: np.ndarray | None, divided: np.ndarray
) -> Comparison:
    if known is None or seen is None:
        lacking = "the bundle has no embeddings" if known is None else "the log has no embeddings"
        return _untested(EMBEDDING, lacking)
    if known.shape[1] != seen.shape[1]:
        return _untested(EMBEDDING, f"embeddings of {seen.shape[1]}, not {known.shape[1]}, figures")
    if not np.isfinite(seen).all() or not np.isfinite(known).all():
        return _untested(EMBEDDING, "some embeddings are no numbers")
    found = discrepancy(known, seen, divided)
    said = f"by its embedding a live image is told from a validated one in {found.told_apart:.0%}"
    matters = found.told_apart >= TOLD_APART
    return Comparison(
        EMBEDDING, found.p, found.told_apart, matters, f"{said} of pairs, 50% is chance"
    )


def _answers(expected: np.ndarray, found: np.ndarray, divided: np.ndarray) -> Comparison:
    """Chi-squared of the table of labels by sample, by permutation: labels may be rare."""
    both = np.concatenate([expected, found]).argmax(axis=1)
    labels, numbers = np.unique(both, return_inverse=True)
    given = np.eye(len(labels), dtype=np.float32)[numbers]
    total = given.sum(axis=0)[:, None]
    second = given.T @ divided
    shares = len(found) / len(both)
    away = ((second - total * shares) ** 2 / (total * shares * (1 - shares))).sum(axis=0)
    known, seen = (total[:, 0] - second[:, 0]) / len(expected), second[:, 0] / len(found)
    others = float(np.abs(known - seen).sum() / 2)
    said = f"{others:.0%} of the answers are others than in validation"
    return Comparison(ANSWERS, p_value(away), others, others >= SHIFTED, said)


def _shifted(name: str, expected: np.ndarray, found: np.ndarray) -> Comparison:
    """Kolmogorov and Smirnov's test of one figure."""
    # Both in single precision, so that equal figures are ties.
    expected, found = (np.asarray(values, np.float32) for values in (expected, found))
    found = found[np.isfinite(found)]
    if not len(found):
        return _untested(name, f"no {name} was logged")
    result = ks_2samp(expected, found)
    absolute, relative = TOLERANCE.get(name, OTHERWISE)
    slack = absolute + relative * np.abs(found)
    still = max(_ahead(expected, found - slack), _ahead(found + slack, expected))
    middle, usual = float(np.median(found)), float(np.median(expected))
    said = f"{name} is {middle:.3g} in the middle, {usual:.3g} in validation"
    return Comparison(name, float(result.pvalue), float(result.statistic), still >= SHIFTED, said)


def _ahead(low: np.ndarray, high: np.ndarray) -> float:
    """By how much the share of `low` up to some figure is above that of `high`, at most."""
    places = np.sort(low)
    shares = np.arange(1, len(low) + 1) / len(low)
    others = np.searchsorted(np.sort(high), places, side="right") / len(high)
    return float((shares - others).max())


def _grey(statistics: Mapping[str, np.ndarray]) -> bool:
    """Whether colours say no more than brightness."""
    light = statistics.get("brightness")
    return light is not None and all(
        np.allclose(statistics.get(name, np.nan), light, atol=1e-4) for name in COLOURS
    )


def _untested(name: str, why: str) -> Comparison:
    return Comparison(name, None, 0.0, False, f"not tested: {why}")
