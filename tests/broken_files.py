"""More than 60 kinds of files that call themselves images and are not, or not quite."""

import io
import os
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
from PIL import Image


def _photo(size: tuple[int, int] = (96, 64)) -> Image.Image:
    """Noise on a gradient: compresses badly, so that a cut falls into the pixels."""
    rng = np.random.default_rng(3)
    base = np.asarray(Image.linear_gradient("L").resize(size).convert("RGB"), np.int16)
    noisy = np.clip(base + rng.integers(-40, 40, base.shape), 0, 255)
    return Image.fromarray(noisy.astype(np.uint8))


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


JPEG = encoded(_photo(), "JPEG", quality=90)
PNG = encoded(_photo(), "PNG")
WEBP = encoded(_photo(), "WEBP", quality=90)
GIF = encoded(_photo().convert("P"), "GIF")
BMP = encoded(_photo(), "BMP")
TIFF = encoded(_photo(), "TIFF")
# Pillow fills in what is missing of these without a word: they may be read or refused.
FORGIVEN = frozenset({"no_scan.jpg", "few_pixels.png"})
SAMPLES = {"jpg": JPEG, "png": PNG, "webp": WEBP, "gif": GIF, "bmp": BMP, "tif": TIFF}


def broken(folder: Path) -> dict[str, str]:
    """Write files that are no whole images into `folder`: file name to what is wrong.

    Names are what `os.listdir` gives. `no_permission.jpg` is readable for root.
    """
    folder.mkdir(parents=True, exist_ok=True)
    made: dict[str, str] = {}
    for kinds in (_tiny(), _cut(), _jpegs(), _pngs(), _others(), _foreign()):
        for name, (wrong, data) in kinds.items():
            (folder / name).write_bytes(data)
            made[name] = wrong
    return made | _not_files(folder) | _odd_names(folder)


Kinds = dict[str, tuple[str, bytes]]


def _tiny() -> Kinds:
    return {
        "empty.jpg": ("no bytes", b""),
        "one_byte.jpg": ("one byte", b"\xff"),
        "signature.png": ("signature only", PNG[:8]),
        "header.jpg": ("the first segment only", JPEG[:20]),
        "zeros.jpg": ("a MB of zeros", bytes(1 << 20)),
        "noise.jpg": ("random bytes", np.random.default_rng(1).bytes(50_000)),
        "newlines.png": ("line ends changed, as by FTP", PNG.replace(b"\r\n", b"\n")),
    }


