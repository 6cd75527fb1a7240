"""Faults put in on purpose: what real collections hold, and what checks must find."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

from PIL import Image

from roadworthy.data.generated.makes import MAKES
from roadworthy.data.generated.plan import Order, Plan, file_name

_ORIENTATION = 0x0112
_LABELS = {
    "police": ("police", "other"),
    "car": ("car", "not_car"),
    "detector": ("car", "background"),
    "brand": tuple(make.name for make in MAKES),
}
NO_MAKE = "(no make)"


@dataclass
class Shelf:
    """The files as they lie: what a fault moves or copies is written down here."""

    root: Path
    seed: int
    filed: list[Order]
    spare: dict[str, list[int]]
    touched: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, root: Path, seed: int, plans: dict[str, Plan]) -> Shelf:
        """Return the shelf of some plans whose pictures lie below `root`."""
        filed = [order for plan in plans.values() for order in plan.orders]
        return cls(root, seed, filed, {t: list(plan.spare_numbers) for t, plan in plans.items()})

    def pick(self, rng: Random, task: str, label: str) -> Order:
        """Return a picture of that label that no fault has touched and that is in no clip."""
        ending = "png" if task == "detector" else "jpg"
        free = [
            order
            for order in self.filed
            if (order.task, order.label) == (task, label)
            and order.path not in self.touched
            and order.path.endswith(ending)
            and "_clip" not in order.path
        ]
        return rng.choice(free)

    def refile(self, order: Order, path: str, label: str) -> None:
        """Move a file."""
        (self.root / order.path).rename(self.root / path)
        self.filed[self.filed.index(order)] = replace(order, path=path, label=label)

    def new_path(self, rng: Random, order: Order, label: str) -> str:
        """Return the path of a new file next to another one, for a label."""
        old = Path(order.path)
        stem = file_name(rng, order.task, label, self.spare[order.task].pop())
        folder = old.parent if order.task == "brand" else old.parent.parent / label
        return (folder / (stem + old.suffix)).as_posix()


Apply = Callable[[Shelf, Random, Order], str]


def _in_place(change: Callable[[Path], None], ending: str | None = None) -> Apply:
    """Return a fault that changes a file where it lies, and perhaps the ending of its name."""

    def apply(shelf: Shelf, rng: Random, order: Order) -> str:
        path = order.path
        if ending is not None:
            path = path.rsplit(".", 1)[0] + ending
            shelf.refile(order, path, order.label)
        change(shelf.root / path)
        return path

    return apply


def _truncate(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 5])


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _text(path: Path) -> None:
    path.write_text("<html><body>404 Not Found</body></html>\n", encoding="utf-8")


def save_png(image: Image.Image, path: Path) -> None:
    """Save as PNG, the same bytes whatever zlib is built in."""
    # Huffman coding only: how zlib and its rivals search for repeats differs between builds.
    image.save(path, "PNG", compress_type=2, compress_level=6)


def _to_png(mode: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        with Image.open(path) as image:
            image.load()
        if mode == "P":
            save_png(image.quantize(64, Image.Quantize.MEDIANCUT), path)
        else:
            save_png(image.convert(mode), path)

    return change


def _to_grey16(path: Path) -> None:
    with Image.open(path) as image:
        doubled = bytes(part for value in image.tobytes() for part in (value, value))
        size = image.size
    save_png(Image.frombytes("I;16", size, doubled), path)


def _to_cmyk(path: Path) -> None:
    with Image.open(path) as image:
        converted = image.convert("CMYK")
    converted.save(path, "JPEG", quality=88)


def _rotate(path: Path) -> None:
    exif = Image.Exif()
    exif[_ORIENTATION] = 6
    with Image.open(path) as image:
        turned = image.transpose(Image.Transpose.ROTATE_90)
    turned.save(path, "JPEG", quality=88, exif=exif)


def _copy(shelf: Shelf, rng: Random, order: Order, label: str) -> str:
    path = shelf.new_path(rng, order, label)
    shutil.copyfile(shelf.root / order.path, shelf.root / path)
    shelf.filed.append(replace(order, path=path, label=label))
    return path


def _duplicate(shelf: Shelf, rng: Random, order: Order) -> str:
    return _copy(shelf, rng, order, order.label)


def _near_duplicate(shelf: Shelf, rng: Random, order: Order) -> str:
    path = _copy(shelf, rng, order, order.label)
    with Image.open(shelf.root / path) as image:
        size = (image.width * 9 // 10, image.height * 9 // 10)
        smaller = image.resize(size, Image.Resampling.BILINEAR)
    smaller.save(shelf.root / path, "JPEG", quality=70)
    return path


def _other_label(rng: Random, order: Order) -> str:
    return rng.choice([label for label in _LABELS[order.task] if label != order.label])


def _duplicate_elsewhere(shelf: Shelf, rng: Random, order: Order) -> str:
    return _copy(shelf, rng, order, _other_label(rng, order))


def _swap(shelf: Shelf, rng: Random, order: Order) -> str:
    label, old = _other_label(rng, order), Path(order.path)
    path = (old.parent.parent / label / old.name).as_posix()
    shelf.refile(order, path, label)
    return path


def _drop_make(shelf: Shelf, rng: Random, order: Order) -> str:
    day, number = rng.randint(10, 28), shelf.spare["brand"].pop()
    path = f"brand/IMG_201904{day}_{number:05d}.jpg"
    shelf.refile(order, path, NO_MAKE)
    return path


@dataclass(frozen=True)
class Fault:
    """A kind of fault, the tasks it is put into in that order, and how."""

    kind: str
    tasks: tuple[str, ...]
    apply: Apply


FAULTS: tuple[Fault, ...] = (
    Fault("truncated", ("police", "car", "brand"), _in_place(_truncate)),
    Fault("empty", ("car", "brand", "detector"), _in_place(_empty)),
    Fault("text", ("brand", "police"), _in_place(_text)),
    Fault("png_as_jpg", ("car", "police", "brand"), _in_place(_to_png("RGB"))),
    Fault("exact_duplicate", ("police", "car", "brand", "detector"), _duplicate),
    Fault("near_duplicate", ("brand", "police", "car"), _near_duplicate),
    Fault(
        "other_label_duplicate", ("police", "car", "brand", "detector") * 2, _duplicate_elsewhere
    ),
    Fault("swapped_label", ("police", "car") * 4, _swap),
    Fault("exif_rotated", ("brand", "car", "police"), _in_place(_rotate)),
    Fault("cmyk", ("police", "brand"), _in_place(_to_cmyk)),
    Fault("palette_png", ("car", "brand", "police"), _in_place(_to_png("P"), ".png")),
    Fault("grey16_png", ("detector", "detector"), _in_place(_to_grey16)),
    Fault("rgba_png", ("brand", "police"), _in_place(_to_png("RGBA"), ".png")),
    Fault("no_make", ("brand", "brand", "brand"), _drop_make),
)


def put_in_faults(shelf: Shelf, scale: float) -> dict[str, tuple[str, ...]]:
    """Put the faults in and return, for each kind, the files that have it."""
    turn: Counter[str] = Counter()
    found: dict[str, tuple[str, ...]] = {}
    for fault in FAULTS:
        least = 1 if scale >= 0.1 else 0
        amount = min(len(fault.tasks), max(least, round(len(fault.tasks) * scale)))
        paths = []
        for index, task in enumerate(fault.tasks[:amount]):
            rng = Random(f"{shelf.seed}/{task}/fault/{fault.kind}/{index}")
            labels = _LABELS[task]
            # Labels take turns, so that no class holds more faults than another.
            order = shelf.pick(rng, task, labels[turn[task] % len(labels)])
            turn[task] += 1
            path = fault.apply(shelf, rng, order)
            shelf.touched |= {order.path, path}
            paths.append(path)
        found[fault.kind] = tuple(paths)
    return found
