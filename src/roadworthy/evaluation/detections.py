"""Boxes against the truth: matched once per scene, then cut and resampled by counting alone.

A detection hits where it covers a true box that no surer one has taken, at an intersection over
union of 0.5 or more; a second detection of one box is a false alarm (Agarwal, Awan and Roth 2004;
Everingham et al. 2010).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from roadworthy.data import geometry
from roadworthy.errors import DataError

MATCH_IOU = 0.5
# Where nothing tells a better threshold.
HALF = 0.5


@dataclass(frozen=True)
class Detections:
    """What is in some scenes, and what was found there; an entry per scene.

    Raises:
        DataError: the three are not of one length, or a scene's arrays do not fit together.
    """

    truths: Sequence[np.ndarray]
    """Left, top, right, bottom in pixels, (M, 4) each."""
    boxes: Sequence[np.ndarray]
    """The same of what was found, (N, 4) each."""
    scores: Sequence[np.ndarray]
    """How sure each is, 0 to 1, (N,) each."""

    def __post_init__(self) -> None:
        if not len(self.truths) == len(self.boxes) == len(self.scores):
            raise DataError(
                f"detections need truths, boxes and scores of the same scenes: got "
                f"{len(self.truths)}, {len(self.boxes)} and {len(self.scores)}"
            )
        for place, scene in enumerate(zip(self.truths, self.boxes, self.scores, strict=True)):
            _check(place, *scene)

    def __len__(self) -> int:
        return len(self.truths)

    @property
    def cars(self) -> np.ndarray:
        """True boxes per scene, int64 (S,)."""
        return np.array([len(truth) for truth in self.truths], np.int64)

    def strongest(self, count: int) -> "Detections":
        """The `count` surest of each scene."""
        kept = [np.argsort(-score, kind="stable")[:count] for score in self.scores]
        boxes = [box[place] for box, place in zip(self.boxes, kept, strict=True)]
        scores = [score[place] for score, place in zip(self.scores, kept, strict=True)]
        return Detections(self.truths, boxes, scores)


@dataclass(frozen=True)
class Steps:
    """Hits and false alarms of all detections at least so sure, for every score that occurs."""

    thresholds: np.ndarray
    """Falling, (T,)."""
    hits: np.ndarray
    alarms: np.ndarray
    cars: float
    """True boxes."""
    images: float

    @property
    def precision(self) -> np.ndarray:
        """Share of hits in what was found; 0 of nothing."""
        return np.asarray(self.hits / np.maximum(self.hits + self.alarms, 1))

    @property
    def recall(self) -> np.ndarray:
        """Share of the true boxes that were found; 0 where there are none."""
        return np.asarray(self.hits / max(self.cars, 1))

    @property
    def f1(self) -> np.ndarray:
        """Harmonic mean of the two; 0 without a hit."""
        return np.asarray(2 * self.hits / np.maximum(self.hits + self.alarms + self.cars, 1))

    def area(self) -> float:
        """Under the precision-recall curve, 0 to 1; 0 where there is nothing to find.

        The exact area ("all points") under the curve that takes for each recall the best precision
        at that recall or more (Pascal VOC from 2010 on; Everingham et al. 2015).
        """
        return float(np.diff(self.recall, prepend=0.0) @ _envelope(self.precision))

    def area_at_101(self) -> float:
        """COCO's own area: the mean of the same curve at recall 0, 0.01 ... 1 (Lin et al. 2014)."""
        places = np.searchsorted(self.recall, np.linspace(0, 1, 101), side="left")
        return float(np.append(_envelope(self.precision), 0.0)[places].mean())

    def equal_error(self) -> float:
        """Recall where precision equals it (Agarwal, Awan and Roth 2004), 0 to 1.

        The two are equal when as many boxes are found as there are true ones. Between two thresholds
        it is interpolated; where fewer are found at any threshold, it is the recall of all of them.
        """
        found = np.concatenate([[0.0], self.hits + self.alarms])
        hits = np.interp(self.cars, found, np.concatenate([[0.0], self.hits]))
        return float(hits / max(self.cars, 1))

    def at(self, threshold: float) -> dict[str, float]:
        """Precision (1 where nothing is found, which is nothing false), recall, f1, false_alarms."""
        kept = int(np.count_nonzero(self.thresholds >= float(threshold)))
        if not kept or not self.hits[kept - 1] + self.alarms[kept - 1]:
            return {"precision": 1.0, "recall": 0.0, "f1": 0.0, "false_alarms": 0.0}
        last = kept - 1
        return {
            "precision": float(self.precision[last]),
            "recall": float(self.recall[last]),
            "f1": float(self.f1[last]),
            "false_alarms": float(self.alarms[last] / self.images),
        }


