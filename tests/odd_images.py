"""Unusual images that every good decoder reads: red above blue, or bright above dark."""

import struct
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin

from broken_files import Kinds, encoded

ROTATED = 6
ORIENTATION = 0x0112


def odd_but_fine(folder: Path) -> dict[str, str]:
    """Write them into `folder`: file name to what is odd."""
    folder.mkdir(parents=True, exist_ok=True)
    made = {}
    for name, (odd, data) in (_modes() | _containers() | _metadata()).items():
        (folder / name).write_bytes(data)
        made[name] = odd
    return made


def _two_halves(size: tuple[int, int] = (64, 48)) -> Image.Image:
    image = Image.new("RGB", size, (220, 20, 20))
    image.paste((20, 20, 220), (0, size[1] // 2, *size))
    return image


def _grey_halves() -> np.ndarray:
    """Bright above dark, as the red and blue ones in grey."""
    values = np.zeros((48, 64))
    values[:24] = 1
    return values


def _modes() -> Kinds:
    red, grey = _two_halves(), _grey_halves()
    indexed = red.quantize(8)
    deep = Image.fromarray((grey * 65535).astype(np.uint16))
    alpha = red.convert("RGBA")
    bilevel = Image.fromarray(grey > 0)
    pair = Image.fromarray((grey * 255).astype(np.uint8)).convert("LA")
    reals = Image.fromarray((grey * 255).astype(np.float32))
    return {
        "cmyk.jpg": ("four inks", encoded(red.convert("CMYK"), "JPEG", quality=95)),
        "grey.jpg": ("one channel", encoded(pair.convert("L"), "JPEG")),
        "deep.png": ("16 bits", encoded(deep, "PNG")),
        "deep.tif": ("16 bits in TIFF", encoded(deep, "TIFF")),
        "palette.png": ("a palette", encoded(indexed, "PNG")),
        "clear.png": ("a palette with a clear colour", encoded(indexed, "PNG", transparency=7)),
        "alpha.png": ("an alpha channel", encoded(alpha, "PNG")),
        "alpha.webp": ("an alpha channel in WEBP", encoded(alpha, "WEBP", lossless=True)),
        "bilevel.png": ("black and white", encoded(bilevel, "PNG")),
        "bilevel.tif": ("a fax", encoded(bilevel, "TIFF", compression="group4")),
        "pair.png": ("grey with alpha", encoded(pair, "PNG")),
        "reals.tif": ("floats", encoded(reals, "TIFF")),
        "unit.tif": (
            "floats from 0 to 1",
            encoded(Image.fromarray(grey.astype(np.float32)), "TIFF"),
        ),
        "lab.tif": ("CIELAB", encoded(_lab(), "TIFF")),
    }


def _lab() -> Image.Image:
    lab = np.zeros((48, 64, 3), np.uint8)
    lab[:24], lab[24:] = (116, 68, 50), (76, 60, 170)
    return Image.frombytes("LAB", (64, 48), lab.tobytes())


def _containers() -> Kinds:
    red, other = _two_halves(), Image.new("RGB", (64, 48), "black")
    moving = {"save_all": True, "append_images": [other], "duration": 100}
    return {
        "progressive.jpg": ("progressive", encoded(red, "JPEG", progressive=True, quality=95)),
        "moving.gif": ("animated", encoded(red, "GIF", **moving)),
        "moving.webp": ("animated", encoded(red, "WEBP", lossless=True, **moving)),
        "moving.png": ("animated", encoded(red, "PNG", **moving)),
        "pages.tif": ("two pages", encoded(red, "TIFF", save_all=True, append_images=[other])),
        "stereo.jpg": (
            "two pictures in one (MPO)",
            encoded(red, "MPO", save_all=True, append_images=[other]),
        ),
        "interlaced.gif": ("interlaced", encoded(red, "GIF", interlace=True)),
        "packed.tif": ("LZW", encoded(red, "TIFF", compression="tiff_lzw")),
        "UPPER.JPG": ("an upper-case suffix", encoded(red, "JPEG", quality=95)),
        "other.jpg": ("a PNG called .jpg", encoded(red, "PNG")),
        "tail.jpg": ("bytes after the end", encoded(red, "JPEG", quality=95) + b"more" * 100),
        "upside.bmp": ("rows from the top", _top_down(encoded(red, "BMP"))),
        "one_pixel_high.png": ("64 x 2", encoded(_two_halves((64, 2)), "PNG")),
    }


def _top_down(data: bytes) -> bytes:
    """The same picture with a negative height, rows stored from the top."""
    start = struct.unpack("<I", data[10:14])[0]
    rows = [data[n : n + 192] for n in range(start, len(data), 192)]
    return data[:22] + struct.pack("<i", -48) + data[26:start] + b"".join(rows[::-1])


def _metadata() -> Kinds:
    red = _two_halves()
    exif = Image.Exif()
    exif[ORIENTATION] = ROTATED
    lying = red.transpose(Image.Transpose.ROTATE_90)
    many = PngImagePlugin.PngInfo()
    many.add_text("Comment", "x" * 900_000)
    jpeg = {"quality": 95}
    return {
        "rotated.jpg": ("EXIF says rotate", encoded(lying, "JPEG", exif=exif, **jpeg)),
        "rotated.png": ("EXIF in PNG says rotate", encoded(lying, "PNG", exif=exif)),
        "rotated.webp": (
            "EXIF in WEBP says rotate",
            encoded(lying, "WEBP", exif=exif, lossless=True),
        ),
        "bad_exif.jpg": (
            "an EXIF block of noise",
            encoded(red, "JPEG", exif=b"Exif\0\0II*\0" + b"\xff" * 60),
        ),
        "bad_exif.png": (
            "an EXIF block of noise in PNG",
            encoded(red, "PNG", exif=b"Exif\0\0nonsense" * 9),
        ),
        "bad_profile.jpg": (
            "a colour profile of noise",
            encoded(red, "JPEG", icc_profile=b"noise" * 99, **jpeg),
        ),
        "long_text.png": ("900 kB of text", encoded(red, "PNG", pnginfo=many)),
        "noend.png": ("fine pixels, no end chunk", encoded(red, "PNG")[:-12]),
    }
