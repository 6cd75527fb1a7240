"""Found boxes against boxes that people drew, where these lie with the pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from roadworthy import layout
from roadworthy.data import boxes
from roadworthy.data.images import open_image
from roadworthy.errors import DataError
from roadworthy.evaluation.bootstrap import Bootstrap
from roadworthy.evaluation.detections import Detections, truths
from roadworthy.evaluation.scenes import Scenes, measure
from roadworthy.evaluation.sheets import sheets
from roadworthy.scene.inspect import Scene
from roadworthy.scene.results import save_picture

SCORE = "score.json"
SHEETS = "score"
"""Folder of the sheets with hits and misses."""


def compare(folders: Sequence[Path], seen: Mapping[str, Scene], threshold: float) -> Scenes:
    """Measure a search on pictures with known boxes; a picture without a box has no car.

    Args:
        folders: that hold pictures and their boxes, see `data.boxes`.
        seen: by path, each picture as it was inspected.
        threshold: of the finder.

    Raises:
        DataError: there are no boxes.
    """
    return measure(_detections(folders, seen), threshold, Bootstrap())


def draw_score(
    folders: Sequence[Path], seen: Mapping[str, Scene], threshold: float
) -> dict[str, Image.Image]:
    """Sheets of hits, misses and false alarms, by name."""
    paths = list(seen)

    def look(place: int) -> tuple[Image.Image, np.ndarray | None]:
        return open_image(Path(paths[place])), seen[paths[place]].heat

    return sheets(paths, _detections(folders, seen), threshold, look)


def write_score(out: Path, score: Scenes, pictures: Mapping[str, Image.Image]) -> None:
    """`score.json` and the sheets."""
    for name, picture in pictures.items():
        save_picture(picture, out / SHEETS / f"{name}.png")
    layout.write_json(out / SCORE, told(score))


def told(score: Scenes) -> dict[str, Any]:
    """As score.json says it."""
    return {
        "images": score.images,
        "with_cars": score.with_cars,
        "cars": score.cars,
        "threshold": score.threshold,
        "figures": {name: asdict(one) for name, one in score.figures.items()},
        # A size without cars has no recall, and JSON no NaN.
        "sizes": score.sizes.astype(object).where(score.sizes.notna(), None).to_dict("records"),
    }


def _detections(folders: Sequence[Path], seen: Mapping[str, Scene]) -> Detections:
    read = [boxes.read(folder) for folder in folders if folder.is_dir()]
    for one in read:
        for file, line, reason in one.faults.head(1).itertuples(index=False):
            raise DataError(f"{file}, line {line}: {reason} ({len(one.faults)} such lines in all)")
    known = [one.rows for one in read]
    rows = pd.concat(known) if known else pd.DataFrame({"path": []})
    if not rows["path"].isin(list(seen)).any():
        places = ", ".join(map(str, folders))
        raise DataError(f"{places} has no boxes of these pictures: put a {boxes.TABLE} beside them")
    sizes = [(path, scene.width, scene.height) for path, scene in seen.items()]
    scenes = pd.DataFrame(sizes, columns=["path", "width", "height"])
    found = [scene.found for scene in seen.values()]
    return Detections(
        truths(scenes, rows), [one.boxes for one in found], [one.scores for one in found]
    )