@dataclass(frozen=True)
class Ranking:
    """Detections of all scenes in one row, the surest first, each a hit or a false alarm."""

    scores: np.ndarray
    """Falling, (K,)."""
    hits: np.ndarray
    """Bool (K,)."""
    scenes: np.ndarray
    """In which scene each was found, int64 (K,)."""
    cars: np.ndarray
    """True boxes per scene, int64 (S,)."""

    @cached_property
    def _ends(self) -> np.ndarray:
        """The last of each score: detections that are equally sure are taken or left together."""
        return np.flatnonzero(np.append(np.diff(self.scores) < 0, True)[: len(self.scores)])

    def steps(self, places: np.ndarray | None = None) -> Steps:
        """Counted over all thresholds.

        Args:
            places: of scenes, repeated as often as they were drawn; None is each once.
        """
        count = len(self.cars)
        drawn = np.ones(count) if places is None else np.bincount(places, minlength=count)
        each = drawn[self.scenes].astype(np.float64)
        hits = np.cumsum(each * self.hits)[self._ends]
        found = np.cumsum(each)[self._ends]
        cars, images = float(drawn @ self.cars), float(drawn.sum())
        return Steps(self.scores[self._ends], hits, found - hits, cars, images)


def rank(detections: Detections, iou: float = MATCH_IOU) -> Ranking:
    """Match all scenes, and put their detections in one row.

    Args:
        iou: intersection over union from which a detection hits, above 0.
    """
    owners = match(detections, iou)
    # In their own precision: 0.7 as a threshold must take the score that is 0.7 in single.
    scores = np.concatenate([np.empty(0, np.float32), *detections.scores])
    scenes = np.repeat(np.arange(len(detections)), [len(score) for score in detections.scores])
    order = np.argsort(-scores, kind="stable")
    hits = np.concatenate([np.empty(0, np.int64), *owners]) >= 0
    return Ranking(scores[order], hits[order], scenes[order], detections.cars)


def match(detections: Detections, iou: float = MATCH_IOU) -> list[np.ndarray]:
    """For each detection the true box that it hits, -1 for a false alarm; int64 (N,) per scene.

    The surest goes first, and takes the box it covers best among those still free (as COCO does).
    What is surer does not depend on what is less sure, so one matching serves all thresholds.
    """
    pairs = zip(detections.truths, detections.boxes, detections.scores, strict=True)
    return [_owners(_overlaps(boxes, truth), score, iou) for truth, boxes, score in pairs]


def choose_threshold(detections: Detections) -> float:
    """The score with the best F1, in the middle between it and the next lower one.

    Of equals the highest. 0.5 where there is nothing to hit, or nothing was hit.

    Args:
        detections: on validation scenes, also weak ones.
    """
    steps = rank(detections).steps()
    if not len(steps.thresholds) or not steps.hits[-1]:
        return HALF
    best = int(np.argmax(steps.f1))
    last = best + 1 == len(steps.thresholds)
    high = float(steps.thresholds[best])
    low = 0.0 if last else float(steps.thresholds[best + 1])
    middle = (high + low) / 2
    # Scores are single precision: where no number of theirs lies between, the score itself.
    return float(middle if low < np.float32(middle) <= high else high)


def curve(steps: Steps) -> pd.DataFrame:
    """Columns threshold (falling), precision, recall, f1, false_alarms (per image)."""
    columns = {
        "threshold": steps.thresholds.astype(np.float64),
        "precision": steps.precision,
        "recall": steps.recall,
        "f1": steps.f1,
        "false_alarms": steps.alarms / max(steps.images, 1),
    }
    return pd.DataFrame(columns)


def truths(scenes: pd.DataFrame, boxes: pd.DataFrame) -> list[np.ndarray]:
    """True boxes of scenes in pixels: left, top, right, bottom, float32 (M, 4), one array per row.

    Args:
        scenes: columns path, width, height (pixels).
        boxes: columns path, x, y (centre), w, h, relative to the scene, 0 to 1.
    """
    groups = {path: part[["x", "y", "w", "h"]] for path, part in boxes.groupby("path", sort=False)}
    none = pd.DataFrame(columns=["x", "y", "w", "h"])
    found = []
    for path, width, height in scenes[["path", "width", "height"]].itertuples(index=False):
        relative = groups.get(path, none).to_numpy(np.float64)
        found.append(geometry.absolute(relative, (width, height)))
    return found


def _overlaps(boxes: np.ndarray, truths: np.ndarray) -> np.ndarray:
    """In double precision: at the limit itself, single decides by its rounding."""
    return geometry.overlaps(np.asarray(boxes, np.float64), np.asarray(truths, np.float64))


def _owners(overlaps: np.ndarray, scores: np.ndarray, iou: float) -> np.ndarray:
    owners = np.full(len(scores), -1, np.int64)
    free = overlaps.copy()
    for place in np.argsort(-scores, kind="stable") if overlaps.shape[1] else ():
        best = int(free[place].argmax())
        if free[place, best] >= iou:
            owners[place] = best
            free[:, best] = -1
    return owners


def _envelope(precision: np.ndarray) -> np.ndarray:
    return np.asarray(np.maximum.accumulate(precision[::-1])[::-1])


def _check(place: int, truth: np.ndarray, boxes: np.ndarray, scores: np.ndarray) -> None:
    fits = truth.shape[1:] == boxes.shape[1:] == (4,) and scores.shape == (len(boxes),)
    if not fits:
        raise DataError(
            f"scene {place}: truths are (M, 4), boxes (N, 4) and scores (N,): "
            f"got {truth.shape}, {boxes.shape} and {scores.shape}"
        )
    if not all(np.isfinite(part).all() for part in (truth, boxes, scores)):
        raise DataError(f"scene {place}: a box or a score is no number")
