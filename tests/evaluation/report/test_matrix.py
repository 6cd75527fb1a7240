"""The matrix is sorted so that confused classes are neighbours, also when there are many."""

import numpy as np
import vl_convert
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from findings_made import made
from roadworthy.evaluation.report import matrix

SQUARES = st.integers(1, 12).flatmap(
    lambda n: arrays(np.int64, (n, n), elements=st.integers(0, 50))
)


@given(counts=SQUARES)
def test_every_class_keeps_one_place(counts: np.ndarray) -> None:
    """Also with classes that never occur, that are never right, or of which there is one."""
    assert sorted(matrix.order(counts)) == list(range(len(counts)))


def test_confused_classes_are_neighbours() -> None:
    """Pairs far apart in the alphabet stand side by side."""
    counts = 20 * np.eye(40, dtype=int)
    for first in range(20):
        counts[first, first + 20] = counts[first + 20, first] = 5
    place = {one: n for n, one in enumerate(matrix.order(counts))}
    assert all(abs(place[first] - place[first + 20]) == 1 for first in range(20))


def test_cells_are_the_counts() -> None:
    """Every image of the test split is in one cell."""
    found = made(120, images=900)
    cells = matrix.confusion(found)["data"]["values"]
    assert sum(cell["images"] for cell in cells) == found.counts.sum()
    assert len(cells) == np.count_nonzero(found.counts)


def test_the_close_up_has_the_worst_pair() -> None:
    """What is too small to read in the whole is named there."""
    found = made(120, images=900)
    names = {str(found.labels[place]) for place in matrix.confused(found)}
    assert {*found.confusions[["truth", "answer"]].iloc[0]} <= names
    assert len(names) <= matrix.CLOSE_UP


def test_the_matrix_can_be_drawn() -> None:
    """Vega-Lite itself compiles it, with two classes and with many."""
    for classes in (2, 13, 120):
        spec = matrix.confusion(made(classes, images=400))
        drawn = vl_convert.vegalite_to_svg({**spec, "width": 400})
        assert "undefined" not in drawn and "NaN" not in drawn
