"""The one decoder of the project: from bytes to upright 8-bit pixels, or one reason why not.

EXIF orientation is applied; CMYK, palette, 16 bit and alpha become plain RGB; of an animation the
first frame counts. What is truncated, not an image, or larger than allowed is refused.
"""

import stat
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from roadworthy.data import bombs
from roadworthy.errors import DataError

MAX_PIXELS = 100_000_000
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"})

# What else comes under the name of an image, by how it begins (or, in a box file, by its first box).
KINDS = (
    (b"%PDF", "a PDF"),
    (b"<svg", "an SVG drawing"),
    (b"<?xml", "XML"),
    (b"<", "a web page"),
    (b"PK", "a ZIP archive"),
    (b"version https://git-lfs", "a Git LFS pointer, run `git lfs pull`"),
    (b"ftyp", "a video, HEIC or AVIF"),
    (b"\xff\xd8", "a JPEG of a kind that Pillow cannot read"),
)
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDEWAYS = frozenset(_UPRIGHT[n] for n in (5, 6, 7, 8))


@dataclass(frozen=True)
class Decoded:
    """An image and what its file says of itself."""

    image: Image.Image
    """Upright, of mode RGB or L; perhaps smaller than the file's."""
    width: int
    height: int
    """Of the upright image in full size, pixels."""
    mode: str
    """Pillow's name of the file's own mode: RGB, L, P, CMYK, I;16 ..."""
    format: str


def open_image(source: bytes | Path, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Decode to an upright PIL image of mode RGB or L; `format` is the format of the file.

    Args:
        source: the encoded bytes, or a file.
        max_pixels: refuse more than this before decoding.

    Raises:
        DataError: the reason, in a few words without the file's name.
    """
    decoded = decode(source, max_pixels)
    decoded.image.format = decoded.format
    return decoded.image


def decode(
    source: bytes | Path, max_pixels: int = MAX_PIXELS, at_least: int | None = None
) -> Decoded:
    """As `open_image`, with what the file says of itself.

    Args:
        at_least: a JPEG may come out smaller by 2, 4 or 8 with no side below this, which is up to
            four times faster; the whole file is read and checked all the same.

    Raises:
        DataError: the reason, in a few words without the file's name.
    """
    data = source if isinstance(source, bytes) else _read(source)
    if not data:
        raise DataError("empty file")
    try:
        with warnings.catch_warnings():
            # Our own limit below is stricter than Pillow's warning; odd EXIF blocks are no reason to refuse.
            warnings.simplefilter("ignore")
            return _decode(data, max_pixels, at_least)
    except UnidentifiedImageError:
        raise DataError(f"not an image{_kind(data)}") from None
    except DataError:
        raise
    except Image.DecompressionBombError:
        raise DataError("decompression bomb") from None
    except Exception as error:  # Pillow's plugins raise anything on damaged files
        raise DataError(f"damaged: {_first_line(error)}") from None


def _decode(data: bytes, max_pixels: int, at_least: int | None) -> Decoded:
    bombs.check(data)
    image = Image.open(bombs.Source(data), formats=FORMATS)
    width, height = image.size
    if width * height > max_pixels:
        raise DataError(f"{width} x {height} pixels are over {max_pixels:,}")
    mode, kind = image.mode, str(image.format)
    bombs.check_opened(image, data)
    if at_least:
        image.draft(None, (at_least, at_least))
    image.load()
    turn = _turn(image)
    if turn in _SIDEWAYS:
        width, height = height, width
    return Decoded(plain(image.transpose(turn) if turn else image), width, height, mode, kind)


def _turn(image: Image.Image) -> Image.Transpose | None:
    """What makes the image upright, by its EXIF orientation."""
    try:
        return _UPRIGHT.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # an EXIF block that cannot be parsed is no reason to refuse good pixels
        return None


def to_array(image: Image.Image, channels: int) -> np.ndarray:
    """Pixels as uint8, shape (height, width, channels)."""
    pixels = np.asarray(image.convert("L" if channels == 1 else "RGB"))
    return pixels[..., None] if channels == 1 else pixels


def from_array(pixels: np.ndarray) -> Image.Image:
    """A PIL image from uint8 pixels of shape (H, W), (H, W, 1) or (H, W, 3).

    Raises:
        DataError: another shape or dtype.
    """
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3) or 0 in pixels.shape:
        raise DataError(f"pixels must be uint8 (H, W, 3), not {pixels.dtype} {pixels.shape}")
    if pixels.ndim == 3 and pixels.shape[2] not in (1, 3):
        raise DataError(f"pixels must have 1 or 3 channels, not {pixels.shape[2]}")
    flat = pixels[..., 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels
    return Image.fromarray(np.ascontiguousarray(flat))


def _read(path: Path) -> bytes:
    try:
        # A pipe would wait for a writer, a device may never end.
        if not stat.S_ISREG(path.stat().st_mode):
            raise DataError("not a file")
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}") from None


def plain(image: Image.Image) -> Image.Image:
    """The same in mode RGB or L: what is transparent is white, 16 bits lose their lower half."""
    if image.mode in ("L", "RGB"):
        return image
    if image.mode.startswith(("I", "F")):
        return _eight_bit(image)
    if image.mode == "1":
        return image.convert("L")
    if "A" in image.getbands() or "transparency" in image.info:
        rgba = image.convert("RGBA")
        white = Image.new("RGB", rgba.size, "white")
        white.paste(rgba, mask=rgba.getchannel("A"))
        return white
    return image.convert("RGB")


def _eight_bit(image: Image.Image) -> Image.Image:
    """16 bits are cut to their upper half; other numbers are scaled by the range they lie in."""
    values = np.asarray(image)
    if values.dtype == np.uint16:
        return Image.fromarray((values >> 8).astype(np.uint8))
    # In place: there may be 50 million, and a server decodes several images at once.
    scaled = np.nan_to_num(values.astype(np.float32), copy=False)
    largest = float(scaled.max(initial=0))
    top = next((top for top in (1.0, 255.0, 65535.0) if largest <= top), largest)
    scaled *= 255 / top
    return Image.fromarray(np.clip(scaled, 0, 255, out=scaled).astype(np.uint8))


def _kind(data: bytes) -> str:
    """What a file that is no image seems to be."""
    head = data[:64].lstrip()
    return next(
        (f": {kind}" for start, kind in KINDS if start in (head[: len(start)], data[4:8])), ""
    )


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:120]
