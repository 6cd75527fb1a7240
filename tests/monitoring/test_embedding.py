"""The test of embeddings: what it finds, and what it must not."""

import numpy as np
import pytest

from roadworthy.monitoring.embedding import discrepancy, standardised
from roadworthy.monitoring.permuting import divisions


def world(rng: np.random.Generator, count: int) -> np.ndarray:
    """Embeddings as a trained network has them: two tight groups, in few of many dimensions."""
    group = rng.integers(0, 2, (count, 1))
    hidden = 3.0 * group + rng.normal(size=(count, 6))
    mixing = np.random.default_rng(7).normal(size=(6, 64))
    return np.maximum(hidden @ mixing, 0) + 0.05 * rng.normal(size=(count, 64))


def found(first: np.ndarray, second: np.ndarray, seed: int = 0, times: int = 399) -> float:
    return discrepancy(first, second, divisions(len(first), len(second), times, seed)).p


def test_the_level_holds() -> None:
    """An alarm that rings by itself is switched off; sizes differ as they do in life."""
    rng = np.random.default_rng(0)
    ps = np.array([found(world(rng, 60), world(rng, 90), seed, 199) for seed in range(100)])
    assert (ps <= 0.05).mean() <= 0.1
    assert 0.4 < ps.mean() < 0.6


def test_a_shift_and_a_spread_are_found() -> None:
    """A mean that stays where it is hides no drift: lenses get dirty in many ways."""
    rng = np.random.default_rng(1)
    known = world(rng, 200)
    assert found(known, world(rng, 200) + 0.3) < 0.01
    middle = known.mean(axis=0)
    assert found(known, middle + 0.6 * (world(rng, 200) - middle)) < 0.01


def test_no_dimension_counts_for_its_scale() -> None:
    """Otherwise one wide dimension decides, and drift in all others is not seen."""
    rng = np.random.default_rng(2)
    known, live = world(rng, 120), world(rng, 120)
    scale = 10 ** rng.uniform(-3, 3, 64)
    divided = divisions(120, 120, 199, 0)
    plain, scaled = (discrepancy(known * by, live * by, divided) for by in (1.0, scale))
    assert plain.p == pytest.approx(scaled.p, abs=0.02)
    assert plain.told_apart == pytest.approx(scaled.told_apart, abs=0.01)


def test_told_apart_is_half_where_nothing_differs_and_one_where_all_does() -> None:
    """People read this figure, and a floor rests on it; also with samples of different sizes."""
    rng = np.random.default_rng(3)
    divided = divisions(60, 200, 9, 0)
    alike = [discrepancy(world(rng, 60), world(rng, 200), divided).told_apart for _ in range(40)]
    assert abs(np.mean(alike) - 0.5) < 0.03
    assert discrepancy(world(rng, 60), world(rng, 200) + 9, divided).told_apart > 0.99


def test_a_dead_unit_tells_nothing() -> None:
    """A unit that is 0 for all images is common after ReLU, and must not divide by 0."""
    rng = np.random.default_rng(4)
    rows = np.c_[world(rng, 50), np.zeros(50), np.full(50, 7.3)]
    assert np.isfinite(standardised(rows)).all()
    assert (standardised(rows)[:, -2:] == 0).all()
    assert 0 < found(rows, rows) <= 1


def test_images_that_are_all_the_same_can_be_compared() -> None:
    """A camera with a lid on."""
    rows = np.ones((40, 5))
    assert found(rows, rows) == 1.0
    assert found(np.random.default_rng(0).normal(size=(60, 5)), rows) < 0.01
