"""A heat map lies where the network looked, whatever was cut, bordered or squeezed."""

from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from roadworthy.bundle.heatmap import coloured, covered, heat_map, placed, shown_size
from roadworthy.data.transforms import centre, fit
from roadworthy.params import Input

INPUTS = st.builds(
    Input,
    height=st.integers(32, 64),
    width=st.integers(32, 96),
    fit=st.sampled_from(["stretch", "crop", "pad"]),
    margin=st.floats(1.0, 1.5),
)
SIDES = st.integers(60, 400)


def places(width: int, height: int) -> Image.Image:
    """An image that says in red how far across each pixel is, in green how far down; blue is full."""
    across = np.broadcast_to((np.arange(width) + 0.5) / width * 255, (height, width))
    down = np.broadcast_to(((np.arange(height) + 0.5) / height * 255)[:, None], (height, width))
    full = np.full((height, width), 255.0)
    return Image.fromarray(np.stack([across, down, full], axis=-1).round().astype(np.uint8))


@settings(max_examples=60)
@given(INPUTS, SIDES, SIDES)
def test_every_pixel_is_put_back_where_it_came_from(spec: Input, width: int, height: int) -> None:
    """Checked against what the transforms really do, pixel by pixel."""
    seen = centre(fit(places(width, height), spec), spec).astype(float)
    left, top, right, bottom = covered(spec, (width, height))
    across = left + (np.arange(spec.width) + 0.5) / spec.width * (right - left)
    down = top + (np.arange(spec.height) + 0.5) / spec.height * (bottom - top)
    pixel = (right - left) / spec.width, (bottom - top) / spec.height
    inside = seen[..., 2] == 255  # the border of `pad` is black
    # One pixel of the input, for whole pixels in between, and one step of the colours.
    for band, (wanted, one, whole) in enumerate(
        zip(np.meshgrid(across, down), pixel, (width, height), strict=True)
    ):
        near_edge = (wanted < one) | (wanted > whole - one)
        error = np.abs(seen[..., band] / 255 * whole - wanted)[inside & ~near_edge]
        assert error.max(initial=0) <= 1.5 * one + whole / 255


@pytest.mark.parametrize("how", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("size", [(300, 100), (100, 300)])
def test_an_off_centre_spot_stays_where_it_is(how: str, size: tuple[int, int]) -> None:
    """Down to the picture that people see; a spot that was cut off is not heated."""
    width, height = size
    spec = Input(height=64, width=64, fit=how, margin=1.125)
    spot = (0.58 * width, 0.42 * height)
    picture = Image.new("RGB", size)
    picture.paste(
        "white", (round(spot[0]) - 8, round(spot[1]) - 8, round(spot[0]) + 8, round(spot[1]) + 8)
    )
    values = centre(fit(picture, spec), spec)[..., 0] / 255
    back = placed(values, spec, size)
    assert back.shape == (height, width)
    rows, columns = np.mgrid[:height, :width] + 0.5
    assert (back * columns).sum() / back.sum() == pytest.approx(spot[0], abs=3)
    assert (back * rows).sum() / back.sum() == pytest.approx(spot[1], abs=3)


def test_what_was_cut_off_stays_cold() -> None:
    """Nothing is said of what the network never saw."""
    spec = Input(height=32, width=32, fit="crop", margin=1.0)
    back = placed(np.ones((32, 32)), spec, (96, 32))
    assert (back[:, :31] == 0).all() and (back[:, 65:] == 0).all()
    assert (back[:, 33:63] == 1).all()


@given(st.integers(1, 20_000), st.integers(1, 20_000))
def test_a_heat_map_has_the_shape_of_the_image(width: int, height: int) -> None:
    """And is never large: 1024 pixels on its longer side."""
    across, down = shown_size((width, height))
    assert max(across, down) == min(max(width, height), 1024)
    assert min(across, down) >= 1
    if max(width, height) <= 1024:
        assert (across, down) == (width, height)
    elif min(across, down) > 50:
        assert across / down == pytest.approx(width / height, rel=0.02)


def test_hot_is_bright_and_opaque_cold_is_clear() -> None:
    """matplotlib's inferno, without matplotlib."""
    from matplotlib import colormaps

    values = np.linspace(0, 1, 256)[None]
    found = np.asarray(coloured(values), float)[0]
    assert np.abs(found[:, :3] - colormaps["inferno"](values[0])[:, :3] * 255).max() < 12
    assert (np.diff(found[:, 3]) >= 0).all()
    assert found[0, 3] == 0 and 150 < found[-1, 3] < 255


def test_the_picture_is_a_png_with_alpha() -> None:
    """What a browser lays over the image."""
    values = np.ones((64, 64), np.float32)
    content = heat_map(values, Input(), (2048, 512))
    with Image.open(BytesIO(content)) as picture:
        assert (picture.format, picture.mode, picture.size) == ("PNG", "RGBA", (1024, 256))
