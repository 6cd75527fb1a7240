"""Images that are cheap to send and dear to open; the limit of pixels does not stop them.

Pillow reads the structure of a file in Python and joins what belongs together; libjpeg goes over the
whole picture once per scan (libjpeg-turbo, "Two Issues with the JPEG Standard"). A file of some MB
can keep either at work for minutes. Every limit here is far above what cameras and programs write.
"""

import io
import re
import struct

import numpy as np
from PIL import Image

from roadworthy.errors import DataError

MOST_READS = 500_000
"""Pieces in which a file is read; less than a second."""
MOST_EXIF = 32
"""EXIF segments; Pillow copies what it has for each further one."""
MOST_VALUES = 100_000
"""Values of one tag of a TIFF directory, such as the places of the strips."""
MOST_SCANNED = 2_500_000_000
"""Scans times pixels; a few seconds. Usual are ten scans."""
MOST_RUNS = 10_000_000
"""Pixels of a BMP with run lengths, which Pillow unpacks in Python."""
SCAN, END = 0xDA, 0xD9
MARKER = re.compile(rb"\xff+([\x01-\xcf\xd8-\xfe])")
"""Neither a stuffed zero nor a restart."""
ALONE = frozenset((0x01, 0xD8, END))
"""Markers without a segment."""
MEASURED = (254, 400)
"""TIFF tags from the first to below the second describe the picture."""
BYTES = (1, 2, 6, 7)
"""TIFF types that stay as they are."""


class Source(io.BytesIO):
    """The bytes of a file, to be read in a limited number of pieces."""

    left = MOST_READS

    def read(self, size: int | None = -1, /) -> bytes:
        """Read on.

        Raises:
            DataError: in too many pieces.
        """
        self.left -= 1
        if self.left < 0:
            raise DataError("decompression bomb: made of too many small parts")
        return super().read(size)


def check(data: bytes) -> None:
    """Refuse what would be dear before the first pixel.

    Raises:
        DataError: the reason, in a few words.
    """
    exif = data.count(b"Exif\0\0") if data.startswith(b"\xff\xd8") else 0
    if exif > MOST_EXIF:
        raise DataError(f"decompression bomb: {exif:,} EXIF blocks")
    if (values := _values(data)) > MOST_VALUES:
        raise DataError(f"decompression bomb: {values:,} values of one tag")


def check_opened(image: Image.Image, data: bytes) -> None:
    """Refuse what would be dear although it has no more pixels than others.

    Args:
        image: opened from `data`, not loaded.

    Raises:
        DataError: the reason, in a few words.
    """
    pixels = max(1, image.width * image.height)
    if image.format in ("JPEG", "MPO"):
        most = max(1, MOST_SCANNED // pixels)
        # Counting bytes is quick and never too few; other parts of a file may look like scans.
        if data.count(b"\xff\xda") > most and _scans(data, most) > most:
            raise DataError(f"decompression bomb: over {most:,} scans of {pixels:,} pixels")
    runs = any(tile[0] == "bmp_rle" for tile in getattr(image, "tile", ()))
    if runs and pixels > MOST_RUNS:
        raise DataError(f"{pixels:,} pixels are over {MOST_RUNS:,} of a compressed BMP")


def _scans(data: bytes, most: int) -> int:
    """Scans up to the end of the first picture; no further than one over `most`."""
    scans, place = 0, 2
    while scans <= most and (found := MARKER.search(data, place)):
        kind, place = found[1][0], found.end()
        if kind == END and scans:
            break
        scans += kind == SCAN
        if kind not in ALONE:
            place += max(2, int.from_bytes(data[place : place + 2]))
    return scans


def _values(data: bytes) -> int:
    """Most values of a tag in the first directory of a TIFF file; 0 of other files."""
    order = {b"II": "<", b"MM": ">"}.get(data[:2], "")
    # Pillow 13 takes a BigTIFF from a big-endian machine for a usual one.
    widths = {42: (False,), 43: (True, False)}.get(max(data[2:4], default=0), ())
    return max((_directory(data, order, wide) for wide in widths if order), default=0)


def _directory(data: bytes, order: str, wide: bool) -> int:
    place, offset, count, number = (8, "Q", "Q", "u8") if wide else (4, "I", "H", "u4")
    try:
        (start,) = struct.unpack_from(order + offset, data, place)
        (entries,) = struct.unpack_from(order + count, data, start)
    except (struct.error, OverflowError):
        return 0
    fields = [("tag", "u2"), ("type", "u2"), ("count", number), ("value", number)]
    entry = np.dtype([(name, order + kind) for name, kind in fields])
    start += struct.calcsize(order + count)
    found = min(entries, (len(data) - start) // entry.itemsize)
    rows = np.frombuffer(data, entry, found, start) if found > 0 else np.empty(0, entry)
    dear = (
        (rows["tag"] >= MEASURED[0]) & (rows["tag"] < MEASURED[1]) & ~np.isin(rows["type"], BYTES)
    )
    return int(rows["count"][dear].max(initial=0))
