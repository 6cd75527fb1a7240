"""Whole scenes in the gate: both models search the same ones now, and may not find fewer cars."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from roadworthy.detection.found import Found
from roadworthy.errors import BundleError, DataError
from roadworthy.evaluation.bootstrap import Bootstrap, Estimate
from roadworthy.evaluation.detections import Detections, rank
from roadworthy.params import Promote
from roadworthy.progress import Report

if TYPE_CHECKING:
    from roadworthy.gate.evidence import Evidence

# Losses that differ by less are the same but for rounding.
EQUAL = 1e-9
TITLES = ("area under precision and recall", "equal-error rate")


@dataclass(frozen=True)
class SceneCourse:
    """The test scenes; an entry per scene in each.

    Raises:
        DataError: there are none, or the three are not of one length.
    """

    paths: Sequence[str]
    sha256: Sequence[str]
    truths: Sequence[np.ndarray]
    """True boxes: left, top, right, bottom in pixels, (M, 4) each."""

    def __post_init__(self) -> None:
        if not len(self.paths) == len(self.sha256) == len(self.truths) > 0:
            raise DataError(
                f"test scenes need a path, a SHA-256 and true boxes each, at least one: got "
                f"{len(self.paths)}, {len(self.sha256)} and {len(self.truths)}"
            )


def search(
    name: str,
    find: Callable[[bytes], Found],
    course: SceneCourse,
    read: Callable[[str, str], bytes],
    report: Report | None = None,
) -> Detections:
    """What a model finds in the test scenes.

    Args:
        name: of the model, for messages.
        find: looks through one picture; weak boxes count as well.
        read: gives the bytes of a path with that SHA-256, or raises.

    Raises:
        BundleError: the model gives no numbers.
        DataError: a scene cannot be used, or is not the one that was split.
    """
    boxes, scores = [], []
    for place, (path, sha256) in enumerate(zip(course.paths, course.sha256, strict=True)):
        content = read(path, sha256)
        try:
            found = find(content)
        except DataError as error:
            raise DataError(f"test image {path}: {error}") from None
        if not (np.isfinite(found.boxes).all() and np.isfinite(found.scores).all()):
            raise BundleError(f"{name} gives no number in {path}: it cannot be judged")
        boxes.append(found.boxes)
        scores.append(found.scores)
        if report:
            report(place + 1, len(course.paths))
    return Detections(course.truths, boxes, scores)


def table(evidence: "Evidence") -> pd.DataFrame:
    """Area and equal-error rate of both sides: columns figure and their names; empty without scenes."""
    sides = [side for side in (evidence.champion, evidence.challenger) if side is not None]
    if all(side.detections is None for side in sides):
        return pd.DataFrame()
    columns = {side.name: _figures(side.detections) for side in sides}
    titles = [f"{title}, {evidence.scenes} scenes" for title in TITLES]
    return pd.DataFrame({"figure": titles, **columns})


def change(old: Detections, new: Detections, bootstrap: Bootstrap) -> Estimate:
    """By how much the area has grown, with the interval of a paired bootstrap over the scenes.

    Raises:
        DataError: the two did not search the same scenes, or these have no car.
    """
    same = len(old) == len(new) and all(map(np.array_equal, old.truths, new.truths))
    if not same or not old.cars.sum():
        raise DataError("two searches are compared on the same scenes, with a car at least")
    before, after = rank(old), rank(new)

    def difference(places: np.ndarray) -> list[float]:
        steps = after.steps(places)
        return [steps.area() - before.steps(places).area() if steps.cars else np.nan]

    return bootstrap.resample(difference, np.arange(len(old))).estimate(0, bootstrap.confidence)


def judge(evidence: "Evidence", settings: Promote) -> tuple[bool | None, str, str, str] | None:
    """It finds as many cars in whole scenes as the champion, or as a first champion must.

    The observed loss is held against the limit, as for classes and slices, and not an end of its
    interval: with some dozens of scenes that reaches so far down that a challenger as good as the
    champion would be refused.
    """
    if not evidence.scenes:
        return None
    new, old = evidence.challenger.detections, evidence.champion
    if new is None:
        words = "The task has scenes, and the bundle does not search."
        return False, "cannot search", "a search", words
    words = f"Area under precision and recall in {len(new)} whole scenes."
    if not new.cars.sum():
        return None, "no car", "a car at least", "Test scenes without a car tell nothing."
    area = rank(new).steps().area()
    if old is None or old.detections is None:
        if old is not None:
            words += " The champion cannot search: there is nothing to compare with."
        least = settings.min_scenes
        return area >= least, f"{area:.4f}", f"at least {least:g}", words
    found = change(old.detections, new, Bootstrap(settings.bootstrap, settings.confidence))
    figure = f"{found.value:+.4f} [{found.low:+.4f} {found.high:+.4f}] (to {area:.4f})"
    passed = found.value >= -settings.max_scenes_drop - EQUAL
    return passed, figure, f"no loss over {settings.max_scenes_drop:g}", words


def _figures(detections: Detections | None) -> list[str]:
    """In the order of `TITLES`."""
    if detections is None:
        return ["cannot search"] * len(TITLES)
    steps = rank(detections).steps()
    return [f"{steps.area():.4f}", f"{steps.equal_error():.4f}"]
