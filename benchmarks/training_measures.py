"""The measurements of `python -m benchmarks.training`, one function each."""

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder

from benchmarks import training_images as pictures
from benchmarks.reporting import Result, Row, Seconds, compared, machine, rounds, significant
from benchmarks.training_reference import Bare, Reference, multiplied, per_image
from benchmarks.training_road import Recipe, beside, trained
from roadworthy.data.cached import Cache
from roadworthy.params import Augment, Train
from roadworthy.training.augmentation import RandomChanges
from roadworthy.training.data import Source
from roadworthy.training.machine import Machine, survey


@dataclass(frozen=True)
class Setting:
    """What was asked for on the command line, with defaults for the device."""

    machine: Machine
    images: int
    batch_size: int
    size: int | None
    rounds: int
    backbone: str
    train: Train

    @property
    def px(self) -> int:
        """Side of the input."""
        return self.size or 224

    @property
    def gpu(self) -> bool:
        """Whether it runs on one."""
        return self.machine.device == "cuda"

    def recipe(self, augment: Augment | None = None, **changes: Any) -> Recipe:
        """The road's recipe: by default what the reference does to an image, and one epoch to warm up."""
        own = {"epochs": self.rounds + 1, "batch_size": self.batch_size, **changes}
        chosen = augment or pictures.resized_crop_and_flip()
        train = self.train.model_copy(update=own)
        return Recipe(pictures.spec(self.px), chosen, train)

    def result(self, name: str, title: str, rows: list[Row], **about: Any) -> Result:
        """A result with what is common to all."""
        said = {"backbone": self.backbone, **about, "rounds": self.rounds, "with": self.machine.why}
        return Result(name, title, rows, said, machine())


def setting(options: argparse.Namespace) -> Setting:
    """The setting; threads and precision are measured here."""
    train = Train(
        threads=options.threads or "auto",
        precision=options.precision,
        workers=options.workers,
        device_cache=options.device_cache,
        compile=options.compile,
        # No checkpoint inside an epoch, and a rate at which nothing explodes on random labels.
        checkpoint_seconds=3600,
        lr=1e-4,
    )
    chosen = survey(train)
    if options.device and options.device != chosen.device:
        if options.device == "cuda":
            raise SystemExit("torch sees no GPU here")
        chosen = replace(chosen, device="cpu", why=f"on the CPU, {chosen.why}")
    gpu = chosen.device == "cuda"
    return Setting(
        chosen,
        options.images or (16_384 if gpu else 64),
        options.batch_size or (256 if gpu else 16),
        options.size,
        options.rounds,
        options.backbone,
        train,
    )


def against_reference(s: Setting) -> Result:
    """(a)."""
    with TemporaryDirectory() as scratch:
        images = pictures.photos(Path(scratch) / "photos", s.images)
        source = pictures.cached(images, Path(scratch) / "cache", s.px)
        device = s.machine.device
        reference = Reference(images, s.backbone, pictures.spec(s.px), s.batch_size, device)
        ways = {"reference": reference.epoch}
        seconds, busy = beside(ways, source, s.recipe(), s.machine, s.backbone)
    rows = compared(seconds, dict.fromkeys(seconds, s.images), "reference")
    return s.result(
        "a",
        "(a) the road's epoch against the reference way",
        rows,
        px=s.px,
        batch=s.batch_size,
        **_share(busy),
    )


def against_bare_step(s: Setting) -> Result:
    """(b)."""
    seconds, busy = _beside_bare(s)
    rows = compared(seconds, dict.fromkeys(seconds, _whole(s)), "bare step")
    return s.result(
        "b",
        "(b) the road's epoch against the bare step of the model",
        rows,
        px=s.px,
        batch=s.batch_size,
        **_share(busy),
    )


def _beside_bare(s: Setting) -> tuple[Seconds, float | None]:
    compiled = s.train.compile
    bare = Bare(s.machine, s.backbone, pictures.spec(s.px), s.batch_size, compiled=compiled)
    steps = _whole(s) // s.batch_size
    ways = {"bare step": lambda: bare.steps(steps)}
    return beside(ways, _source(s, _whole(s)), s.recipe(), s.machine, s.backbone)


