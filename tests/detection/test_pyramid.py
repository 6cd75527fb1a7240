"""Every size that is sought has its level, and every window of a level is asked once."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from roadworthy.detection import pyramid
from roadworthy.params import Input, Search

SIZES = st.tuples(st.integers(1, 6000), st.integers(1, 6000))


def window(height: int = 24, width: int = 40, channels: int = 1) -> Input:
    plain = {"mean": (0.5,) * channels, "std": (0.25,) * channels}
    return Input(height=height, width=width, channels=channels, **plain)


def picture(width: int, height: int, mode: str = "L") -> Image.Image:
    shape = (height, width) if mode == "L" else (height, width, 3)
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    return Image.fromarray(pixels)


@given(
    SIZES,
    st.floats(0.02, 0.5),
    st.floats(1.0, 4.0),
    st.floats(1.05, 2.0),
    st.floats(0.5, 3.0),
)
def test_scales_fall_and_keep_within_what_is_allowed(
    size: tuple[int, int], smallest: float, ratio: float, step: float, enlarge: float
) -> None:
    """No level twice, none above `enlarge`; the sizes sought are from `smallest` to `largest`."""
    largest = min(2.0, smallest * ratio)
    asked = Search(smallest=smallest, largest=largest, step=step, enlarge=enlarge)
    found = pyramid.scales(size, window(), asked)
    assert found and all(one > other for one, other in pairwise(found))
    assert found[-1] > 0 and found[0] <= enlarge
    side = math.sqrt(size[0] * size[1])
    shares = [40 / scale / side for scale in found if scale < enlarge]
    assert all(smallest * 0.999 <= share <= largest * 1.001 for share in shares)
    # The largest thing is not farther than one step from a level, unless all are enlarged as allowed
    # or the next level would be thinner than half a window.
    thin = min(size[0] * found[-1] / step / 40, size[1] * found[-1] / step / 24) < 0.5
    assert not shares or thin or shares[-1] * step > largest * 0.999


@pytest.mark.parametrize(
    "size", [(1, 20_000), (20_000, 1), (1, 50_000_000), (50_000, 1_000), (1, 1)]
)
def test_no_level_is_larger_than_a_machine_can_bear(size: tuple[int, int]) -> None:
    """A thin picture of a few bytes, padded to windows, must not keep a server busy for hours."""
    for scale in pyramid.scales(size, window(), Search(smallest=0.01, enlarge=4)):
        width, height = (max(1, round(side * scale)) for side in size)
        assert max(width, 40) * max(height, 24) <= 1.01 * pyramid.LEVEL


def test_levels_are_a_step_apart() -> None:
    """And the ends themselves are levels."""
    asked = Search(smallest=0.1, largest=0.4, step=2.0, enlarge=100)
    shares = [40 / scale / 200 for scale in pyramid.scales((400, 100), window(), asked)]
    assert shares == pytest.approx([0.1, 0.2, 0.4])


def test_a_panorama_is_searched_as_finely_as_a_square_of_its_size() -> None:
    """Levels depend on the picture's area alone."""
    assert pyramid.scales((800, 200), window(), Search()) == pyramid.scales(
        (400, 400), window(), Search()
    )


@settings(deadline=None)
@given(
    st.integers(1, 90),
    st.integers(1, 90),
    st.floats(0.2, 2.0),
    st.integers(8, 30),
    st.integers(8, 30),
    st.integers(1, 9),
    st.integers(1, 9),
)
def test_windows_reach_every_edge(
    width: int, height: int, scale: float, high: int, wide: int, down: int, across: int
) -> None:
    """The last window ends where the padded level ends, and less than a stride was added."""
    spec, stride = window(high, wide), (down, across)
    level = pyramid.level(picture(width, height), scale, spec, stride)
    plain = max(1, round(height * scale)), max(1, round(width * scale))
    corners = pyramid.corners(level, spec, stride)
    assert corners.max(axis=0).tolist() == [level.shape[1] - wide, level.shape[0] - high]
    assert level.dtype == np.uint8 and level.shape[2] == 1
    for padded, own, least, step in zip(level.shape, plain, (high, wide), stride, strict=False):
        assert padded >= max(own, least) and padded - max(own, least) < step
    assert len(np.unique(corners, axis=0)) == len(corners)
    # What was added repeats the rim.
    rim = level[plain[0] - 1 :, : plain[1]]
    assert (rim == rim[:1]).all()


@settings(deadline=None)
@given(
    st.integers(0, 60),
    st.integers(0, 60),
    st.integers(5, 30),
    st.integers(5, 30),
    st.integers(2, 12),
    st.integers(2, 12),
    st.integers(1, 9_000),
)
def test_tiles_meet_every_window_once(
    more_down: int, more_across: int, high: int, wide: int, down: int, across: int, most: int
) -> None:
    """For any size of the tiles; each window has its own pixels in its part."""
    spec, stride = window(high, wide), (down, across)
    # A level is a whole number of strides.
    shape = (high + more_down // down * down, wide + more_across // across * across, 1)
    pixels = np.arange(math.prod(shape)).reshape(shape)
    met = []
    for (first, start), part in pyramid.tiles(pixels, spec, stride, most):
        assert (part.shape[0] - high) % down == 0 and (part.shape[1] - wide) % across == 0
        assert part.shape[0] * part.shape[1] <= max(most, high * wide, *_narrow(most, high, wide))
        for left, top in pyramid.corners(part, spec, stride):
            assert part[top, left, 0] == pixels[first * down + top, start * across + left, 0]
            met.append((start * across + left, first * down + top))
    wanted = list(map(tuple, pyramid.corners(pixels, spec, stride)))
    assert len(met) == len(wanted) and set(met) == set(wanted)


def _narrow(most: int, high: int, wide: int) -> tuple[int, int]:
    """Where one side of a window is longer than a tile's."""
    side = math.isqrt(most)
    return side * wide, side * high


def test_large_levels_are_cut_and_small_ones_are_not() -> None:
    """Memory is bounded, and a small picture is one pass."""
    spec = window()
    level = np.zeros((424, 840, 1), np.uint8)
    parts = [part for _, part in pyramid.tiles(level, spec, (4, 4), 40_000)]
    assert len(parts) > 4 and max(part[..., 0].size for part in parts) <= 40_000
    assert len(list(pyramid.tiles(level, spec, (4, 4), 840 * 840))) == 1


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("size", [(1, 1), (20_000, 3), (3, 20_000)])
def test_odd_pictures_have_levels(size: tuple[int, int], mode: str) -> None:
    """One pixel is a window of it; a thread of a picture does not eat the memory."""
    spec, plain = window(channels=1 if mode == "L" else 3), picture(*size, mode)
    for scale in pyramid.scales(plain.size, spec, Search()):
        level = pyramid.level(plain, scale, spec, (4, 4))
        assert level.size < 20_000_000 and len(pyramid.corners(level, spec, (4, 4)))
        if size == (1, 1):
            assert (level == np.asarray(plain)).all()


def test_a_window_is_as_large_as_the_input() -> None:
    """Left, top, right, bottom: width before height."""
    assert pyramid.windows(np.array([[3, 5]]), window()).tolist() == [[3, 5, 43, 29]]
