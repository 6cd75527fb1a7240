"""Boxes in pictures: overlaps, edges, pixels of shares."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torchvision.ops import box_iou

from roadworthy.data import geometry

PLACES = st.floats(-2000, 2000, width=32)
SIDES = st.floats(4, 400, width=32)


def boxes(corner: np.ndarray, side: np.ndarray) -> np.ndarray:
    return np.concatenate([corner, corner + side], axis=1)


def drawn(rows: int) -> st.SearchStrategy[np.ndarray]:
    corners = arrays(np.float64, (rows, 2), elements=PLACES)
    return st.builds(boxes, corners, arrays(np.float64, (rows, 2), elements=SIDES))


@given(drawn(6), drawn(3))
def test_overlaps_are_those_of_torchvision(one: np.ndarray, other: np.ndarray) -> None:
    """Who searches or reads scores has no torch; the measure is the same."""
    one[0] = other[0]
    wanted = box_iou(torch.from_numpy(one), torch.from_numpy(other)).numpy()
    np.testing.assert_allclose(geometry.overlaps(one, other), wanted, atol=1e-9)


def test_overlaps_of_nothing() -> None:
    """Boxes without area and empty lists are no division by zero."""
    point, box = np.array([[3.0, 3, 3, 3]]), np.array([[0.0, 0, 10, 10]])
    assert geometry.overlaps(point, box).tolist() == [[0]]
    assert geometry.overlaps(point, point).tolist() == [[0]]
    assert geometry.overlaps(np.empty((0, 4)), box).shape == (0, 1)
    assert geometry.overlaps(box, np.empty((0, 4))).shape == (1, 0)


def test_boxes_end_at_the_picture() -> None:
    """Width and height are not mixed up."""
    found = geometry.clip(np.array([[-5, -5, 500, 500], [10, 20, 30, 40]], np.float32), (200, 100))
    assert found.tolist() == [[0, 0, 200, 100], [10, 20, 30, 40]] and found.dtype == np.float32


def test_relative_boxes_in_pixels() -> None:
    """Centre and size, as shares, become corners; what sticks out is cut off."""
    found = geometry.absolute(np.array([[0.5, 0.5, 0.2, 0.4], [0.0, 1.0, 0.1, 0.1]]), (200, 100))
    assert found.tolist() == [pytest.approx([80, 30, 120, 70]), pytest.approx([0, 95, 10, 100])]
    assert found.dtype == np.float32
    assert geometry.absolute(np.empty((0, 4)), (200, 100)).shape == (0, 4)
