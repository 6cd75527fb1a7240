"""Windows cut from scenes to learn from: around known boxes, and false alarms."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

from roadworthy.data import geometry
from roadworthy.detection import pyramid
from roadworthy.detection.offsets import decode, encode
from roadworthy.detection.search import Searcher
from roadworthy.params import Input, Search

# A window is about a box that it shows this well (intersection over union), once moved to where such
# boxes usually are in their windows.
ABOUT = 0.6
# Windows about one box.
MOST = 24
# Boxes that are needed to say where they usually are.
FEW = 5
Size = tuple[int, int]
# Offsets to a box and overlaps with it of windows that are near, and the pixels of one of them.
_Near = tuple[np.ndarray, np.ndarray, Callable[[int], np.ndarray]]


@dataclass(frozen=True)
class Windows:
    """Windows with what is known of them."""

    pixels: np.ndarray
    """Uint8 (N, h, w, C) of window size."""
    offsets: np.ndarray
    """From each window to its box, see `offsets.encode`, float32 (N, 4)."""


@dataclass(frozen=True)
class Scene:
    """A picture and the boxes (M, 4) in it, in pixels."""

    picture: Image.Image
    boxes: np.ndarray


def around(scenes: Iterable[Scene], spec: Input, settings: Search, stride: Size) -> Windows:
    """Windows that show a known box about as a detector will meet it.

    Args:
        scenes: read twice, one at a time.
    """
    best = [ways[shared.argmax()] for ways, shared, _ in _near(scenes, spec, settings, stride)]
    if len(best) < FEW:
        return _empty(spec)
    usual = np.median(np.stack(best), axis=0, keepdims=True)
    pixels, offsets = [], []
    for ways, _, cut in _near(scenes, spec, settings, stride):
        fit = _fit(ways, usual)
        kept = np.argsort(-fit, kind="stable")[:MOST]
        kept = kept[fit[kept] >= ABOUT]
        pixels += [cut(number) for number in kept]
        offsets.append(ways[kept])
    if not pixels:
        return _empty(spec)
    return Windows(np.stack(pixels), np.concatenate(offsets))


def false_alarms(searcher: Searcher, pictures: Iterable[Image.Image], most: int) -> np.ndarray:
    """The surest windows of pictures without a thing, uint8 (N, h, w, C), of those that overlap one."""
    found: list[tuple[float, np.ndarray]] = []
    for picture in pictures:
        windows, scales, sure = searcher.apart(picture)
        best = slice(most)
        cut = _cut(searcher, picture, windows[best], scales[best])
        found += zip(map(float, sure[best]), cut, strict=True)
        found = sorted(found, key=lambda one: -one[0])[:most]
    return np.stack([pixels for _, pixels in found]) if found else _empty(searcher.input).pixels


def _cut(
    searcher: Searcher, picture: Image.Image, windows: np.ndarray, scales: np.ndarray
) -> list[np.ndarray]:
    """Pixels (h, w, C) of each window at its scale."""
    spec, plain = searcher.input, searcher.plain(picture)
    found: dict[int, np.ndarray] = {}
    for scale in dict.fromkeys(scales.tolist()):
        pixels = pyramid.level(plain, scale, spec, searcher.stride)
        for number in np.flatnonzero(scales == scale).tolist():
            left, top = np.rint(windows[number, :2].astype(np.float64) * scale).astype(int)
            found[number] = pixels[top : top + spec.height, left : left + spec.width].copy()
    return [found[number] for number in range(len(windows))]


def _near(scenes: Iterable[Scene], spec: Input, settings: Search, stride: Size) -> Iterator[_Near]:
    """What is near each known box, picture by picture."""
    for scene in scenes:
        plain = scene.picture.convert("L" if spec.channels == 1 else "RGB")
        found: dict[int, list[_Met]] = {}
        for scale in pyramid.scales(plain.size, spec, settings):
            pixels = pyramid.level(plain, scale, spec, stride)
            corners = pyramid.corners(pixels, spec, stride)
            windows = (pyramid.windows(corners, spec) / scale).astype(np.float32)
            shared = geometry.overlaps(windows, scene.boxes)
            for number, box in enumerate(scene.boxes):
                near = np.flatnonzero(shared[:, number] >= ABOUT / 2)
                if len(near):
                    ways = encode(box[None], windows[near])
                    met = _Met(ways, shared[near, number], pixels, corners[near])
                    found.setdefault(number, []).append(met)
        for parts in found.values():
            yield _joined(parts, spec)


@dataclass(frozen=True)
class _Met:
    """Windows of one level that are near a box."""

    offsets: np.ndarray
    shared: np.ndarray
    pixels: np.ndarray
    corners: np.ndarray


def _joined(parts: list[_Met], spec: Input) -> _Near:
    def cut(number: int) -> np.ndarray:
        for part in parts:
            if number < len(part.corners):
                left, top = part.corners[number]
                return part.pixels[top : top + spec.height, left : left + spec.width].copy()
            number -= len(part.corners)
        raise IndexError(number)

    offsets, shared = (
        np.concatenate([getattr(p, n) for p in parts]) for n in ("offsets", "shared")
    )
    return offsets, shared, cut


def _fit(offsets: np.ndarray, usual: np.ndarray) -> np.ndarray:
    """Overlap of boxes at `offsets` with one at the usual offset, all from the same window, (N,)."""
    window = np.array([[0, 0, 1, 1]], np.float32)
    boxes = decode(offsets, np.repeat(window, len(offsets), axis=0))
    return geometry.overlaps(boxes, decode(usual, window))[:, 0]


def _empty(spec: Input) -> Windows:
    shape = (0, spec.height, spec.width, spec.channels)
    return Windows(np.empty(shape, np.uint8), np.empty((0, 4), np.float32))
