"""Sliding over a whole picture: pyramid, one pass per level, boxes, and one box for each thing.

Only numpy and Pillow: who computes the maps and who drops overlapping boxes comes in from outside.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from roadworthy.data import geometry
from roadworthy.data.transforms import normalise
from roadworthy.detection import pyramid
from roadworthy.detection.found import Found
from roadworthy.detection.offsets import decode
from roadworthy.models.outputs import to_probabilities
from roadworthy.params import Input, Search

# Pixels in one pass: bounds the memory, whatever the picture.
TILE = 500_000
# Side of the confidence map.
HEAT = 160
# Windows of a picture that go on to the overlap test.
CANDIDATES = 3000

# From a normalised picture (1, C, H, W) to logits (1, outputs, h, w) and offsets (1, 4, h, w).
Maps = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
# From boxes (N, 4), scores (N,) and the largest overlap to places that stay, the surest first.
Suppress = Callable[[np.ndarray, np.ndarray, float], np.ndarray]


@dataclass(frozen=True)
class Searcher:
    """How a converted network searches."""

    maps: Maps
    suppress: Suppress
    input: Input
    """The window."""
    settings: Search
    stride: tuple[int, int]
    """Pixels from one window to the next, down and across."""
    temperature: float = 1.0

    def find(self, picture: Image.Image) -> Found:
        """All boxes down to `settings.floor`, at most `settings.most`, the surest first."""
        plain = self.plain(picture)
        heat = _Heat(plain.size)
        boxes, scores = [], []
        for scale in pyramid.scales(plain.size, self.input, self.settings):
            windows, offsets, sure = self._level(plain, scale)
            heat.add(sure, scale, self.input, self.stride)
            likely = sure.ravel() >= self.settings.floor
            found = decode(offsets[likely], windows[likely])
            boxes.append(geometry.clip(found, plain.size))
            scores.append(sure.ravel()[likely])
        kept = self._kept(np.concatenate(boxes), np.concatenate(scores))
        return Found(*kept, heat.map, plain.size)

    def apart(self, picture: Image.Image) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Windows (N, 4) at or above the floor of which none overlap much, for mining.

        Returns:
            The windows in pixels of the picture, the scale at which each was met (N,), and its
            probability (N,), falling.
        """
        plain = self.plain(picture)
        windows, scales, scores = [], [], []
        for scale in pyramid.scales(plain.size, self.input, self.settings):
            every, _, sure = self._level(plain, scale)
            likely = sure.ravel() >= self.settings.floor
            windows.append(every[likely])
            scores.append(sure.ravel()[likely])
            scales.append(np.full(int(likely.sum()), scale))
        boxes, sure = np.concatenate(windows), np.concatenate(scores)
        kept = self.suppress(boxes, sure, self.settings.overlap)
        return boxes[kept], np.concatenate(scales)[kept], sure[kept]

    def plain(self, picture: Image.Image) -> Image.Image:
        """The picture in the mode that the network sees."""
        return picture.convert("L" if self.input.channels == 1 else "RGB")

    def _level(self, plain: Image.Image, scale: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Windows (N, 4) in pixels of the picture, offsets (N, 4), probabilities (down, across)."""
        pixels = pyramid.level(plain, scale, self.input, self.stride)
        corners = pyramid.corners(pixels, self.input, self.stride)
        down, across = pyramid.counts(pixels, self.input, self.stride)
        sure = np.empty((down, across), np.float32)
        offsets = np.empty((down, across, 4), np.float32)
        for (row, column), part in pyramid.tiles(pixels, self.input, self.stride, TILE):
            logits, ways = self.maps(normalise(part[None], self.input))
            high, wide = logits.shape[2:]
            place = np.s_[row : row + high, column : column + wide]
            flat = logits[0].reshape(len(logits[0]), -1).T.astype(np.float64)
            sure[place] = to_probabilities(flat, self.temperature)[:, -1].reshape(high, wide)
            offsets[place] = ways[0].transpose(1, 2, 0)
        windows = pyramid.windows(corners, self.input) / scale
        return windows.astype(np.float32), offsets.reshape(-1, 4), sure

    def _kept(self, boxes: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        order = np.argsort(-scores, kind="stable")[:CANDIDATES]
        boxes, scores = boxes[order], scores[order]
        solid = (boxes[:, 2:] - boxes[:, :2] >= 1).all(axis=1)
        boxes, scores = boxes[solid], scores[solid]
        kept = self.suppress(boxes, scores, self.settings.overlap)[: self.settings.most]
        return boxes[kept], scores[kept]


class _Heat:
    """The largest probability of windows about each place of a coarse grid."""

    def __init__(self, size: tuple[int, int]) -> None:
        self.share = min(1.0, HEAT / max(size))
        self.width, self.height = (max(1, int(side * self.share)) for side in size)
        self.map = np.zeros((self.height, self.width), np.float32)

    def add(self, sure: np.ndarray, scale: float, window: Input, stride: tuple[int, int]) -> None:
        """One level: each place takes the window whose centre is nearest, if it is no stride away."""
        rows, high = self._nearest(self.height, scale, window.height, stride[0], sure.shape[0])
        columns, wide = self._nearest(self.width, scale, window.width, stride[1], sure.shape[1])
        seen = np.where(high[:, None] & wide[None], sure[rows][:, columns], 0)
        np.maximum(self.map, seen, out=self.map)

    def _nearest(
        self, side: int, scale: float, window: int, stride: int, count: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Number of the nearest window for each place of a side, and whether it is near."""
        number = ((np.arange(side) + 0.5) / self.share * scale - window / 2) / stride
        nearest = np.clip(np.rint(number), 0, count - 1).astype(np.int64)
        return nearest, np.abs(number - nearest) < 1
