"""GIF, BMP and WebP files of the worst kind."""

import struct
from collections.abc import Iterator

from PIL import Image

from broken_files import BMP, GIF, WEBP, encoded
from hostile.files import EITHER, FINE, REFUSED, Case

GIF_HEAD = 13 + (3 << ((GIF[10] & 7) + 1) if GIF[10] & 128 else 0)
"""Bytes up to the end of the GIF's palette."""


def cases(size: int) -> Iterator[Case]:
    """All of them."""
    yield from _gifs(size)
    yield from _bmps(size)
    yield from _webps(size)


def _gifs(size: int) -> Iterator[Case]:
    image = GIF.index(b",", GIF_HEAD)
    bits = (
        image + 10 if not GIF[image + 9] & 128 else image + 10 + (3 << ((GIF[image + 9] & 7) + 1))
    )

    def canvas(width: int, height: int) -> bytes:
        return GIF[:6] + struct.pack("<HH", width, height) + GIF[10:]

    def frame(left: int, top: int, width: int, height: int) -> bytes:
        return GIF[: image + 1] + struct.pack("<HHHH", left, top, width, height) + GIF[image + 9 :]

    yield Case("gif with a canvas of 65535 x 65535", canvas(65535, 65535))
    yield Case("gif with a canvas of 0 x 0", canvas(0, 0), EITHER)
    yield Case("gif with a canvas of 1 x 65535", canvas(1, 65535), EITHER)
    yield Case("gif with a frame of 65535 x 65535", frame(0, 0, 65535, 65535))
    yield Case("gif with a frame of 0 x 0", frame(0, 0, 0, 0), EITHER)
    yield Case("gif with a frame outside of it", frame(65000, 65000, 96, 64))
    for code in (0, 1, 9, 13, 255):
        changed = GIF[:bits] + bytes((code,)) + GIF[bits + 1 :]
        yield Case(f"gif with codes of {code} bits", changed, EITHER)
    yield Case("gif without its end", GIF[:-1], EITHER)
    yield Case("gif with noise for pixels", GIF[: bits + 1] + b"\xff" + b"\xa5" * 255 + b"\0;")
    yield Case("gif with no pixels", GIF[: bits + 1] + b"\0;")
    yield Case(
        "gif without a palette",
        GIF[:10] + bytes((GIF[10] & 127,)) + GIF[11:13] + GIF[GIF_HEAD:],
        EITHER,
    )
    control = b"!\xf9\x04\x01\0\0\xff\0"
    yield Case(
        "gif with a clear colour that it does not have",
        GIF[:GIF_HEAD] + control + GIF[image:],
        EITHER,
    )
    yield Case(
        "gif with a control block of one byte",
        GIF[:GIF_HEAD] + b"!\xf9\x01\x01\0" + GIF[image:],
        EITHER,
    )
    pixels = GIF[image:-1]
    yield Case("gif of 10,000 frames", GIF[:-1] + _small_frame() * 10_000 + b";", FINE)
    yield Case("gif of two frames", GIF[:-1] + pixels + b";", FINE)
    for name, block in {"comments": b"!\xfe\x01x\0", "extensions": b"!\x01\0"}.items():
        filled = GIF[:GIF_HEAD] + block * (size // len(block)) + GIF[image:]
        yield Case(f"gif with {name} as there is room for", filled, EITHER)
    long = GIF[:GIF_HEAD] + b"!\xfe" + b"\x01x" * (size // 2) + b"\0" + GIF[image:]
    yield Case("gif with a comment in blocks of one byte", long, EITHER)
    longer = (
        GIF[:GIF_HEAD] + b"!\xfe" + (b"\xff" + b"x" * 255) * (size // 256) + b"\0" + GIF[image:]
    )
    yield Case("gif with a comment as long as there is room for", longer, EITHER)


def _small_frame() -> bytes:
    return b"," + struct.pack("<HHHH", 0, 0, 1, 1) + b"\0" + b"\x02\x02\x44\x01\0"


def _bmp(width: int, height: int, bits: int, packing: int, body: bytes, colours: int = 0) -> bytes:
    start = 14 + 40 + 4 * colours
    head = struct.pack(
        "<IiiHHIIiiII", 40, width, height, 1, bits, packing, len(body), 0, 0, colours, 0
    )
    return (
        b"BM"
        + struct.pack("<IHHI", start + len(body), 0, 0, start)
        + head
        + bytes(4 * colours)
        + body
    )


def _bmps(size: int) -> Iterator[Case]:
    yield Case("bmp of -2147483648 rows", _bmp(8, -(2**31), 24, 0, bytes(999)))
    yield Case("bmp of -8 columns", _bmp(-8, 8, 24, 0, bytes(999)), EITHER)
    yield Case("bmp of 0 x 0", _bmp(0, 0, 24, 0, b""))
    yield Case("bmp of 65535 x 65535", _bmp(65535, 65535, 24, 0, bytes(999)))
    yield Case("bmp of 3000 x 2000 without pixels", _bmp(3000, 2000, 24, 0, b""))
    yield Case("bmp of 7 bits", _bmp(8, 8, 7, 0, bytes(999)))
    yield Case("bmp packed as 99", _bmp(8, 8, 24, 99, bytes(999)))
    yield Case("bmp that says it is a JPEG", _bmp(8, 8, 24, 4, bytes(999)))
    yield Case("bmp with colours out of its palette", _bmp(8, 8, 8, 0, b"\xff" * 64, 2), EITHER)
    yield Case("bmp of 4 billion colours", BMP[:46] + b"\xff\xff\xff\xff" + BMP[50:], EITHER)
    yield Case("bmp with a head of 1 GB", BMP[:14] + struct.pack("<I", 1 << 30) + BMP[18:])
    yield Case("bmp with a head of 3 bytes", BMP[:14] + struct.pack("<I", 3) + BMP[18:])
    yield Case("bmp with pixels behind its end", BMP[:10] + struct.pack("<I", 1 << 31) + BMP[14:])
    yield Case("bmp with pixels in its head", BMP[:10] + bytes(4) + BMP[14:], EITHER)
    yield Case(
        "bmp with masks of nonsense", _bmp(8, 8, 32, 3, struct.pack("<III", 1, 2, 3) + bytes(999))
    )
    runs = {
        "that end": b"\x02\x05",
        "that go back": b"\0\2\xff\xff" * 50,
        "of nothing": b"\0\x05" * 50,
        "that are too long": b"\xff\x05" * 500,
    }
    for name, body in runs.items():
        yield Case(f"bmp with runs {name}", _bmp(64, 64, 8, 1, body, 256), EITHER)
    many = b"\x01\x05" * (size // 2)
    yield Case("bmp with runs as there is room for", _bmp(2800, 2800, 8, 1, many, 256), EITHER)
    yield Case("bmp with runs for more than can be unpacked", _bmp(5000, 5000, 8, 1, many, 256))
    yield Case("bmp with empty rows only", _bmp(2800, 2800, 4, 2, b"\1\5\0\0" * 2800, 16), EITHER)


def _riff(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"WEBP" + b"".join(
        name + struct.pack("<I", len(data)) + data + bytes(len(data) % 2) for name, data in chunks
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _three(number: int) -> bytes:
    return struct.pack("<I", number)[:3]


def _canvas(width: int, height: int, flags: int = 0) -> tuple[bytes, bytes]:
    return b"VP8X", bytes((flags, 0, 0, 0)) + _three(width - 1) + _three(height - 1)


def _webps(size: int) -> Iterator[Case]:
    picture = (WEBP[12:16], WEBP[20 : 20 + struct.unpack("<I", WEBP[16:20])[0]])
    for side in (97, 5000, 16384, 1 << 24):
        yield Case(
            f"webp with a canvas of {side} x {side}", _riff(_canvas(side, side), picture), EITHER
        )
    yield Case("webp that is a canvas and nothing else", _riff(_canvas(96, 64)))
    yield Case("webp with two pictures", _riff(_canvas(96, 64), picture, picture), EITHER)
    yield Case(
        "webp with alpha of noise",
        _riff(_canvas(96, 64, 16), (b"ALPH", b"\1" + bytes(range(200))), picture),
        EITHER,
    )
    yield Case(
        "webp with an empty alpha", _riff(_canvas(96, 64, 16), (b"ALPH", b""), picture), EITHER
    )
    frame = _three(0) * 2 + _three(95) + _three(63) + _three(100) + b"\0"
    inner = picture[0] + struct.pack("<I", len(picture[1])) + picture[1]
    moving = (b"ANMF", frame + inner)
    loops = (b"ANIM", bytes(6))
    yield Case("webp of 500 frames", _riff(_canvas(96, 64, 2), loops, *[moving] * 500), FINE)
    outside = (b"ANMF", _three(9000) * 2 + frame[6:] + inner)
    yield Case("webp with a frame outside of it", _riff(_canvas(96, 64, 2), loops, outside))
    larger = (b"ANMF", frame[:6] + _three(9999) * 2 + frame[12:] + inner)
    yield Case(
        "webp with a frame larger than itself", _riff(_canvas(96, 64, 2), loops, larger), EITHER
    )
    yield Case("webp that moves without frames", _riff(_canvas(96, 64, 2), loops))
    yield Case(
        "webp of a lossless 16384 x 16384", _riff((b"VP8L", b"\x2f\xff\xff\xff\x0f" + bytes(99)))
    )
    yield Case("webp of 0 x 0", WEBP[:26] + bytes(4) + WEBP[30:])
    yield Case("webp that is not a key frame", WEBP[:20] + bytes((WEBP[20] | 1,)) + WEBP[21:])
    yield Case("webp of 4 GB", WEBP[:4] + b"\xff\xff\xff\xff" + WEBP[8:], EITHER)
    yield Case("webp of 10 bytes", WEBP[:4] + b"\x0a\0\0\0" + WEBP[8:], EITHER)
    exif = (b"EXIF", b"II*\0" + struct.pack("<IHI", 8, 0, 8))
    yield Case(
        "webp with an EXIF block that comes after itself",
        _riff(_canvas(96, 64, 8), picture, exif),
        FINE,
    )
    profile = (b"ICCP", b"nonsense" * 99)
    yield Case(
        "webp with a profile of nonsense", _riff(_canvas(96, 64, 32), profile, picture), FINE
    )
    room = [(b"abcd", b"")] * (size // 8)
    yield Case(
        "webp with chunks as there is room for", _riff(_canvas(96, 64), *room, picture), EITHER
    )
    clear = encoded(Image.new("RGBA", (40, 30), (200, 10, 10, 0)), "WEBP", lossless=True)
    yield Case("webp that cannot be seen", clear, FINE)
    yield Case("webp, lossless, cut", clear[:-4], REFUSED | FINE)
