"""scenes: whole pictures with boxes, and what a task that searches learns from them before training.

Boxes of training scenes show how things lie in their windows. Training scenes without a thing give
false alarms (hard negatives), where `search.mine` asks for them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from shutil import rmtree

import numpy as np
import pandas as pd
from PIL import Image

from roadworthy.data import cached, geometry, images
from roadworthy.data import scenes as folder_of_scenes
from roadworthy.data.cached import Cache
from roadworthy.data.extended import Extended
from roadworthy.data.scenes import Scenes
from roadworthy.detection.convert import slide
from roadworthy.detection.torched import searcher
from roadworthy.detection.windows import Scene, Windows, around, false_alarms
from roadworthy.errors import DataError, StaleError
from roadworthy.layout import CHECKPOINTS, folder, needed, replacing, write_json
from roadworthy.params import TaskPlan
from roadworthy.pipeline import fitting
from roadworthy.progress import Report, bar

ROWS = "scenes.parquet"
BOXES = "boxes.parquet"
SKIPPED = "skipped.json"
NEGATIVES = "negatives.npy"
WINDOWS = "windows.npy"
OFFSETS = "offsets.npy"
# The class of what is not sought.
BACKGROUND = 0
SHOWN = 200


def run(plan: TaskPlan) -> None:
    """List the scenes by split, and cut windows from those for training.

    Raises:
        DataError: a picture or a box cannot be used, or a split has no scene with a thing.
        TrainingError: the task's network cannot slide.
    """
    if not plan.search.enabled:
        with replacing(folder(plan.name, "scenes")) as out:
            write_json(out / SKIPPED, {"search.enabled": False})
        print(f"scenes {plan.name}: skipped, search.enabled is false")
        return
    data = cached.load(needed(plan.name, "prepare"))
    network, _ = fitting.begin(plan, data.labels)
    sliding = slide(network, plan.input)
    if not sliding.exact:
        print(
            f"scenes {plan.name}: {plan.backbone.name} pads: over a whole picture it is near what "
            "the classifier says of each window, not the same"
        )
    # What the exported model would refuse, it cannot be measured on.
    found = folder_of_scenes.read(plan.scenes, plan.split, plan.export.max_pixels)
    with replacing(folder(plan.name, "scenes")) as out:
        found.rows.to_parquet(out / ROWS, index=False)
        found.boxes.to_parquet(out / BOXES, index=False)
        known = around(_Pictures(found), plan.input, plan.search, sliding.stride)
        mined = _mined(plan, data, found)
        np.save(out / WINDOWS, known.pixels)
        np.save(out / OFFSETS, known.offsets)
        np.save(out / NEGATIVES, mined)
        for name, cut in (("windows", known.pixels), ("negatives", mined)):
            if len(cut):
                _sheet(cut[:: max(1, len(cut) // SHOWN)][:SHOWN]).save(out / f"{name}.png")
    _report(plan, found, known, len(mined))


def learned(plan: TaskPlan, data: Cache) -> Cache | Extended:
    """The task's images with the false alarms that were mined; the cache itself where there are none."""
    if not plan.search.enabled:
        return data
    further = np.load(_made(plan) / NEGATIVES)
    return Extended(data, further, BACKGROUND) if len(further) else data


def windows(plan: TaskPlan) -> Windows | None:
    """Windows about known boxes; None for a task that does not search."""
    if not plan.search.enabled:
        return None
    stage = _made(plan)
    return Windows(np.load(stage / WINDOWS), np.load(stage / OFFSETS))


@dataclass(frozen=True)
class Listed:
    """Scenes of a split; pictures are read when they are asked for."""

    rows: pd.DataFrame
    found: Scenes
    split: str

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[tuple[str, Scene]]:
        """Path and scene.

        Raises:
            DataError: a file is not the one that was split.
        """
        return _scenes(self.found, self.split)


@dataclass(frozen=True)
class _Pictures:
    """Training scenes without their paths, as often as they are asked for."""

    found: Scenes

    def __iter__(self) -> Iterator[Scene]:
        return (scene for _, scene in _scenes(self.found, "train"))


