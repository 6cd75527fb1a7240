"""How well a search finds cars in whole scenes, with intervals by resampling the scenes."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from PIL import Image

from roadworthy.errors import DataError
from roadworthy.evaluation.bootstrap import Bootstrap, Estimate
from roadworthy.evaluation.detections import (
    MATCH_IOU,
    Detections,
    Ranking,
    Steps,
    curve,
    match,
    rank,
)

# Overlaps over which COCO's mean average precision is taken, and detections per scene it looks at.
COCO_IOUS = np.linspace(0.5, 0.95, 10).round(2)
COCO_MOST = 100
# COCO's sizes, by area in pixels (Lin et al. 2014): a car of 100 x 40 is medium.
SIZES = {"small": (0, 32**2), "medium": (32**2, 96**2), "large": (96**2, np.inf)}
# Figures that there are without any car.
WITHOUT_CARS = ("false_alarms",)


@dataclass(frozen=True)
class Scenes:
    """A search measured on scenes that it has not seen."""

    images: int
    with_cars: int
    """Scenes with a true box; the others count for false alarms."""
    cars: int
    """True boxes."""
    threshold: float
    """Score from which a box counts as found."""
    figures: dict[str, Estimate]
    """`average_precision` (area under the precision-recall curve), `equal_error`; at the threshold
    `precision`, `recall`, `f1`, `false_alarms` (per image); COCO's `map` and `map50`. Without a
    true box only `false_alarms`."""
    curve: pd.DataFrame
    """Columns threshold (falling), precision, recall, f1, false_alarms; a row per score."""
    sizes: pd.DataFrame
    """Columns size (of a box by its area, COCO's), cars, recall, low, high, false_alarms (per image
    of that size); at the threshold."""
    pictures: Mapping[str, Image.Image] = field(default_factory=dict)
    """Sheets by name: `scenes` (the same in every run), `misses`, `false_alarms`."""


def measure(detections: Detections, threshold: float, bootstrap: Bootstrap | None = None) -> Scenes:
    """Every figure with its interval; scenes are drawn whole.

    Args:
        detections: on test scenes, also those far below the threshold.
        threshold: chosen on validation.

    Raises:
        DataError: there are no scenes.
    """
    if not len(detections):
        raise DataError("there are no test scenes: a search cannot be measured")
    bootstrap = bootstrap or Bootstrap()
    ranking, cars = rank(detections), detections.cars
    return Scenes(
        images=len(detections),
        with_cars=int((cars > 0).sum()),
        cars=int(cars.sum()),
        threshold=threshold,
        figures=_figures(detections, ranking, threshold, bootstrap),
        curve=curve(ranking.steps()),
        sizes=by_size(detections, threshold, bootstrap),
    )


def coco(detections: Detections) -> dict[str, float]:
    """COCO's `map` (mean over overlaps of 0.5 to 0.95) and `map50`, by torchmetrics.

    0 where there is no true box. Of a scene the 100 surest boxes count.
    """
    import torch
    from torchmetrics.detection import MeanAveragePrecision

    def told(boxes: np.ndarray, **more: torch.Tensor) -> dict[str, torch.Tensor]:
        labels = torch.zeros(len(boxes), dtype=torch.int64)
        return {"boxes": torch.from_numpy(np.array(boxes, np.float64)), "labels": labels, **more}

    metric = MeanAveragePrecision(backend="pycocotools")
    metric.warn_on_many_detections = False
    metric.update(
        [
            told(boxes, scores=torch.from_numpy(np.array(scores, np.float64)))
            for boxes, scores in zip(detections.boxes, detections.scores, strict=True)
        ],
        [told(truth) for truth in detections.truths],
    )
    found = metric.compute()
    return {"map": max(float(found["map"]), 0.0), "map50": max(float(found["map_50"]), 0.0)}


def by_size(detections: Detections, threshold: float, bootstrap: Bootstrap) -> pd.DataFrame:
    """Recall and false alarms of small, medium and large boxes; see `Scenes.sizes`.

    A size without a true box has no recall: NaN in the table.
    """
    true, hit, alarm = (np.stack(t) for t in zip(*_by_size(detections, threshold), strict=True))

    def recalls(places: np.ndarray) -> np.ndarray:
        cars = true[places].sum(axis=0)
        return np.where(cars > 0, hit[places].sum(axis=0) / np.maximum(cars, 1), np.nan)

    resampled = bootstrap.resample(recalls, np.arange(len(detections)))
    rows = []
    for place, size in enumerate(SIZES):
        evidence = int((true[:, place] > 0).sum())
        one = resampled.estimate(place, bootstrap.confidence, evidence=evidence)
        alarms = float(alarm[:, place].mean())
        rows.append((size, int(true[:, place].sum()), one.value, one.low, one.high, alarms))
    return pd.DataFrame(rows, columns=["size", "cars", "recall", "low", "high", "false_alarms"])


def _figures(
    detections: Detections, ranking: Ranking, threshold: float, bootstrap: Bootstrap
) -> dict[str, Estimate]:
    strongest = detections.strongest(COCO_MOST)
    rankings = [rank(strongest, iou) for iou in COCO_IOUS]

    def values(places: np.ndarray) -> list[float]:
        steps = ranking.steps(places)
        found = _values(steps, threshold)
        areas = [one.steps(places).area_at_101() for one in rankings]
        found |= {"map": float(np.mean(areas)), "map50": areas[0]}
        # A resample without a car does not tell how many are found.
        return [v if steps.cars or n in WITHOUT_CARS else np.nan for n, v in found.items()]

    names = [*_values(ranking.steps(), threshold), "map", "map50"]
    resampled = bootstrap.resample(values, np.arange(len(detections)))
    own = {
        name: resampled.estimate(
            place, bootstrap.confidence, evidence=_evidence(name, detections, threshold)
        )
        for place, name in enumerate(names)
        if np.isfinite(resampled.observed[place])
    }
    theirs = coco(detections) if "map" in own else {}
    return own | {name: _moved(own[name], value) for name, value in theirs.items()}


def _values(steps: Steps, threshold: float) -> dict[str, float]:
    areas = {"average_precision": steps.area(), "equal_error": steps.equal_error()}
    return areas | steps.at(threshold)


def _evidence(name: str, detections: Detections, threshold: float) -> int:
    """Scenes that a figure rests on."""
    if name in WITHOUT_CARS:
        return len(detections)
    if name == "precision":
        return sum(bool((score >= threshold).any()) for score in detections.scores)
    return int((detections.cars > 0).sum())


def _moved(one: Estimate, value: float) -> Estimate:
    """The same interval about torchmetrics' value, which breaks ties by order."""
    return Estimate(value, min(one.low, value), max(one.high, value))


def _by_size(
    detections: Detections, threshold: float
) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """True boxes, those found, and false alarms, each by size (3,), per scene."""
    found = []
    owners = match(detections, MATCH_IOU)
    scenes = zip(detections.truths, detections.boxes, detections.scores, owners, strict=True)
    for truth, boxes, scores, owner in scenes:
        kept = scores >= threshold
        hit = truth[owner[kept & (owner >= 0)]]
        found.append((_sizes(truth), _sizes(hit), _sizes(boxes[kept & (owner < 0)])))
    return found


def _sizes(boxes: np.ndarray) -> np.ndarray:
    """How many boxes are of each size."""
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    counts = [((area >= low) & (area < high)).sum() for low, high in SIZES.values()]
    return np.array(counts, np.int64)
