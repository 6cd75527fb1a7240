"""A trained network's search of whole scenes: its threshold, its figures, and pictures of both."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from roadworthy.bundle.finder import Finder
from roadworthy.data import images
from roadworthy.detection.found import Found
from roadworthy.evaluation import scenes as measured
from roadworthy.evaluation.bootstrap import Bootstrap
from roadworthy.evaluation.detections import Detections, choose_threshold
from roadworthy.evaluation.scenes import Scenes
from roadworthy.evaluation.sheets import sheets
from roadworthy.params import TaskPlan
from roadworthy.pipeline.scenes import listed
from roadworthy.progress import bar


def threshold(plan: TaskPlan, bundle: Path) -> float | None:
    """The score from which a box counts, fitted on validation scenes; None where nothing is searched."""
    found = _find(plan, bundle, "val")
    return None if found is None else choose_threshold(found[1])


def scenes(plan: TaskPlan, bundle: Path, cut: float | None, resampled: Bootstrap) -> Scenes | None:
    """The search measured on test scenes; None where nothing is searched.

    Args:
        bundle: of the network.
        cut: the threshold.
    """
    found = _find(plan, bundle, "test")
    if found is None or cut is None:
        return None
    paths, detections, every = found

    def look(place: int) -> tuple[Image.Image, np.ndarray | None]:
        return images.open_image(Path(paths[place])), every[place].heat

    seen = measured.measure(detections, cut, resampled)
    return replace(seen, pictures=sheets(paths, detections, cut, look))


def _find(
    plan: TaskPlan, bundle: Path, split: str
) -> tuple[list[str], Detections, list[Found]] | None:
    """Paths, boxes against the truth, and all that was found in the scenes of a split."""
    chosen = listed(plan, split)
    if chosen is None:
        return None
    finder = Finder(bundle)
    paths, truths, found = [], [], []
    with bar(f"evaluate {plan.name}: {split} scenes") as progress:
        for number, (path, scene) in enumerate(chosen, 1):
            paths.append(path)
            truths.append(scene.boxes)
            found.append(finder.find(scene.picture))
            progress(number, len(chosen))
    boxes, scores = [one.boxes for one in found], [one.scores for one in found]
    return paths, Detections(truths, boxes, scores), found
