"""Perceptual hashes of thumbnails, all at once.

phash: the signs of the 8 x 8 lowest frequencies of a 32 x 32 grey image against their median, as in
https://www.hackerfactor.com/blog/index.php?/archives/432-Looks-Like-It.html.
"""

import numpy as np
from scipy.fft import dctn

from roadworthy.data.statistics import GREY

# Shape of a thumbnail: height, width, channels.
THUMBNAIL = (32, 32, 3)
CHUNK = 4096


def to_grey(thumbnails: np.ndarray) -> np.ndarray:
    """Grey values 0 to 255 of uint8 (N, H, W, 3), as float32 (N, H, W)."""
    out = np.empty(thumbnails.shape[:3], np.float32)
    for n in range(0, len(thumbnails), CHUNK):
        np.dot(thumbnails[n : n + CHUNK].astype(np.float32), GREY, out=out[n : n + CHUNK])
    return out


def phash(grey: np.ndarray) -> np.ndarray:
    """Hashes of grey pictures (N, 32, 32), as uint64 (N,)."""
    parts = [_phash(grey[n : n + CHUNK]) for n in range(0, len(grey), CHUNK)]
    return np.concatenate(parts) if parts else np.empty(0, np.uint64)


def as_text(codes: np.ndarray) -> list[str]:
    """16 hex digits each."""
    return [f"{code:016x}" for code in codes.tolist()]


def _phash(grey: np.ndarray) -> np.ndarray:
    low = dctn(grey, axes=(1, 2), norm="ortho")[:, :8, :8].reshape(len(grey), 64)
    bits = low > np.median(low, axis=1, keepdims=True)
    return np.packbits(bits, axis=1).view(">u8").astype(np.uint64)[:, 0]
