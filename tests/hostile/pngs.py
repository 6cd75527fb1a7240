"""PNG files of the worst kind."""

import struct
import zlib
from collections.abc import Iterator

from PIL import Image

from broken_files import JPEG, PNG, encoded
from broken_files import _chunk as chunk
from hostile.files import EITHER, FINE, Case

SIGNATURE = b"\x89PNG\r\n\x1a\n"
HEAD = 33
"""Bytes up to the end of IHDR."""
END = chunk(b"IEND", b"")


def cases(size: int) -> Iterator[Case]:
    """All of them."""
    yield from _heads()
    yield from _palettes()
    yield from _pixels()
    yield from _texts(size)
    yield from _moving()
    yield from _dear(size)


def made(
    pixels: bytes,
    *before: bytes,
    width: int = 8,
    height: int = 8,
    depth: int = 8,
    colour: int = 2,
    rest: bytes = b"\0\0\0",
) -> bytes:
    """A PNG of decompressed rows; `rest` is compression, filter and interlace method."""
    head = chunk(b"IHDR", struct.pack(">IIBB", width, height, depth, colour) + rest)
    return SIGNATURE + head + b"".join(before) + chunk(b"IDAT", zlib.compress(pixels)) + END


def inside(*chunks: bytes) -> bytes:
    """The sample with chunks after its head."""
    return PNG[:HEAD] + b"".join(chunks) + PNG[HEAD:]


def _heads() -> Iterator[Case]:
    rows = bytes(25 * 8)
    yield Case("png with compression method 1", made(rows, rest=b"\1\0\0"), EITHER)
    yield Case("png with filter method 1", made(rows, rest=b"\0\1\0"))
    yield Case("png with interlace method 7", made(rows, rest=b"\0\0\7"), EITHER)
    yield Case("png of colour type 5", made(rows, colour=5))
    yield Case("png of 16 bits in a palette", made(rows, depth=16, colour=3))
    yield Case("png without height", made(rows, height=0))
    yield Case("png of 1 x 65535", made(bytes(4 * 65535), width=1, height=65535), FINE)
    yield Case("png of 65535 x 1", made(bytes(1 + 3 * 65535), width=65535, height=1), FINE)
    yield Case("png of 1 x 1", made(bytes(4), width=1, height=1), FINE)
    yield Case("png of 4294967295 x 1", made(rows, width=2**32 - 1, height=1))
    yield Case("png with two heads", PNG[:HEAD] + PNG[8:], EITHER)
    yield Case(
        "png with two heads of different sizes",
        PNG[:HEAD] + made(rows)[8:HEAD] + PNG[HEAD:],
        EITHER,
    )
    yield Case("png without a head", SIGNATURE + PNG[HEAD:])
    yield Case("png with a head of 5 bytes", SIGNATURE + chunk(b"IHDR", b"\0\0\0\1\0") + PNG[HEAD:])
    yield Case("png with a chunk of 4 GB", PNG[:HEAD] + b"\xff\xff\xff\xfftEXt" + PNG[HEAD:])
    yield Case("png with a chunk without a name", inside(chunk(b"\0\0\0\0", b"x")))
    yield Case("png with a chunk that must be known", inside(chunk(b"ABCD", b"x")), EITHER)
    yield Case("png with its end first", PNG[:HEAD] + END + PNG[HEAD:], EITHER)
    yield Case(
        "png whose chunks lie about their checksums", PNG.replace(PNG[-16:-12], b"\1\2\3\4"), EITHER
    )


def _palettes() -> Iterator[Case]:
    rows = (b"\0" + b"\xff" * 8) * 8
    colours = chunk(b"PLTE", bytes(range(12)))
    yield Case("png with colours out of its palette", made(rows, colours, colour=3), FINE)
    yield Case("png without its palette", made(rows, colour=3), EITHER)
    yield Case("png with an empty palette", made(rows, chunk(b"PLTE", b""), colour=3), EITHER)
    yield Case(
        "png with a palette of 7 bytes", made(rows, chunk(b"PLTE", bytes(7)), colour=3), EITHER
    )
    yield Case(
        "png with a palette of 9000 colours",
        made(rows, chunk(b"PLTE", bytes(27000)), colour=3),
        EITHER,
    )
    yield Case(
        "png with more clear colours than colours",
        made(rows, colours, chunk(b"tRNS", bytes(2000)), colour=3),
        EITHER,
    )
    yield Case(
        "png with a clear colour of one byte", made(bytes(200), chunk(b"tRNS", b"\0")), EITHER
    )
    yield Case(
        "png with a clear colour and an alpha channel",
        made(bytes(33 * 8), chunk(b"tRNS", bytes(6)), colour=6),
        EITHER,
    )
    yield Case("png of 16 bits with alpha", made(bytes(65 * 8), depth=16, colour=6), FINE)
    yield Case(
        "png of 16 bits with a clear grey",
        made(bytes(17 * 8), chunk(b"tRNS", b"\0\0"), depth=16, colour=0),
        EITHER,
    )