def listed(plan: TaskPlan, split: str) -> Listed | None:
    """The scenes of a split; None for a task that does not search."""
    if not plan.search.enabled:
        return None
    stage = _made(plan)
    found = Scenes(pd.read_parquet(stage / ROWS), pd.read_parquet(stage / BOXES))
    return Listed(found.rows[found.rows["split"] == split], found, split)


def _scenes(found: Scenes, split: str) -> Iterator[tuple[str, Scene]]:
    known = dict(tuple(found.boxes.groupby("path")))
    for row in found.rows[found.rows["split"] == split].to_dict("records"):
        path = str(row["path"])
        try:
            content = Path(path).read_bytes()
        except OSError as error:
            raise DataError(f"scene {path}: {error.strerror}: run `dvc repro` first") from None
        if sha256(content).hexdigest() != row["sha256"]:
            raise DataError(f"{path} is not the picture that was split: run `dvc repro` first")
        picture = images.open_image(content)
        relative = known[path][["x", "y", "w", "h"]].to_numpy() if path in known else _NONE
        yield path, Scene(picture, geometry.absolute(relative, picture.size))


_NONE = np.empty((0, 4))


def _made(plan: TaskPlan) -> Path:
    """The stage's folder, if it was not skipped the last time."""
    stage = needed(plan.name, "scenes")
    if (stage / SKIPPED).is_file():
        raise StaleError(
            f"{stage} was made without search.enabled: run `dvc repro scenes@{plan.name}` first"
        )
    return stage


def _mined(plan: TaskPlan, data: Cache, found: Scenes) -> np.ndarray:
    """Hard negatives of all rounds, uint8 (N, h, w, C); each round learns from those before it."""
    spec = plan.input
    further = np.empty((0, spec.height, spec.width, spec.channels), np.uint8)
    rows = found.rows
    empty = Scenes(rows[(rows["split"] == "train") & (rows["things"] == 0)], found.boxes)
    if plan.search.mine and empty.rows.empty:
        print(
            f"scenes {plan.name}: nothing to mine, every training scene has a box: add scenes without "
            f"a {data.labels[-1]}, or set search.mine to 0"
        )
    for number in range(plan.search.mine if len(empty.rows) else 0):
        title = f"scenes {plan.name}, round {number + 1}:"
        source = Extended(data, further, BACKGROUND)
        network, backbone = fitting.begin(plan, data.labels)
        kept = CHECKPOINTS / f"{plan.name}-mine-{fitting.identity(plan, source.digest, backbone)}"
        fitting.fitted(plan, source, network, kept, lambda epoch, row: None, f"{title} train")
        asked = searcher(network, spec, plan.search)
        with bar(f"{title} search") as progress:
            pictures = _counted(empty, progress)
            new = false_alarms(asked, pictures, plan.search.negatives)
        further = np.concatenate([further, new])
        rmtree(kept)
    return further


def _counted(scenes: Scenes, progress: Report) -> Iterator[Image.Image]:
    for number, (_, scene) in enumerate(_scenes(scenes, "train"), 1):
        yield scene.picture
        progress(number, len(scenes.rows))


def _sheet(pixels: np.ndarray) -> Image.Image:
    """Windows side by side."""
    import torch
    from torchvision.utils import make_grid

    grid = make_grid(torch.from_numpy(pixels).permute(0, 3, 1, 2), nrow=10, padding=2)
    return images.from_array(grid.permute(1, 2, 0).numpy())


def _report(plan: TaskPlan, found: Scenes, known: Windows, mined: int) -> None:
    counts = found.rows["split"].value_counts()
    shares = ", ".join(f"{counts.get(split, 0)} {split}" for split in ("train", "val", "test"))
    print(
        f"scenes {plan.name}: {shares}; {len(found.boxes)} boxes, {len(known.pixels)} windows about "
        f"those of train, {mined} false alarms"
    )
