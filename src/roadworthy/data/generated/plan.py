"""Which pictures there are: their labels, names, clips and formats, from the seed alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from roadworthy.data.generated.makes import MAKES, Make, file_stem

# Pictures of a label (for 'car': of a label in a source) at scale 1.
COUNTS = {"police": 760, "car": 380, "brand": 110, "detector": 300, "scenes": 240}
_LEAST = {"police": 8, "car": 4, "brand": 8, "detector": 8, "scenes": 9}
_CLIP_SHARE = 0.10
_ENDINGS = ("jpg",) * 17 + ("png", "webp", "webp")


@dataclass(frozen=True)
class Order:
    """One picture to draw and file."""

    task: str
    label: str
    path: str
    scene: int
    frame: int
    faded: bool = False


@dataclass(frozen=True)
class Plan:
    """The pictures of a task, and numbers left over for copies that faults make."""

    orders: tuple[Order, ...]
    spare_numbers: tuple[int, ...]


def count(task: str, scale: float) -> int:
    """Return how many pictures of a label a task has at a scale."""
    return max(_LEAST[task], round(COUNTS[task] * scale))


def plan_task(task: str, seed: int, scale: float) -> Plan:
    """Return the plan of a task other than 'scenes'."""
    rng = Random(f"{seed}/{task}/plan")
    amount = count(task, scale)
    groups = [
        (folder, label, size)
        for folder, label in _folders(task)
        for size in _group_sizes(rng, amount)
    ]
    total = sum(size for _, _, size in groups)
    numbers = list(range(1, total + 31))
    rng.shuffle(numbers)
    unused = iter(numbers)
    clips = list(range(1, len(groups) + 1))
    rng.shuffle(clips)
    orders = [
        order
        for scene, (folder, label, size) in enumerate(groups)
        for order in _group(rng, task, label, folder, (scene, clips[scene], size), unused)
    ]
    return Plan(tuple(orders), tuple(unused))


def _folders(task: str) -> tuple[tuple[str, str], ...]:
    """Return the folders of a task with the label of what lies in them."""
    if task == "brand":
        return tuple(("brand", make.name) for make in MAKES)
    if task == "car":
        return tuple(
            (f"car/{source}/{label}", label)
            for source in ("street", "archive")
            for label in ("car", "not_car")
        )
    labels = {"police": ("police", "other"), "detector": ("car", "background")}[task]
    return tuple((f"{task}/{label}", label) for label in labels)


def _group_sizes(rng: Random, amount: int) -> Iterator[int]:
    """Yield the sizes of clips (2 or 3), then 1 for every single picture."""
    in_clips = 0
    while in_clips < amount * _CLIP_SHARE:
        size = rng.choice((2, 3))
        in_clips += size
        yield size
    yield from [1] * (amount - in_clips)


def _group(
    rng: Random,
    task: str,
    label: str,
    folder: str,
    group: tuple[int, int, int],
    numbers: Iterator[int],
) -> Iterator[Order]:
    """Yield the orders of a clip or of a single picture."""
    scene, clip, size = group
    ending = "png" if task == "detector" else rng.choice(_ENDINGS)
    for frame in range(size):
        stem = file_name(rng, task, label, next(numbers))
        if size > 1:
            stem += f"_clip{clip:04d}_f{frame + 1}"
        faded = "/archive/" in folder
        yield Order(task, label, f"{folder}/{stem}.{ending}", scene, frame, faded)


def file_name(rng: Random, task: str, label: str, number: int) -> str:
    """Return a file's name without its ending: only a brand's tells the label."""
    if task != "brand":
        return f"{number:05d}"
    make: Make = next(make for make in MAKES if make.name == label)
    return file_stem(rng, make, f"{number:05d}")