def _pixels() -> Iterator[Case]:
    woven = encoded(Image.linear_gradient("L").resize((90, 60)).convert("RGB"), "PNG")
    rows = bytes(25 * 8)
    yield Case("png with unknown filters", made((b"\x09" + bytes(24)) * 8), EITHER)
    yield Case("png with pixels for 4000 rows", made(bytes(25 * 4000)), EITHER)
    yield Case(
        "png, interlaced, with pixels for half of it", made(rows[:100], rest=b"\0\0\1"), EITHER
    )
    yield Case(
        "png, interlaced, 1 x 1000", made(bytes(6000), width=1, height=1000, rest=b"\0\0\1"), EITHER
    )
    yield Case(
        "png with pixels of two streams",
        PNG[:-12] + chunk(b"IDAT", zlib.compress(rows)) + END,
        EITHER,
    )
    yield Case(
        "png with its pixels apart",
        made(rows).replace(END, chunk(b"tEXt", b"a\0b") + chunk(b"IDAT", b"x") + END),
        EITHER,
    )
    body = zlib.compress(Image.new("RGB", (8, 8)).tobytes() + bytes(8))
    single = b"".join(chunk(b"IDAT", body[n : n + 1]) for n in range(len(body)))
    yield Case(
        "png with pixels in chunks of one byte",
        made(b"").split(b"\0\0\0\x08IDAT")[0] + single + END,
        EITHER,
    )
    yield Case(
        "png with a wrong checksum of the pixels", woven[:-20] + b"\1\2\3\4" + woven[-16:], EITHER
    )
    yield Case("png with raw deflate", _with_idat(zlib.compress(rows)[2:-4]))
    yield Case(
        "png with a preset dictionary", _with_idat(b"\x78\xbb\0\0\0\1" + zlib.compress(rows)[2:])
    )


def _with_idat(data: bytes) -> bytes:
    return made(b"")[:HEAD] + chunk(b"IDAT", data) + END


def _texts(size: int) -> Iterator[Case]:
    bomb = zlib.compress(bytes(60 << 20), 9)
    yield Case("png with a text bomb (zTXt)", inside(chunk(b"zTXt", b"a\0\0" + bomb)))
    yield Case("png with a profile bomb (iCCP)", inside(chunk(b"iCCP", b"a\0\0" + bomb)))
    part = zlib.compress(b"x" * 900_000, 9)
    yield Case(
        "png with 100 texts of 900 kB",
        inside(*(chunk(b"zTXt", b"k%d\0\0" % n + part) for n in range(100))),
    )
    yield Case(
        "png with a profile of nonsense",
        inside(chunk(b"iCCP", b"a\0\0" + zlib.compress(b"no" * 99))),
        FINE,
    )
    yield Case(
        "png with a profile that is packed otherwise", inside(chunk(b"iCCP", b"a\0\7x")), EITHER
    )
    yield Case(
        "png with texts that are no texts",
        inside(chunk(b"iTXt", b"\0\0\0"), chunk(b"tEXt", b""), chunk(b"zTXt", b"\xff")),
        EITHER,
    )
    loop = b"II*\0" + struct.pack("<IH", 8, 0) + struct.pack("<I", 8)
    yield Case("png with an EXIF block that comes after itself", inside(chunk(b"eXIf", loop)), FINE)
    yield Case("png with a huge EXIF block", inside(chunk(b"eXIf", loop + bytes(size // 2))), FINE)
    raw = b"Raw profile type exif\0\nexif\n 99\n" + b"zz" * 99
    yield Case("png with an EXIF text that is not hexadecimal", inside(chunk(b"tEXt", raw)), FINE)
    yield Case(
        "png with measures of 0", inside(chunk(b"pHYs", bytes(9)), chunk(b"gAMA", bytes(4))), FINE
    )
    yield Case("png with short measures", inside(chunk(b"cHRM", b"\0")), EITHER)


def _moving() -> Iterator[Case]:
    frame = chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 96, 64, 0, 0, 1, 1, 0, 0))
    outside = chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 9000, 9000, 2**31, 2**31, 1, 1, 0, 0))
    yield Case(
        "png of 2147483647 frames",
        inside(chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0)), frame),
        EITHER,
    )
    yield Case("png of no frames", inside(chunk(b"acTL", bytes(8)), frame), EITHER)
    yield Case(
        "png with a frame outside of it",
        inside(chunk(b"acTL", struct.pack(">II", 2, 0)), outside),
        EITHER,
    )
    yield Case(
        "png with frames in a wrong order",
        inside(chunk(b"acTL", struct.pack(">II", 2, 0)), frame, frame),
        EITHER,
    )
    pictures = [Image.new("RGB", (20, 20), (n % 255, 0, 0)) for n in range(300)]
    many = encoded(pictures[0], "PNG", save_all=True, append_images=pictures[1:])
    yield Case("png of 300 frames", many, FINE)


def _dear(size: int) -> Iterator[Case]:
    def filled(part: bytes) -> bytes:
        return inside(part * (size // len(part)))

    yield Case("png with chunks as there is room for", filled(chunk(b"teSt", b"")), EITHER)
    yield Case(
        "png with empty pixel chunks as there is room for", filled(chunk(b"IDAT", b"")), EITHER
    )
    yield Case("png with texts as there is room for", filled(chunk(b"tEXt", b"a\0")), EITHER)
    yield Case(
        "png of 1 x 1 with 60 MB of pixels", made(bytes(60 << 20), width=1, height=1), EITHER
    )
    yield Case("png with a JPEG as its tail", PNG + JPEG, FINE)
    yield Case(
        "png with a web page in it", inside(chunk(b"tEXt", b"a\0<script>alert(1)</script>")), FINE
    )
