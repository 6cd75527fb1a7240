"""Write the whole embedded data set below a folder."""

from __future__ import annotations

import csv
import multiprocessing
import os
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

from PIL import Image

from roadworthy.data.generated.canvas import Canvas
from roadworthy.data.generated.faults import Shelf, put_in_faults, save_png
from roadworthy.data.generated.patches import PATCH, paint_patch
from roadworthy.data.generated.plan import Order, Plan, count, plan_task
from roadworthy.data.generated.scenes import SceneCar, draw_scene
from roadworthy.data.generated.tasks import Painter, paint_brand, paint_car, paint_police
from roadworthy.data.generated.weather import (
    MARGIN,
    SUPERSAMPLE,
    Shot,
    choose_light,
    photograph,
)
from roadworthy.errors import DataError

Progress = Callable[[int, int], None]
_PAINTERS: dict[str, Callable[[str], Painter]] = {
    "police": paint_police,
    "car": paint_car,
    "brand": paint_brand,
    "detector": paint_patch,
}
_ASPECTS = ((4, 3), (3, 2), (1, 1), (16, 10))
_CHUNK = 48
_BOX_FIELDS = ("image", "x_center", "y_center", "width", "height", "make", "police")


class GeneratedDataError(DataError, ValueError):
    """The data set cannot be written."""


@dataclass(frozen=True)
class Summary:
    """What was written: pictures per task and label, the faulty files by kind, the time."""

    images: Mapping[str, Mapping[str, int]]
    faults: Mapping[str, tuple[str, ...]]
    seconds: float

    @property
    def faulty_files(self) -> int:
        """The number of files with a fault."""
        return sum(len(paths) for paths in self.faults.values())

    @property
    def total(self) -> int:
        """The number of files that are, or pass for, pictures."""
        return sum(sum(labels.values()) for labels in self.images.values())


@dataclass(frozen=True)
class _Scene:
    """One street scene to draw and file."""

    name: str
    index: int
    cars: int


_Job = Order | _Scene
_Boxes = list[tuple[str, SceneCar]]


