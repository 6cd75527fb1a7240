"""One decoder: what it opens looks the same everywhere, what it refuses has a reason."""

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from roadworthy.data.images import from_array, open_image, to_array
from roadworthy.errors import DataError


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


PLAIN = Image.linear_gradient("L").resize((40, 30)).convert("RGB")


@pytest.mark.parametrize(
    "image",
    [
        PLAIN.convert("P"),
        PLAIN.convert("RGBA"),
        PLAIN.convert("LA"),
        PLAIN.convert("1"),
        Image.fromarray(np.arange(1200, dtype=np.uint16).reshape(30, 40) * 50),
    ],
    ids=["palette", "rgba", "la", "bitmap", "16bit"],
)
def test_odd_modes_become_plain(image: Image.Image) -> None:
    """Nothing behind the decoder has to know more than RGB and L, 8 bit."""
    assert open_image(encoded(image, "PNG")).mode in ("RGB", "L")


def test_cmyk_becomes_rgb() -> None:
    """Photos from print shops."""
    assert open_image(encoded(PLAIN.convert("CMYK"), "JPEG")).mode == "RGB"


def test_sixteen_bits_are_scaled_not_cut() -> None:
    """Cutting at 255 would make a white picture of every 16-bit one."""
    deep = np.linspace(0, 65535, 1200).astype(np.uint16).reshape(30, 40)
    pixels = to_array(open_image(encoded(Image.fromarray(deep), "PNG")), 1)
    assert abs(float(pixels.mean()) - 127.5) < 1


def test_exif_orientation_is_applied() -> None:
    """A phone's portrait photo is stored lying on its side."""
    exif = Image.Exif()
    exif[0x0112] = 6
    assert open_image(encoded(PLAIN, "JPEG", exif=exif)).size == (30, 40)


def test_transparency_is_laid_on_white() -> None:
    """Else the colour under invisible pixels would show."""
    clear = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    assert to_array(open_image(encoded(clear, "PNG")), 3).min() == 255


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"%PDF-1.4 hello", "not an image"),
        (encoded(PLAIN, "JPEG")[:200], "damaged"),
        (encoded(PLAIN, "PNG")[:60], "damaged"),
    ],
)
def test_refusals_have_a_reason(data: bytes, reason: str) -> None:
    """The reason ends in the quarantine list and in the service's answer."""
    with pytest.raises(DataError, match=reason):
        open_image(data)


def test_a_bomb_is_refused_before_it_is_decoded() -> None:
    """The header alone decides."""
    with pytest.raises(DataError, match="pixels are over"):
        open_image(encoded(Image.new("1", (4000, 4000)), "PNG"), max_pixels=1_000_000)


def test_a_missing_file_is_a_data_error(tmp_path: Path) -> None:
    """Not a traceback."""
    with pytest.raises(DataError, match="cannot be read"):
        open_image(tmp_path / "gone.jpg")


@settings(max_examples=150, deadline=None)
@given(
    st.binary(max_size=400), st.integers(0, 700), st.sampled_from(["JPEG", "PNG", "GIF", "WEBP"])
)
def test_no_bytes_crash_the_decoder(noise: bytes, place: int, kind: str) -> None:
    """A damaged file is refused with a DataError or read; nothing else comes out."""
    data = encoded(PLAIN, kind)
    broken = data[:place] + noise + data[place + len(noise) :]
    try:
        assert open_image(broken, 10_000_000).mode in ("RGB", "L")
    except DataError as error:
        assert str(error)


@pytest.mark.parametrize("pixels", [np.zeros((4, 4, 3)), np.zeros((4, 4, 2), np.uint8)])
def test_arrays_of_another_kind_are_refused(pixels: np.ndarray) -> None:
    """Floats from 0 to 1 would otherwise be a black picture."""
    with pytest.raises(DataError, match="pixels must"):
        from_array(pixels)
