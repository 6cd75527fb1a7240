"""What is known of a window of live traffic, and what was found by comparing it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Live:
    """One window of live traffic of one task.

    Rows are images, each of them once: who reads the log leaves out copies by their SHA-256, for a
    test takes rows to be independent.
    """

    statistics: Mapping[str, np.ndarray]
    """By name, of `reference.STATISTICS`: float64 (N,); what is missing is not tested."""
    probabilities: np.ndarray
    """Calibrated, float64 (N, C), in the order of the bundle's labels."""
    embeddings: np.ndarray | None = None
    """What the head was given, float32 (N, D); None where the log has none."""
    requests: int = 0
    """Images that were sent in the window, with those that were refused."""
    refused: int = 0
    right: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))
    """Of each answer that a person has judged, whether it was right: bool (M,)."""

    def __len__(self) -> int:
        """Images."""
        return len(self.probabilities)


@dataclass(frozen=True)
class Test:
    """One comparison of live traffic with the reference."""

    __test__ = False  # pytest takes every class of this name for its own

    name: str
    """`embedding`, `answers`, `confidence`, a statistic's name, `refused`, `accuracy`."""
    p: float | None
    """How often chance alone gives as much; None: not tested, `said` tells why."""
    limit: float
    """The p below which it is an alarm, after the correction for the number of tests."""
    effect: float
    """Size of the difference; what it counts is in `said`."""
    alarm: bool
    said: str
    """One sentence for people."""


@dataclass(frozen=True)
class Judgement:
    """Whether a window of live traffic is like the reference."""

    tests: tuple[Test, ...]
    drifted: bool
    """At least one of them is an alarm."""
    enough: bool
    """Whether there were enough images for tests of images; refusals and accuracy have their own
    least number."""
    reason: str
    """One or two sentences for people."""
