"""p-values by permutation."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from roadworthy.monitoring.permuting import divisions, p_value

SIZES = st.integers(1, 40)


@given(first=SIZES, second=SIZES, seed=st.integers(0, 3))
def test_every_division_has_the_sizes_of_the_samples(first: int, second: int, seed: int) -> None:
    """Otherwise permutations and what was found are of different kinds, and p means nothing."""
    made = divisions(first, second, 20, seed)
    assert made.shape == (first + second, 21)
    assert (made.sum(axis=0) == second).all()
    assert made[:first, 0].sum() == 0
    assert set(np.unique(made)) <= {0.0, 1.0}


def test_every_image_comes_into_the_second_sample_as_often() -> None:
    """A drawing that prefers some images finds drift in their places."""
    made = divisions(30, 10, 8000, 0)[:, 1:]
    assert np.abs(made.mean(axis=1) - 0.25).max() < 0.02


@given(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=50))
def test_p_is_never_nothing(others: list[float]) -> None:
    """p = 0 would be below every limit, however few permutations there were."""
    found = np.array([1.0, *others])
    assert 1 / len(found) <= p_value(found) <= 1


def test_p_is_even_without_a_difference() -> None:
    """This is what a limit on false alarms rests on."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(400, 50))
    ps = []
    for number, row in enumerate(values):
        made = divisions(30, 20, 199, number)
        ps.append(p_value(np.abs(row @ made)))
    assert abs(np.mean(ps) - 0.5) < 0.05
    assert 0.02 < np.mean(np.array(ps) <= 0.05) < 0.08
