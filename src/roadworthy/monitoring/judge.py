"""Whether live traffic has drifted: a family of tests with one rate of false alarms.

Tests are corrected for their number after Holm (1979), "A simple sequentially rejective multiple
test procedure". An alarm takes more than that: the difference must be of a size that matters, for
with enough images no difference is too small to be sure of. Why so: docs/decisions/015-drift.md.
"""

from collections.abc import Sequence
from math import ceil

import numpy as np

from roadworthy.monitoring import comparing
from roadworthy.monitoring.comparing import Comparison
from roadworthy.monitoring.evidence import Judgement, Live, Test
from roadworthy.monitoring.reference import STATISTICS, Reference
from roadworthy.params import Monitor

__all__ = ["Judgement", "Live", "Test", "judge"]
FAMILY = len(STATISTICS) + 5
"""Tests at most: the statistics, embedding, answers, confidence, refused, accuracy."""
NAMED = 3
"""Alarms that the reason tells of."""
LEAST_KNOWN = 30
"""Images of a reference to compare with."""


def judge(
    reference: Reference, live: Live, settings: Monitor, accuracy: float | None, seed: int = 0
) -> Judgement:
    """Compare a window of live traffic with what the bundle was validated on.

    Args:
        reference: of the bundle that answered.
        live: the window.
        settings: least numbers, the rate of false alarms and what may be refused or lost.
        accuracy: of the bundle on test images; None: that of live answers is not tested.
        seed: of the permutations; the same seed gives the same judgement.
    """
    lacking = _lacking(reference, live, settings)
    found: list[Comparison] = []
    if not lacking:
        # So that the smallest p there can be is a fifth of the smallest limit.
        times = min(20_000, ceil(5 * FAMILY / settings.false_alarms))
        found += comparing.of_images(reference, live, times, seed)
    found.append(comparing.refusals(live, settings.max_refused, settings.least))
    drop, judged = settings.max_accuracy_drop, settings.min_feedback
    found.append(comparing.accuracy(live, accuracy, drop, judged))
    limits = holm([one.p for one in found], settings.false_alarms)
    tests = tuple(map(_test, found, limits))
    alarms = [test for test in tests if test.alarm]
    return Judgement(tests, bool(alarms), not lacking, _reason(alarms, lacking, live))


def holm(ps: Sequence[float | None], level: float) -> list[float]:
    """For each test the p up to which it is an alarm, all together at `level`.

    Args:
        ps: None is a test that was not made, and does not count.
        level: chance that any of them is an alarm where there is nothing to find.
    """
    made = [place for place, p in enumerate(ps) if p is not None]
    values = np.array([ps[place] for place in made], np.float64)
    limits = [level] * len(ps)
    limit, going = level, True
    for done, rank in enumerate(np.argsort(values, kind="stable")):
        if going:
            limit = level / (len(made) - done)
            going = values[rank] <= limit
        limits[made[rank]] = limit
    return limits


def _test(found: Comparison, limit: float) -> Test:
    sure = found.p is not None and found.p <= limit
    return Test(found.name, found.p, limit, found.effect, sure and found.matters, found.said)


def _lacking(reference: Reference, live: Live, settings: Monitor) -> str:
    """Why images cannot be compared; empty: they can."""
    if len(live) < settings.least:
        return f"{len(live)} different images came, it takes {settings.least} to say something."
    if not len(reference):
        return "The bundle has no images to compare with: export it again."
    if len(reference) < LEAST_KNOWN:
        return f"The bundle has {len(reference)} images to compare with, it takes {LEAST_KNOWN}."
    return ""


def _reason(alarms: Sequence[Test], lacking: str, live: Live) -> str:
    if alarms:
        ordered = sorted(alarms, key=lambda test: (test.p or 0.0) / test.limit)
        said = "; ".join(test.said for test in ordered[:NAMED])
        more = f"; and {len(alarms) - NAMED} more" if len(alarms) > NAMED else ""
        return f"Drifted: {said}{more}. {lacking}".strip()
    return lacking or f"{len(live)} images are like those of validation."