def _whole(s: Setting) -> int:
    """Images of whole batches."""
    return max(1, s.images // s.batch_size) * s.batch_size


def _source(s: Setting, count: int) -> Source:
    return pictures.Memory.of(count, s.px)


def _share(busy: float | None) -> dict[str, str]:
    return {} if busy is None else {"GPU busy": f"{busy:.0%}"}


def growth(s: Setting) -> Result:
    """(c)."""
    # Each way is a training of two epochs here, the first of which warms up.
    s = replace(s, size=s.size or (224 if s.gpu else 64), rounds=max(1, s.rounds - 1))
    counts = [s.images // (4 if s.gpu else 2) * factor for factor in (1, 4, 16)]

    def epoch(count: int) -> float:
        made = trained(_source(s, count), s.recipe(epochs=2), s.machine, s.backbone)
        return made.seconds[0]

    ways = {str(count): lambda count=count: epoch(count) for count in counts}
    taken = rounds(ways, s.rounds)
    first = statistics.median(taken[str(counts[0])]) / counts[0]
    rows = []
    for count in counts:
        each = taken[str(count)]
        seconds = statistics.median(each)
        rows.append(
            {
                "images": count,
                "s an epoch": significant(seconds),
                "ms an image": significant(1000 * seconds / count),
                "times the first": significant(seconds / count / first),
                "spread": f"{(max(each) - min(each)) / seconds:.0%}",
            }
        )
    ends = [statistics.median(taken[str(count)]) for count in (counts[0], counts[-1])]
    slope = 1000 * (ends[1] - ends[0]) / (counts[-1] - counts[0])
    return s.result(
        "c",
        "(c) seconds of an epoch as images grow",
        rows,
        px=s.px,
        batch=s.batch_size,
        **{"ms for each image more": significant(slope)},
    )


def loader(s: Setting) -> Result:
    """(d)."""
    count = min(max(s.images, 256), pictures.DISTINCT)
    with TemporaryDirectory() as scratch:
        images = pictures.photos(Path(scratch) / "photos", count)
        source = pictures.cached(images, Path(scratch) / "cache", s.px)
        resized, anywhere = pictures.resized_crop_and_flip(), pictures.crop_and_flip()
        ways = {
            "cache, resized crop + flip": lambda: _from_cache(source, resized, False),
            "the same, normalised on the CPU": lambda: _from_cache(source, resized, True),
            "PIL, resized crop + flip": lambda: _from_files(images, per_image(s.px)),
            "cache, crop + flip": lambda: _from_cache(source, anywhere, False),
            "PIL, crop + flip": lambda: _from_files(images, per_image(s.px, "anywhere")),
        }
        taken = rounds(ways, s.rounds)
    counts = dict.fromkeys(ways, count)
    names = list(ways)
    rows = []
    for group in (names[:3], names[3:]):
        rows += compared({name: taken[name] for name in group}, counts, group[-1])
    return s.result("d", "(d) the loader alone, images for each second of one core", rows, px=s.px)


def _on_one_core(work: Callable[[], object]) -> float:
    """Seconds of processor time with one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    began = time.process_time()
    work()
    seconds = time.process_time() - began
    torch.set_num_threads(threads)
    return seconds


def _from_cache(source: Cache, augment: Augment, normalised: bool) -> float:
    """Batches of uint8 (N, h, w, C), as they go to the device, or normalised floats."""
    changes = RandomChanges(source.input, augment)

    def work() -> None:
        for places in pictures.batches(source.places("train"), 32):
            pixels = torch.from_numpy(source.pixels(places))
            (changes if normalised else changes.cut)(pixels)

    return _on_one_core(work)


def _from_files(images: Path, transforms: Callable[[Any], Any]) -> float:
    """Batches of normalised floats (N, C, h, w), as the reference's workers make them."""
    batches = DataLoader(ImageFolder(str(images), transforms), batch_size=32, shuffle=True)

    def work() -> None:
        for _ in batches:
            pass

    return _on_one_core(work)


def step(s: Setting) -> Result:
    """How much of the processor the bare step uses."""
    bf16 = replace(s.machine, precision="bf16-mixed")
    rows = []
    for px in (s.size,) if s.size else (64, 96, 128, 160, 224):
        batch = s.batch_size if s.gpu or px > 96 else 2 * s.batch_size
        bare = Bare(bf16, s.backbone, pictures.spec(px), batch)
        work, count = bare.flops(), 10 if s.gpu else 1
        side = 8192 if s.gpu else 2048
        work *= count

        def product(side: int = side) -> float:
            # `rounds` keeps seconds: here of as much work as the step has.
            return 1 / multiplied(s.machine.device, side)

        ways = {"step": lambda bare=bare, count=count: bare.steps(count), "product": product}
        taken = rounds(ways, s.rounds)
        rates = [work / seconds / 1e12 for seconds in taken["step"]]
        peaks = [1 / seconds for seconds in taken["product"]]
        rate = statistics.median(rates)
        shares = [a / b for a, b in zip(rates, peaks, strict=True)]
        rows.append(
            {
                "px": px,
                "batch": batch,
                "images/s": significant(rate * 1e12 / (work / count / batch)),
                "TFLOP/s": significant(rate),
                "matrix product": significant(statistics.median(peaks)),
                "share": f"{statistics.median(shares):.0%}",
                "spread": f"{(max(rates) - min(rates)) / rate:.0%}",
            }
        )
    return s.result("step", "the bf16 step as a share of the bf16 matrix product", rows)


def phases(s: Setting) -> Result:
    """What freezing the backbone gains, without and with cached features."""
    s = replace(s, batch_size=s.batch_size if s.gpu else 2 * s.batch_size)
    few = max(s.batch_size, s.images // 2)
    turns = s.rounds + 1
    recipe = s.recipe(unfreeze=("head", "all") * turns, epochs=2 * turns)
    spans = trained(_source(s, few), recipe, s.machine, s.backbone).spans
    seconds = [end - began for began, end in spans]
    many = s.images * (2 if s.gpu else 8)
    recipe = s.recipe(unfreeze=("head",), cache_features=True)
    cached = trained(_source(s, many), recipe, s.machine, s.backbone).seconds
    taken = {
        "full step": seconds[3::2],
        "frozen backbone": seconds[2::2],
        "cached features": cached,
    }
    counts = {"full step": few, "frozen backbone": few, "cached features": many}
    rows = compared(taken, counts, "full step")
    title = "only the head, against the full step"
    return s.result("phases", title, rows, px=s.px, batch=s.batch_size)


def sweep(s: Setting) -> Result:
    """(b) over what can be chosen on a GPU."""
    rows = []
    for compiled, cache in ((False, "on"), (False, "off"), (True, "on")):
        for batch in (256, 512, 1024) if s.gpu else (s.batch_size, 2 * s.batch_size):
            update = {"compile": compiled, "device_cache": cache}
            tried = replace(s, batch_size=batch, train=s.train.model_copy(update=update))
            seconds, busy = _beside_bare(tried)
            road, bare = compared(seconds, dict.fromkeys(seconds, _whole(tried)), "bare step")
            row = {
                "batch": batch,
                "compiled": "yes" if compiled else "no",
                "images on the device": "yes" if cache == "on" else "no",
                "images/s": road["images/s"],
                "bare step": bare["images/s"],
                "times": road["times"],
                "spread": road["spread"],
            }
            rows.append({**row, **_share(busy)})
            print(row, flush=True)
            torch.cuda.empty_cache()
    return s.result(
        "sweep", "(b) by batch size, compiled or not, images on the device", rows, px=s.px
    )


MEASURES: dict[str, Callable[[Setting], Result]] = {
    "a": against_reference,
    "b": against_bare_step,
    "c": growth,
    "d": loader,
    "step": step,
    "phases": phases,
    "sweep": sweep,
}
