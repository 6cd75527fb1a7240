"""Boxes in pictures: left, top, right, bottom in pixels, (N, 4)."""

import numpy as np


def clip(boxes: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Boxes cut off at the edges of a picture of `size` (width, height)."""
    return np.asarray(np.clip(boxes, 0, np.array([*size, *size], np.float32)))


def overlaps(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Intersection over union, float32 (N, M), of boxes (N, 4) and (M, 4); 0 where one has no area."""
    corner = np.maximum(one[:, None, :2], other[None, :, :2])
    shared = np.clip(np.minimum(one[:, None, 2:], other[None, :, 2:]) - corner, 0, None).prod(2)
    total = _areas(one)[:, None] + _areas(other)[None] - shared
    return np.asarray(np.divide(shared, total, out=np.zeros_like(shared), where=total > 0))


def absolute(relative: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Boxes in pixels of relative ones (centre x, centre y, width, height), (N, 4)."""
    centre, half = relative[:, :2], relative[:, 2:] / 2
    corners = np.concatenate([centre - half, centre + half], axis=1)
    return clip((corners * np.array([*size, *size])).astype(np.float32), size)


def _areas(boxes: np.ndarray) -> np.ndarray:
    return np.asarray((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))
