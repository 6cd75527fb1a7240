"""Two models on the same rows: signs, intervals, and refusal of what cannot be compared."""

import numpy as np
import pytest

from roadworthy.errors import DataError
from roadworthy.evaluation.compare import compare


def test_the_challenger_is_the_one_that_gains() -> None:
    """Protects the sign: turned round, the gate would promote the worse model."""
    champion = np.array([True] * 6 + [False] * 4)
    challenger = np.array([True] * 5 + [False] * 1 + [True] * 3 + [False] * 1)
    found = compare(champion, challenger)
    assert (found.champion, found.challenger) == (0.6, 0.8)
    assert found.difference == pytest.approx(0.2)
    assert (found.wins, found.losses, found.rows) == (3, 1, 10)
    assert found.low <= found.difference <= found.high


def test_the_interval_is_that_of_resampled_rows() -> None:
    """Protects the shortcut by counts: it must be the bootstrap over rows that it stands for."""
    rng = np.random.default_rng(1)
    champion, challenger = rng.random(400) < 0.80, rng.random(400) < 0.84
    found = compare(champion, challenger, draws=4000)
    drawn = rng.integers(0, 400, (4000, 400))
    gain = challenger.astype(int) - champion.astype(int)
    low, high = np.quantile(gain[drawn].mean(axis=1), [0.025, 0.975])
    assert found.low == pytest.approx(low, abs=0.006)
    assert found.high == pytest.approx(high, abs=0.006)


def test_pairing_counts_only_rows_that_differ() -> None:
    """Protects the pairing: models that agree on all rows differ by nothing, with certainty."""
    same = np.array([True, False] * 50)
    found = compare(same, same)
    assert (found.difference, found.low, found.high) == (0.0, 0.0, 0.0)


def test_more_confidence_is_a_wider_interval_and_a_seed_repeats_it() -> None:
    """Protects the record: the same comparison made again gives the same numbers."""
    rng = np.random.default_rng(2)
    champion, challenger = rng.random(200) < 0.7, rng.random(200) < 0.8
    narrow, wide = (compare(champion, challenger, confidence=c) for c in (0.8, 0.99))
    assert wide.low < narrow.low < narrow.high < wide.high
    assert compare(champion, challenger) == compare(champion, challenger)


@pytest.mark.parametrize(("left", "right"), [([], []), ([True], [True, False])])
def test_what_is_not_paired_is_refused(left: list[bool], right: list[bool]) -> None:
    """Protects against a verdict on no images, or on different ones."""
    with pytest.raises(DataError, match="same rows"):
        compare(np.array(left), np.array(right))
