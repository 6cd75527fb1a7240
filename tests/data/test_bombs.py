"""What is dear to open is refused before it is opened, and nothing else."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from broken_files import JPEG, TIFF, encoded
from hostile.jpegs import EXIF, inside, scans, segment
from hostile.tiffs import LONG, RATIONAL, SHORT, made
from roadworthy.data import bombs
from roadworthy.data.images import open_image
from roadworthy.errors import DataError


def refused(data: bytes) -> str:
    """Why a file is no picture."""
    with pytest.raises(DataError) as found:
        open_image(data)
    return str(found.value)


def test_scans_times_pixels_are_limited() -> None:
    """A picture of many scans is fine while it is small."""
    most = bombs.MOST_SCANNED // (2000 * 2000)
    assert open_image(scans(2000, 2000, most // 2)).size == (2000, 2000)
    assert "scans" in refused(scans(2000, 2000, most + 1))
    assert open_image(scans(64, 64, most + 1)).size == (64, 64)


def test_the_end_of_a_picture_cannot_be_feigned() -> None:
    """An end marker in a table or a comment is none; behind the true end nothing counts."""
    most = bombs.MOST_SCANNED // (2000 * 2000)
    assert "scans" in refused(scans(2000, 2000, most + 1, segment(0xFE, b"\xff\xd9")))
    tail = b"\xff\xda" * 2 * most
    assert open_image(scans(2000, 2000, 1) + tail).size == (2000, 2000)
    assert open_image(inside(segment(0xE5, b"\xff\xda" * 20_000))).size == (96, 64)


def test_exif_blocks_are_limited() -> None:
    """Pillow joins them one by one."""
    block = segment(0xE1, EXIF + b"II*\0\x08\0\0\0\0\0")
    assert open_image(inside(block * bombs.MOST_EXIF)).size == (96, 64)
    assert "EXIF" in refused(inside(block * (bombs.MOST_EXIF + 1)))


@pytest.mark.parametrize(
    ("tag", "kind"), [(273, SHORT), (273, LONG), (324, SHORT), (282, RATIONAL)]
)
def test_values_of_a_tag_are_limited(tag: int, kind: int) -> None:
    """Pillow makes an object of each strip, tile and number."""
    count = bombs.MOST_VALUES + 1
    assert "values" in refused(made({tag: (kind, count, 8)}, bytes(8 * count)))


def test_what_is_only_kept_may_be_large() -> None:
    """Texts, profiles and thumbnails in a TIFF are not taken apart."""
    large = made({700: (1, 1_000_000, 186), 34675: (7, 1_000_000, 186)}, bytes(1_000_000))
    assert open_image(large).size == (8, 8)


@pytest.mark.parametrize("order", ["<", ">"])
def test_big_tiff_is_looked_into(order: str) -> None:
    """The same directory, in wider numbers."""
    head = (b"II+\0" if order == "<" else b"MM\0+") + struct.pack(order + "HHQ", 8, 0, 16)
    entry = struct.pack(order + "QHHQQ", 1, 273, LONG, 10**9, 8)
    assert "1,000,000,000 values" in refused(head + entry + bytes(99))


def test_runs_are_limited() -> None:
    """Pillow unpacks them in Python."""
    head = struct.pack("<IiiHHIIiiII", 40, 4000, 3000, 1, 8, 1, 4, 0, 0, 0, 0)
    assert "compressed BMP" in refused(b"BM" + struct.pack("<IHHI", 58, 0, 0, 54) + head + bytes(4))


def test_small_parts_are_limited() -> None:
    """Whatever they are called."""
    assert "small parts" in refused(JPEG[:2] + b"\xff" * (bombs.MOST_READS + 9) + JPEG[2:])


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "GIF", "BMP"])
def test_usual_pictures_pass(kind: str) -> None:
    """Also large ones, progressive ones and those with many strips."""
    options = {"JPEG": {"progressive": True}, "TIFF": {"compression": "raw"}}
    data = encoded(Image.linear_gradient("L").resize((3000, 2000)), kind, **options.get(kind, {}))
    assert open_image(data).size == (3000, 2000)


@given(
    st.binary(max_size=300), st.sampled_from([b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", TIFF[:40]])
)
def test_any_bytes_can_be_looked_into(data: bytes, start: bytes) -> None:
    """Whoever writes nonsense into a directory breaks nothing here."""
    try:
        bombs.check(start + data)
    except DataError as error:
        assert "values" in str(error)


@given(st.lists(st.sampled_from([b"\xff\xda", b"\xff\xd9", b"\xff\xfe", b"\0\2", b"\xff", b"x"])))
def test_any_bytes_can_be_counted(parts: list[bytes]) -> None:
    """Scans are counted to the end of whatever there is, and are never more than their markers."""
    data = JPEG[:2] + b"".join(parts)
    assert 0 <= bombs._scans(data, 1000) <= data.count(b"\xff\xda")