def generate(
    root: Path,
    *,
    seed: int,
    scale: float = 1.0,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Summary:
    """Write the data set below `root`, which must be empty or absent; the same bytes from a seed.

    It is drawn into a folder next to `root` that is renamed at the end, so that a run that is
    interrupted leaves nothing behind.
    """
    started = time.monotonic()
    _check(root, scale)
    root.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{root.name}-", dir=root.parent))
    try:
        images, faults = _write(draft, seed, scale, workers or os.cpu_count() or 1, progress)
        draft.chmod(0o755)
        if root.exists():
            root.rmdir()
        draft.rename(root)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return Summary(images, faults, time.monotonic() - started)


def _check(root: Path, scale: float) -> None:
    if not 0 < scale <= 10:
        raise GeneratedDataError(f"scale must be above 0 and at most 10, not {scale}")
    if root.exists() and not root.is_dir():
        raise GeneratedDataError(f"{root} is a file; a folder is needed")
    if root.exists() and any(root.iterdir()):
        raise GeneratedDataError(f"{root} is not empty; give an empty or a new folder")


def _write(
    root: Path, seed: int, scale: float, workers: int, progress: Progress | None
) -> tuple[dict[str, dict[str, int]], dict[str, tuple[str, ...]]]:
    plans = {task: plan_task(task, seed, scale) for task in _PAINTERS}
    scenes = _plan_scenes(seed, count("scenes", scale))
    for folder in sorted({Path(order.path).parent for order in _orders(plans)}):
        (root / folder).mkdir(parents=True)
    (root / "scenes" / "images").mkdir(parents=True)
    jobs: list[_Job] = [*scenes, *_orders(plans)]
    _write_boxes(root, _draw_all(root, seed, jobs, workers, progress))
    shelf = Shelf.of(root, seed, plans)
    faults = put_in_faults(shelf, scale)
    images = {task: dict(Counter(o.label for o in shelf.filed if o.task == task)) for task in plans}
    images["scenes"] = dict(
        Counter("with cars" if scene.cars else "without cars" for scene in scenes)
    )
    return images, faults


def _orders(plans: Mapping[str, Plan]) -> Iterator[Order]:
    for plan in plans.values():
        yield from plan.orders


def _plan_scenes(seed: int, amount: int) -> list[_Scene]:
    rng = Random(f"{seed}/scenes/plan")
    cars = [0 if index % 3 == 0 else rng.randint(1, 4) for index in range(amount)]
    rng.shuffle(cars)
    return [_Scene(f"{index + 1:05d}.jpg", index, cars[index]) for index in range(amount)]


def _draw_all(
    root: Path, seed: int, jobs: list[_Job], workers: int, progress: Progress | None
) -> _Boxes:
    """Draw every picture, over several processes if wished, and return the scenes' boxes."""
    chunks = [jobs[at : at + _CHUNK] for at in range(0, len(jobs), _CHUNK)]
    boxes: _Boxes = []
    done = 0
    for size, found in _run(root, seed, chunks, workers):
        boxes += found
        done += size
        if progress is not None:
            progress(done, len(jobs))
    return sorted(boxes, key=lambda row: row[0])


def _run(
    root: Path, seed: int, chunks: list[list[_Job]], workers: int
) -> Iterator[tuple[int, _Boxes]]:
    if workers == 1:
        for chunk in chunks:
            yield len(chunk), _draw_chunk(root, seed, chunk)
        return
    # 'spawn' rather than 'fork': the caller may hold threads (torch, a server).
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        pending = {pool.submit(_draw_chunk, root, seed, chunk): len(chunk) for chunk in chunks}
        try:
            for future in as_completed(pending):
                yield pending[future], future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _draw_chunk(root: Path, seed: int, jobs: Iterable[_Job]) -> _Boxes:
    boxes: _Boxes = []
    for job in jobs:
        if isinstance(job, _Scene):
            rng = Random(f"{seed}/scenes/{job.index}")
            image, cars = draw_scene(rng, cars=job.cars)
            image.save(root / "scenes" / "images" / job.name, "JPEG", quality=88)
            boxes += [(job.name, car) for car in cars]
        else:
            _draw_picture(root, seed, job)
    return boxes


def _draw_picture(root: Path, seed: int, order: Order) -> None:
    """Draw and save one picture; the frames of a clip share all but the camera."""
    scene = Random(f"{seed}/{order.task}/{order.scene}")
    camera = Random(f"{seed}/{order.task}/{order.scene}/{order.frame}")
    size = PATCH if order.task == "detector" else _choose_size(scene)
    light = choose_light(scene)
    brightness = scene.randint(*light.mean) + camera.randint(-5, 5)
    reach = 1 if order.task == "detector" else MARGIN
    aim = (camera.randint(-reach, reach), camera.randint(-reach, reach))
    canvas = Canvas(*((side + 2 * MARGIN) * SUPERSAMPLE for side in size))
    _PAINTERS[order.task](order.label)(scene, canvas, light)
    # Plain walls make smaller files than cars do; grain of many strengths hides that.
    grain = (4, 18) if order.task == "detector" else (2, 7)
    shot = Shot(size, brightness, aim, order.faded, grain)
    image = photograph(camera, canvas.image, shot)
    if order.task == "detector":
        image = image.convert("L")
    _save(camera, image, root / order.path)


def _choose_size(rng: Random) -> tuple[int, int]:
    wide, high = rng.choice(_ASPECTS)
    width = rng.randint(88, 168)
    return width, width * high // wide


def _save(rng: Random, image: Image.Image, path: Path) -> None:
    """Save with every option fixed, so that the bytes depend on nothing else."""
    if path.suffix == ".jpg":
        image.save(path, "JPEG", quality=rng.randint(76, 92), subsampling=2, optimize=False)
    elif path.suffix == ".webp":
        image.save(path, "WEBP", quality=rng.randint(76, 92), method=2)
    else:
        save_png(image, path)


def _write_boxes(root: Path, boxes: _Boxes) -> None:
    with (root / "scenes" / "boxes.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, _BOX_FIELDS, lineterminator="\n")
        writer.writeheader()
        for name, car in boxes:
            row = {
                key: f"{value:.6f}" if isinstance(value, float) else value
                for key, value in asdict(car).items()
            }
            writer.writerow({**row, "image": name, "police": int(car.police)})
