"""Which images are shown to a person."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadworthy.monitoring.teaching import most_teaching, uncertainty


def answers(sure: np.ndarray) -> np.ndarray:
    """Of two labels, with this probability of the first."""
    return np.stack([sure, 1 - sure], axis=1)


@given(
    images=st.integers(0, 60),
    count=st.integers(0, 80),
    known=st.integers(0, 10),
    seed=st.integers(0, 3),
)
def test_places_are_different_and_there(images: int, count: int, known: int, seed: int) -> None:
    """No place twice, none outside, as many as there are, and the same at the next call."""
    rng = np.random.default_rng(seed)
    embeddings, before = rng.normal(size=(images, 6)), rng.normal(size=(known, 6))
    probabilities = rng.dirichlet([1, 1, 1], images)
    chosen = most_teaching(embeddings, probabilities, count, before, seed)
    assert len(chosen) == len(set(chosen)) == min(images, count)
    assert chosen.dtype == np.int64
    assert all(0 <= place < images for place in chosen)
    assert (chosen == most_teaching(embeddings, probabilities, count, before, seed)).all()


@given(st.integers(1, 12), st.integers(2, 5), st.integers(0, 3))
def test_a_copy_is_not_asked_twice(different: int, times: int, seed: int) -> None:
    """A person's time is what is scarce. A log keeps embeddings in half precision: copies as well."""
    rows = np.random.default_rng(seed).normal(3, 1, size=(different, 16))
    embeddings = np.concatenate([rows] * times + [rows.astype(np.float16)])
    chosen = most_teaching(embeddings, answers(np.full(len(embeddings), 0.6)), 100, seed=seed)
    assert sorted(chosen % different) == list(range(different))


def test_what_is_known_is_not_asked() -> None:
    """Not again, and not what looks just like it."""
    rng = np.random.default_rng(0)
    old, new = rng.normal(0, 1, (50, 8)), rng.normal(6, 1, (10, 8))
    embeddings = np.concatenate([old, new])
    chosen = most_teaching(embeddings, answers(np.full(60, 0.6)), 60, known=old)
    assert set(chosen) == set(range(50, 60))


def test_the_unsure_come_before_the_sure() -> None:
    """What the network knows for certain teaches it little."""
    rng = np.random.default_rng(1)
    sure = np.where(np.arange(200) < 20, 0.5, 0.9999)
    chosen = most_teaching(rng.normal(size=(200, 8)), answers(sure), 20)
    assert (chosen < 20).mean() >= 0.8


def test_every_kind_of_image_is_asked_about() -> None:
    """Fifty frames of one street would teach one street."""
    rng = np.random.default_rng(2)
    kinds = np.repeat(np.arange(8), [300, 5, 5, 5, 5, 5, 5, 5])
    embeddings = 20 * rng.normal(size=(8, 12))[kinds] + rng.normal(size=(len(kinds), 12))
    chosen = most_teaching(embeddings, answers(np.full(len(kinds), 0.6)), 12)
    assert set(kinds[chosen[:9]]) == set(range(8))


def test_an_embedding_that_is_no_number_is_left_out() -> None:
    """Half precision has no room for large figures; one such image must not spoil the choice."""
    embeddings = np.random.default_rng(3).normal(size=(10, 4))
    embeddings[3], embeddings[5, 0] = np.nan, np.inf
    chosen = most_teaching(embeddings, answers(np.full(10, 0.6)), 10, known=embeddings[5:6])
    assert set(chosen) == set(range(10)) - {3, 5}


def test_doubt_is_measured_alike_for_two_and_for_many_labels() -> None:
    """From sure to wholly undecided, whatever the number of labels."""
    assert uncertainty(np.full((1, 2), 0.5)) == pytest.approx([1])
    assert uncertainty(np.full((1, 120), 1 / 120)) == pytest.approx([1])
    assert uncertainty(np.array([[1.0, 0.0]])) == pytest.approx([0.01])
