"""JPEG files of the worst kind."""

import struct
from collections.abc import Iterator

import numpy as np
from PIL import Image

from broken_files import JPEG, encoded
from hostile.files import EITHER, FINE, REFUSED, Case

START, END = b"\xff\xd8", b"\xff\xd9"
FRAME = JPEG.index(b"\xff\xc0")
SCAN = JPEG.index(b"\xff\xda")
EXIF = b"Exif\0\0"


def cases(size: int) -> Iterator[Case]:
    """All of them."""
    yield from _heads()
    yield from _bodies()
    yield from _metadata()
    yield from _inks()
    yield from _dear(size)


def segment(marker: int, data: bytes) -> bytes:
    """A marker with its data."""
    return bytes((0xFF, marker)) + struct.pack(">H", len(data) + 2) + data


def inside(*parts: bytes) -> bytes:
    """The sample with segments after its start."""
    return START + b"".join(parts) + JPEG[2:]


def _head(place: int, value: bytes) -> bytes:
    """The sample with other bytes in its frame header."""
    start = FRAME + place
    return JPEG[:start] + value + JPEG[start + len(value) :]


def _heads() -> Iterator[Case]:
    size = struct.pack
    yield Case("jpeg of 1 x 65535", _head(5, size(">HH", 65535, 1)), EITHER)
    yield Case("jpeg of 65535 x 1", _head(5, size(">HH", 1, 65535)), EITHER)
    yield Case(
        "jpeg of 3000 x 2000 with pixels for 96 x 64", _head(5, size(">HH", 2000, 3000)), EITHER
    )
    yield Case("jpeg without height", _head(5, size(">H", 0)))
    yield Case("jpeg with a sampling of 0", _head(11, b"\0"))
    yield Case("jpeg with a sampling of 15", _head(11, b"\xff"))
    yield Case("jpeg with a sampling of 4 x 4", _head(11, b"\x44"), EITHER)
    yield Case("jpeg with a table that is not there", _head(12, b"\3"))
    yield Case("jpeg with a component of another number", _head(10, b"\x63"))
    yield Case("jpeg of two components", _head(9, b"\2"))
    yield Case("jpeg of 255 components", _head(9, b"\xff"))
    for kind, name in (
        (0xC1, "extended"),
        (0xC3, "lossless"),
        (0xC5, "hierarchical"),
        (0xC9, "arithmetic"),
    ):
        allowed = FINE if kind == 0xC1 else EITHER
        yield Case(f"jpeg that says it is {name}", _head(0, bytes((0xFF, kind))), allowed)


def _bodies() -> Iterator[Case]:
    frame = JPEG[FRAME : FRAME + 19]
    noise = np.random.default_rng(5).bytes(3000).replace(b"\xff", b"\xfe")
    yield Case("jpeg with two frames", JPEG[:FRAME] + frame + JPEG[FRAME:], EITHER)
    yield Case("jpeg that starts twice", START + JPEG, EITHER)
    yield Case("jpeg without tables", START + frame + JPEG[SCAN:])
    yield Case("jpeg without a frame", JPEG[:FRAME] + JPEG[FRAME + 19 :])
    yield Case("jpeg with noise for pixels", JPEG[: SCAN + 14] + noise + END, EITHER)
    yield Case("jpeg with a scan that ends at once", JPEG[: SCAN + 16] + END, EITHER)
    yield Case(
        "jpeg with a huffman table of too many codes",
        inside(segment(0xC4, b"\0" + b"\xff" * 16 + bytes(256))),
        EITHER,
    )
    yield Case("jpeg with an empty huffman table", inside(segment(0xC4, b"")), EITHER)
    yield Case("jpeg with a quantisation of zeros", inside(segment(0xDB, bytes(65))), EITHER)
    yield Case("jpeg with restarts that do not come", inside(segment(0xDD, b"\0\1")), EITHER)
    yield Case("jpeg with a segment of length 0", START + b"\xff\xe1\0\0" + JPEG[2:], EITHER)
    yield Case("jpeg with a segment of length 1", START + b"\xff\xe1\0\1" + JPEG[2:], EITHER)
    yield Case("jpeg with a scan of wrong components", JPEG[: SCAN + 4] + b"\4" + JPEG[SCAN + 5 :])
    yield Case(
        "jpeg with restart markers all over",
        JPEG[: SCAN + 14] + b"\xff\xd0\xff\xd7" * 400 + END,
        EITHER,
    )


