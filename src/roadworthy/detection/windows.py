"""Windows cut from scenes to learn from: around known boxes, and false alarms."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

from roadworthy.detection import geometry, pyramid
from roadworthy.detection.search import Searcher
from roadworthy.params import Input, Search

# A window is about a box that it shows this well (intersection over union), once moved to where such
# boxes usually are in their windows.
ABOUT = 0.6
# Windows about one box.
MOST = 24
# Boxes that are needed to say where they usually are.
FEW = 5


@dataclass(frozen=True)
class Windows:
    """Windows with what is known of them."""

    pixels: np.ndarray
    """Uint8 (N, h, w, C) of window size."""
    offsets: np.ndarray
    """From each window to its box, see `geometry.encode`, float32 (N, 4)."""


@dataclass(frozen=True)
class Scene:
    """A picture and the boxes (M, 4) in it, in pixels."""

    picture: Image.Image
    boxes: np.ndarray


def around(
    scenes: Iterable[Scene], spec: Input, settings: Search, stride: tuple[int, int]
) -> Windows:
    """Windows that show a known box about as a detector will meet it."""
    all_windows = list(_near(scenes, spec, settings, stride))
    best = [offsets[shared.argmax()] for _, offsets, shared in all_windows]
    if len(best) < FEW:
        return _empty(spec)
    usual = np.median(np.stack(best), axis=0, keepdims=True)
    pixels, offsets = [], []
    for cut, ways, _ in all_windows:
        fit = _fit(ways, usual)
        kept = np.argsort(-fit, kind="stable")[:MOST]
        kept = kept[fit[kept] >= ABOUT]
        pixels.append(cut[kept])
        offsets.append(ways[kept])
    return Windows(np.concatenate(pixels), np.concatenate(offsets))


def false_alarms(searcher: Searcher, pictures: Iterable[Image.Image], most: int) -> np.ndarray:
    """The surest windows of pictures without a thing, uint8 (N, h, w, C), of those that overlap one."""
    found, scores = [], []
    for picture in pictures:
        parts = list(searcher.windows(picture))
        boxes, cut, sure = (np.concatenate(column) for column in zip(*parts, strict=True))
        kept = searcher.suppress(boxes, sure, searcher.settings.overlap)
        found.append(cut[kept])
        scores.append(sure[kept])
    if not found:
        return _empty(searcher.input).pixels
    order = np.argsort(-np.concatenate(scores), kind="stable")[:most]
    return np.concatenate(found)[order]


def _near(
    scenes: Iterable[Scene], spec: Input, settings: Search, stride: tuple[int, int]
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Per known box: pixels, offsets and overlap of windows that meet it at all closely."""
    for scene in scenes:
        plain = scene.picture.convert("L" if spec.channels == 1 else "RGB")
        found: dict[int, list[tuple[np.ndarray, np.ndarray, np.ndarray]]] = {}
        for scale in pyramid.scales(plain.size, spec, settings):
            pixels = pyramid.level(plain, scale, spec, stride)
            corners = pyramid.corners(pixels, spec, stride)
            windows = pyramid.windows(corners, spec) / scale
            shared = geometry.overlaps(windows.astype(np.float32), scene.boxes)
            for number, box in enumerate(scene.boxes):
                near = np.flatnonzero(shared[:, number] >= ABOUT / 2)
                if len(near):
                    cut = np.stack(
                        [pixels[y : y + spec.height, x : x + spec.width] for x, y in corners[near]]
                    )
                    ways = geometry.encode(box[None], windows[near])
                    found.setdefault(number, []).append((cut, ways, shared[near, number]))
        for parts in found.values():
            cut, ways, overlap = (np.concatenate(column) for column in zip(*parts, strict=True))
            yield cut, ways, overlap


def _fit(offsets: np.ndarray, usual: np.ndarray) -> np.ndarray:
    """Overlap of boxes at `offsets` with one at the usual offset, all from the same window, (N,)."""
    window = np.array([[0, 0, 1, 1]], np.float32)
    boxes = geometry.decode(offsets, np.repeat(window, len(offsets), axis=0))
    return geometry.overlaps(boxes, geometry.decode(usual, window))[:, 0]


def _empty(spec: Input) -> Windows:
    shape = (0, spec.height, spec.width, spec.channels)
    return Windows(np.empty(shape, np.uint8), np.empty((0, 4), np.float32))
