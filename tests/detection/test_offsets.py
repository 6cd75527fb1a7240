"""From a window to the box in it, and back."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from roadworthy.detection.offsets import decode, encode

PLACES = st.floats(-2000, 2000, width=32)
SIDES = st.floats(4, 400, width=32)


def boxes(corner: np.ndarray, side: np.ndarray) -> np.ndarray:
    return np.concatenate([corner, corner + side], axis=1)


def drawn(rows: int) -> st.SearchStrategy[np.ndarray]:
    corners = arrays(np.float64, (rows, 2), elements=PLACES)
    return st.builds(boxes, corners, arrays(np.float64, (rows, 2), elements=SIDES))


@given(drawn(5), arrays(np.float64, (5, 2), elements=PLACES), st.data())
def test_offsets_lead_back_to_the_box(
    windows: np.ndarray, corner: np.ndarray, data: st.DataObject
) -> None:
    """For any box up to four times as large or small as its window, wherever it is."""
    ratio = data.draw(arrays(np.float64, (5, 2), elements=st.floats(0.26, 3.9)))
    wanted = boxes(corner, (windows[:, 2:] - windows[:, :2]) * ratio)
    found = decode(encode(wanted, windows), windows)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wanted, atol=2e-2, rtol=1e-4)


@given(drawn(4), arrays(np.float64, (4, 4), elements=st.floats(-3, 3)))
def test_the_way_there_and_back_is_the_same(windows: np.ndarray, offsets: np.ndarray) -> None:
    """What a branch learns is what decoding takes: same units, same order."""
    offsets[:, 2:] = np.clip(offsets[:, 2:], -1.3, 1.3)
    found = encode(decode(offsets, windows).astype(np.float64), windows)
    np.testing.assert_allclose(found, offsets, atol=5e-3)


def test_a_wild_branch_makes_no_endless_box() -> None:
    """Sizes end at four times the window and a quarter of it; nothing overflows."""
    window = np.array([[0, 0, 10, 10]], np.float32)
    huge = decode(np.array([[0, 0, 1e4, -1e4]], np.float32), window)
    np.testing.assert_allclose(huge, [[-15, 3.75, 25, 6.25]], rtol=1e-5)


def test_offsets_are_in_units_of_the_window() -> None:
    """As in R-CNN: half a window to the right, twice as high."""
    window, box = np.array([[0, 0, 20, 10]]), np.array([[10, -5, 30, 15]])
    np.testing.assert_allclose(encode(box, window), [[0.5, 0, 0, np.log(2)]], atol=1e-6)
