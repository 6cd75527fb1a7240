"""The drift test as a whole, on drawn pictures and a real network: what it calls drift, and what not."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from benchmarks.worlds import WORLDS

from drifting import Seen, drawn, seen
from roadworthy.monitoring.judge import judge
from roadworthy.params import Monitor
from support import tiny_bundle

WINDOW, KNOWN = 200, 150
"""Images of a window, and of a reference as small as validation of a small task."""
POOL, CHANGED = 1000, 450


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its weights are random: its features are real ones, and nothing was fitted to these pictures."""
    return tiny_bundle(tmp_path_factory.mktemp("drift") / "bundle")


@pytest.fixture(scope="module")
def world(bundle: Path) -> Seen:
    return seen(bundle, [drawn(number) for number in range(POOL)])


def alarms(windows: Iterator[tuple[Seen, np.ndarray, Seen, np.ndarray]]) -> float:
    """Share of windows that are called drifted, of (reference's, its places, live, its places)."""
    judged = [
        judge(known.reference(one), live.live(two), Monitor(), None, number).drifted
        for number, (known, one, live, two) in enumerate(windows)
    ]
    return float(np.mean(judged))


def apart(world: Seen, count: int) -> Iterator[tuple[Seen, np.ndarray, Seen, np.ndarray]]:
    """Reference and window anew from the same pictures, no picture in both."""
    rng = np.random.default_rng(0)
    for _ in range(count):
        order = rng.permutation(len(world))
        yield world, order[:KNOWN], world, order[KNOWN : KNOWN + WINDOW]


def against(
    world: Seen, live: Seen, first: int, count: int
) -> Iterator[tuple[Seen, np.ndarray, Seen, np.ndarray]]:
    """One reference, as a bundle has one, and windows of other pictures."""
    rng = np.random.default_rng(1)
    for _ in range(count):
        yield world, np.arange(KNOWN), live, first + rng.permutation(len(live) - first)[:WINDOW]


@pytest.mark.slow
def test_traffic_without_drift_raises_few_alarms(world: Seen) -> None:
    """At most 5 of 100 windows, with any reference and with the one a bundle happens to have.

    `monitor.false_alarms` promises 1 of 100 over all references; one of them may have it worse.
    """
    assert alarms(apart(world, 200)) <= 0.03
    assert alarms(against(world, world, KNOWN, 200)) <= 0.05


@pytest.mark.slow
@pytest.mark.parametrize("name", WORLDS)
def test_another_world_is_found_at_200_images(bundle: Path, world: Seen, name: str) -> None:
    """In at least 95 of 100 windows: night, fog, another camera."""
    pictures = list(map(partial(drawn, seed=1), range(CHANGED)))
    assert alarms(against(world, seen(bundle, pictures, name), 0, 40)) >= 0.95