def _metadata() -> Iterator[Case]:
    def exif(count: int, *entries: tuple[int, int, int, int], follows: int = 8) -> bytes:
        rows = b"".join(struct.pack("<HHII", *entry) for entry in entries)
        return segment(
            0xE1, EXIF + b"II*\0" + struct.pack("<IH", 8, count) + rows + struct.pack("<I", follows)
        )

    loops = {
        "that comes after itself": exif(0),
        "with 65535 entries announced": exif(65535),
        "with a tag of 4 GB": exif(1, (0x010E, 2, 2**32 - 1, 0)),
        "with an offset behind the end": exif(1, (0x010E, 2, 1000, 2**31)),
        "in itself (ExifIFD)": exif(2, (0x8769, 4, 1, 8), (0x8825, 4, 1, 8)),
        "with orientation 200": exif(1, (0x0112, 3, 1, 200)),
        "with an orientation of text": exif(1, (0x0112, 2, 4, 0x41414141)),
        "with a resolution of 0 / 0": exif(2, (0x011A, 5, 1, 0), (0x0128, 3, 1, 2)),
        "of an unknown type": exif(1, (0x0112, 99, 1, 6)),
        "that is empty": segment(0xE1, EXIF),
        "of 60 kB of noise": segment(0xE1, EXIF + np.random.default_rng(2).bytes(60_000)),
    }
    for name, part in loops.items():
        yield Case(f"jpeg with an EXIF block {name}", inside(part), FINE)
    profile = b"ICC_PROFILE\0"
    yield Case(
        "jpeg with a profile of 255 parts of which one came",
        inside(segment(0xE2, profile + b"\1\xff" + bytes(99))),
        FINE,
    )
    yield Case("jpeg with a profile without numbers", inside(segment(0xE2, profile)), EITHER)
    yield Case(
        "jpeg with a photoshop block that lies",
        inside(segment(0xED, b"Photoshop 3.0\x008BIM\3\xed\0\0\xff\xff\xff\xff")),
        EITHER,
    )
    yield Case("jpeg with a JFIF block of one byte", inside(segment(0xE0, b"JFIF")), EITHER)
    yield Case("jpeg with an Adobe block of two bytes", inside(segment(0xEE, b"Adobe\0")), EITHER)
    rows = struct.pack("<HHII", 0xB001, 4, 1, 2**31 - 1) + struct.pack("<HHII", 0xB002, 7, 32, 8)
    pages = b"MPF\0II*\0" + struct.pack("<IH", 8, 2) + rows + bytes(4)
    yield Case("jpeg of 2147483647 pages", inside(segment(0xE2, pages)), EITHER)
    xmp = b'http://ns.adobe.com/xap/1.0/\0<x tiff:Orientation="9"/>'
    yield Case("jpeg with a ninth orientation", inside(segment(0xE1, xmp)), FINE)


def _inks() -> Iterator[Case]:
    plain = Image.linear_gradient("L").resize((40, 30))
    four = encoded(plain.convert("CMYK"), "JPEG")
    place = four.index(b"Adobe")
    for transform in (0, 1, 2, 200):
        changed = four[: place + 11] + bytes((transform,)) + four[place + 12 :]
        yield Case(f"jpeg of four inks, transform {transform}", changed, EITHER)
    yield Case("jpeg of four inks, cut", four[: len(four) // 2])
    yield Case("jpeg, progressive, cut", encoded(plain, "JPEG", progressive=True)[:-40], EITHER)


def scans(width: int, height: int, count: int, extra: bytes = b"") -> bytes:
    """A progressive grey picture of `count` scans, each of which says: nothing changes."""
    blocks = -(-width // 8) * -(-height // 8)
    runs = -(-blocks // 32767)
    bits = ("0" + "1" * 14) * runs
    bits += "1" * (-len(bits) % 8)
    packed = bytes(int(bits[n : n + 8], 2) for n in range(0, len(bits), 8)).replace(
        b"\xff", b"\xff\0"
    )
    one = segment(0xDA, bytes((1, 1, 0, 1, 63, 0))) + packed + extra
    return b"".join(
        (
            START,
            segment(0xDB, b"\0" + b"\1" * 64),
            segment(0xC2, struct.pack(">BHHB", 8, height, width, 1) + b"\1\x11\0"),
            segment(0xC4, b"\0" + bytes([1] + [0] * 15) + b"\0"),
            segment(0xC4, b"\x10" + bytes([1] + [0] * 15) + b"\xe0"),
            segment(0xDA, bytes((1, 1, 0, 0, 0, 0))) + bytes(-(-blocks // 8)),
            one * count,
            END,
        )
    )


def _dear(size: int) -> Iterator[Case]:
    def filled(part: bytes) -> bytes:
        return inside(part * ((size - len(JPEG)) // len(part)))

    yield Case("jpeg of ten scans", scans(400, 300, 10), FINE)
    yield Case("jpeg of thousands of scans", scans(2000, 2000, 1000))
    # Whoever looks for the end of the picture finds one in this table.
    end = segment(0xC4, b"\x11\1" + bytes(15) + b"\xe0") + segment(0xFE, END)
    yield Case("jpeg of thousands of scans with false ends", scans(2000, 2000, 1000, end))
    yield Case(
        "jpeg with as many EXIF blocks as there is room for",
        filled(segment(0xE1, EXIF + b"x" * 10)),
    )
    yield Case("jpeg with comments as there is room for", filled(segment(0xFE, b"")), EITHER)
    yield Case(
        "jpeg with huffman tables as there is room for",
        filled(segment(0xC4, b"\0\1" + bytes(15) + b"\0")),
        EITHER,
    )
    yield Case("jpeg with fill bytes as there is room for", filled(b"\xff"), REFUSED | FINE)
    yield Case("jpeg with junk as there is room for", JPEG[:20] + b"\1" * size + JPEG[20:], EITHER)
    yield Case(
        "jpeg with one comment after the other, 60 kB each",
        filled(segment(0xFE, bytes(60_000))),
        FINE,
    )
    yield Case(
        "jpeg with a tail as long as there is room for",
        JPEG + np.random.default_rng(1).bytes(size),
        FINE,
    )
    yield Case("jpeg with scan markers in its tail", JPEG + b"\xff\xda" * (size // 2), FINE)