def _cut() -> Kinds:
    return {
        f"cut_{percent}.{suffix}": (
            f"{suffix}, cut at {percent} %",
            data[: len(data) * percent // 100],
        )
        for suffix, data in SAMPLES.items()
        for percent in (40, 95)
    }


def _jpegs() -> Kinds:
    scan = JPEG.index(b"\xff\xda") + 14
    frame = JPEG.index(b"\xff\xc0")
    no_size = JPEG[: frame + 5] + bytes(4) + JPEG[frame + 9 :]
    huge = JPEG[: frame + 5] + b"\xff\xff\xff\xff" + JPEG[frame + 9 :]
    return {
        "no_scan.jpg": ("ends where the pixels begin", JPEG[:scan] + b"\xff\xd9"),
        "no_size.jpg": ("0 x 0 pixels", no_size),
        "huge.jpg": ("claims 65535 x 65535 pixels", huge),
        "bad_length.jpg": ("a segment longer than the file", JPEG[:4] + b"\xff\xff" + JPEG[6:200]),
        "twelve_bits.jpg": ("12 bits a sample", JPEG[: frame + 4] + b"\x0c" + JPEG[frame + 5 :]),
    }


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png(width: int, height: int, *chunks: bytes, depth: int = 8, colour: int = 2) -> bytes:
    head = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(chunks) + _chunk(b"IEND", b"")


def _pngs() -> Kinds:
    pixels = PNG.index(b"IDAT")
    flipped = PNG[: pixels + 40] + bytes([PNG[pixels + 40] ^ 255]) + PNG[pixels + 41 :]
    text = _chunk(b"iTXt", b"Comment\0\1\0\0\0" + zlib.compress(bytes(200 << 20), 9))
    return {
        "bad_crc.png": ("checksum of the header", PNG[:29] + bytes(4) + PNG[33:]),
        "flipped.png": ("one byte of the pixels changed", flipped),
        "no_pixels.png": ("no pixel data", _png(8, 8)),
        "few_pixels.png": (
            "half of the rows",
            _png(8, 8, _chunk(b"IDAT", zlib.compress(bytes(100)))),
        ),
        "not_deflate.png": ("pixel data are no deflate", _png(8, 8, _chunk(b"IDAT", b"hello" * 9))),
        "no_width.png": ("0 pixels wide", _png(0, 8, _chunk(b"IDAT", zlib.compress(bytes(200))))),
        "huge.png": (
            "claims 60000 x 60000 pixels",
            _png(60_000, 60_000, _chunk(b"IDAT", zlib.compress(b"x"))),
        ),
        "huger.png": (
            "claims 2147483647 x 2147483647 pixels",
            _png(2**31 - 1, 2**31 - 1, _chunk(b"IDAT", zlib.compress(b"x"))),
        ),
        "text_bomb.png": ("200 MB of text in 200 kB", PNG[:33] + text + PNG[33:]),
        "many_chunks.png": (
            "100,000 empty chunks, no pixels",
            _png(8, 8, _chunk(b"teSt", b"") * 100_000),
        ),
        "bad_depth.png": (
            "3 bits a sample",
            _png(8, 8, _chunk(b"IDAT", zlib.compress(bytes(200))), depth=3),
        ),
    }


def _tiff(entries: list[tuple[int, int, int, int]], next_ifd: int = 0) -> bytes:
    """A little-endian TIFF of one directory of (tag, type, count, value)."""
    rows = b"".join(struct.pack("<HHII", *entry) for entry in sorted(entries))
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + rows + struct.pack("<I", next_ifd)


def _grey_tiff(side: int, offset: int, count: int) -> list[tuple[int, int, int, int]]:
    tags = {
        256: side,
        257: side,
        258: 8,
        259: 1,
        262: 1,
        273: offset,
        277: 1,
        278: side,
        279: count,
    }
    return [(tag, 4, 1, value) for tag, value in tags.items()]


def _others() -> Kinds:
    riff = WEBP[:4] + struct.pack("<I", 2**31) + WEBP[8:60]
    absurd = BMP[:18] + struct.pack("<ii", 2**31 - 1, 2**31 - 1) + BMP[26:]
    frames = GIF[:13] + b";"
    return {
        "bad_chunk.webp": ("a chunk longer than the file", riff),
        "no_frame.gif": ("no frame", frames),
        "absurd.bmp": ("claims 2147483647 x 2147483647 pixels", absurd),
        "no_depth.bmp": ("no bits a pixel", BMP[:28] + bytes(2) + BMP[30:]),
        "loop.tif": ("a directory that comes after itself, without pixels", _tiff([], next_ifd=8)),
        "wild.tif": ("pixels behind the end", _tiff(_grey_tiff(64, 1 << 30, 4096))),
        "strip.tif": ("a strip of 2 GB", _tiff(_grey_tiff(64, 8, 2**31 - 1))),
        "huge.tif": ("claims 100000 x 100000 pixels", _tiff(_grey_tiff(100_000, 8, 100))),
    }


def _foreign() -> Kinds:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("car.jpg", JPEG)
    box = struct.pack(">I", 24)
    svg = b'<svg xmlns="http://www.w3.org/2000/svg"><rect width="9" height="9"/></svg>'
    return {
        "text.jpg": ("a text", b"This is not an image.\n"),
        "page.jpg": ("an error page saved as a picture", b"<!DOCTYPE html><title>404</title>"),
        "report.jpg": ("a PDF", b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n%%EOF"),
        "archive.jpg": ("a ZIP with an image in it", packed.getvalue()),
        "drawing.png": ("an SVG", svg),
        "film.jpg": ("an MP4", box + b"ftypisom\0\0\2\0isomiso2" + bytes(500)),
        "phone.jpg": ("an HEIC", box + b"ftypheic\0\0\0\0mif1heic" + bytes(500)),
        "photoshop.jpg": ("a PSD", b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, 8, 8, 8, 3)),
        "script.jpg": (
            "PostScript",
            b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n",
        ),
        "icon.png": ("an ICO", encoded(_photo((16, 16)), "ICO")),
        "pointer.jpg": ("a Git LFS pointer", b"version https://git-lfs.github.com/spec/v1\n"),
        "polyglot.jpg": (
            "a GIF header before a script",
            b"GIF89a=1;/*" + bytes(40) + b"*/alert(1)",
        ),
        "chimera.png": ("PNG's signature before a JPEG", PNG[:8] + JPEG),
        "apple.jpg": ("what macOS adds to archives", b"\0\5\x16\7\0\2\0\0Mac OS X" + bytes(80)),
    }


def _not_files(folder: Path) -> dict[str, str]:
    (folder / "folder.jpg").mkdir()
    os.mkfifo(folder / "pipe.jpg")
    (folder / "dangling.jpg").symlink_to("nowhere.jpg")
    (folder / "circle.jpg").symlink_to("circle.jpg")
    (folder / "device.jpg").symlink_to("/dev/zero")
    (folder / "no_permission.jpg").write_bytes(JPEG[:300])
    (folder / "no_permission.jpg").chmod(0)
    return {
        "folder.jpg": "a folder",
        "pipe.jpg": "a pipe that nobody writes to",
        "dangling.jpg": "a link to nothing",
        "circle.jpg": "a link to itself",
        "device.jpg": "a link to a device without an end",
        "no_permission.jpg": "damaged, and not to be read by all",
    }


def _odd_names(folder: Path) -> dict[str, str]:
    """Damaged files under names that break programs; where the file system has such names."""
    names = {
        "two\nlines.jpg": "a line break in the name",
        "<b>bold&.jpg": "HTML in the name",
        "-rf.jpg": "a name like an option",
        "a" * 250 + ".jpg": "the longest name",
        os.fsdecode(b"latin\xe9.jpg"): "a name that is not UTF-8",
    }
    made = {}
    for name, odd in names.items():
        try:
            (folder / name).write_bytes(JPEG[:300])
        except OSError:
            continue
        made[name] = f"damaged, and {odd}"
    return made
