"""Sliding over a whole picture: pyramid, one pass per level, boxes, and one box for each thing.

Only numpy and Pillow: who computes the maps and who drops overlapping boxes comes in from outside.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

from roadworthy.data.transforms import normalise
from roadworthy.detection import geometry, pyramid
from roadworthy.detection.found import Found
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
        plain = picture.convert("L" if self.input.channels == 1 else "RGB")
        heat = _Heat(plain.size)
        boxes, scores = [], []
        for scale in pyramid.scales(plain.size, self.input, self.settings):
            windows, offsets, sure = self._level(plain, scale)
            heat.add(windows, sure)
            likely = sure >= self.settings.floor
            found = geometry.decode(offsets[likely], windows[likely])
            boxes.append(geometry.clip(found, plain.size))
            scores.append(sure[likely])
        kept = self._kept(np.concatenate(boxes), np.concatenate(scores))
        return Found(*kept, heat.smooth(), plain.size)

    def windows(self, picture: Image.Image) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Of each level: windows (N, 4) in pixels of the picture, their pixels (N, h, w, C), probabilities.

        For mining: only windows at or above the floor.
        """
        plain = picture.convert("L" if self.input.channels == 1 else "RGB")
        for scale in pyramid.scales(plain.size, self.input, self.settings):
            pixels = pyramid.level(plain, scale, self.input, self.stride)
            windows, _, sure = self._ask(pixels, scale)
            likely = np.flatnonzero(sure >= self.settings.floor)
            corners = np.rint(windows[likely, :2] * scale).astype(int)
            cut = [
                pixels[top : top + self.input.height, left : left + self.input.width]
                for left, top in corners
            ]
            shape = (0, self.input.height, self.input.width, self.input.channels)
            yield windows[likely], np.stack(cut) if cut else np.empty(shape, np.uint8), sure[likely]

    def _level(self, plain: Image.Image, scale: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self._ask(pyramid.level(plain, scale, self.input, self.stride), scale)

    def _ask(self, pixels: np.ndarray, scale: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Windows (N, 4) in pixels of the picture, offsets (N, 4), probabilities (N,)."""
        found = []
        for (first, start), part in pyramid.tiles(pixels, self.input, self.stride, TILE):
            logits, offsets = self.maps(normalise(part[None], self.input))
            down, across = logits.shape[2:]
            top = (first + np.arange(down)) * self.stride[0]
            left = (start + np.arange(across)) * self.stride[1]
            corner = np.stack(np.meshgrid(left, top), axis=2).reshape(-1, 2)
            windows = pyramid.windows(corner, self.input) / scale
            flat = logits[0].reshape(len(logits[0]), -1).T.astype(np.float64)
            sure = to_probabilities(flat, self.temperature)[:, -1]
            found.append((windows, offsets[0].reshape(4, -1).T, sure))
        windows, offsets, sure = (np.concatenate(parts) for parts in zip(*found, strict=True))
        return windows.astype(np.float32), offsets, sure.astype(np.float32)

    def _kept(self, boxes: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        order = np.argsort(-scores, kind="stable")[:CANDIDATES]
        boxes, scores = boxes[order], scores[order]
        solid = (boxes[:, 2:] - boxes[:, :2] >= 1).all(axis=1)
        boxes, scores = boxes[solid], scores[solid]
        kept = self.suppress(boxes, scores, self.settings.overlap)[: self.settings.most]
        return boxes[kept], scores[kept]


class _Heat:
    """The largest probability of windows centred in each place of a coarse grid."""

    def __init__(self, size: tuple[int, int]) -> None:
        self.share = min(1.0, HEAT / max(size))
        self.width, self.height = (max(1, int(side * self.share)) for side in size)
        self.map = np.zeros((self.height, self.width), np.float32)

    def add(self, windows: np.ndarray, sure: np.ndarray) -> None:
        """Windows of one level, each as a spot as large as the way to the next one."""
        centre = (windows[:, :2] + windows[:, 2:]) / 2 * self.share
        column = np.clip(centre[:, 0].astype(int), 0, self.width - 1)
        row = np.clip(centre[:, 1].astype(int), 0, self.height - 1)
        np.maximum.at(self.map, (row, column), sure)

    def smooth(self) -> np.ndarray:
        """The map with the gaps between windows closed."""
        from PIL import ImageFilter

        image = Image.fromarray((self.map * 255).astype(np.uint8))
        return np.asarray(image.filter(ImageFilter.MaxFilter(5)), np.float32) / 255
