"""The one decoder of the project: from bytes to upright 8-bit pixels, or one reason why not.

EXIF orientation is applied; CMYK, palette, 16 bit and alpha become plain RGB; of an animation the
first frame counts. What is truncated, not an image, or larger than allowed is refused.
"""

import io
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from roadworthy.errors import DataError

MAX_PIXELS = 100_000_000
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"})


def open_image(source: bytes | Path, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Decode to an upright PIL image of mode RGB or L; `format` is the format of the file.

    Args:
        source: the encoded bytes, or a file.
        max_pixels: refuse more than this before decoding.

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
            image = Image.open(io.BytesIO(data), formats=FORMATS)
            if image.width * image.height > max_pixels:
                raise DataError(f"{image.width} x {image.height} pixels are over {max_pixels:,}")
            kind = image.format
            image.load()
            upright = _plain(ImageOps.exif_transpose(image))
    except UnidentifiedImageError:
        raise DataError("not an image") from None
    except DataError:
        raise
    except Image.DecompressionBombError:
        raise DataError("decompression bomb") from None
    except Exception as error:  # Pillow's plugins raise anything on damaged files
        raise DataError(f"damaged: {_first_line(error)}") from None
    upright.format = kind
    return upright


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
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}") from None


def _plain(image: Image.Image) -> Image.Image:
    if image.mode in ("L", "RGB"):
        return image
    if image.mode.startswith(("I", "F")):
        return _eight_bit(image)
    if image.mode == "1":
        return image.convert("L")
    if "A" in image.getbands() or "transparency" in image.info:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image.convert("RGB")


def _eight_bit(image: Image.Image) -> Image.Image:
    values = np.asarray(image, dtype=np.float64)
    top = 65535.0 if values.max(initial=0) > 255 else 255.0
    return Image.fromarray(np.clip(values * (255.0 / top), 0, 255).astype(np.uint8))


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:120]
