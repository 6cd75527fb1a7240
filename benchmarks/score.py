"""How near batch scoring comes to a bare loop: `python -m benchmarks.score --bundle FOLDER`.

By turns on the same JPEGs: a process for each core, with one thread, that decodes, prepares and asks, and
knows nothing else; then the same through `scoring` on Ray, all of its processes counted. Starting is
measured apart. The processor time of an image holds still where others use the machine, images/s do not.
Then what one image costs, part by part.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import numpy as np
import psutil

from benchmarks.reporting import Result, Row, machine, significant
from roadworthy.bundle.format import digest, read_spec
from roadworthy.bundle.predictor import BATCH, Predictor, scaled_to
from roadworthy.data import images, transforms
from roadworthy.data.generated.scenes import draw_scene
from roadworthy.pipeline.score import Model, begun
from roadworthy.scoring import engine, plan
from roadworthy.scoring.places import Place
from roadworthy.scoring.rows import Row as Answer
from roadworthy.scoring.rows import shard
from roadworthy.scoring.sources import Count, entries
from roadworthy.scoring.worker import Scorer

SIZE = (500, 375)
DIFFERENT = 64
SAMPLE = 256


@dataclass(frozen=True)
class Timed:
    """What one way took for all images."""

    images: int
    seconds: float
    """From when all were at work to the last image."""
    cpu: float
    """Processor seconds of all processes in that time."""
    start: float
    """Seconds before that."""
    memory: float = 0.0
    """MiB of one worker that it shares with nobody."""

    @property
    def rate(self) -> float:
        """Images a second."""
        return self.images / self.seconds

    @property
    def per_core(self) -> float:
        """Images for a second of one processor."""
        return self.images / self.cpu


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", type=Path, default=Path("artifacts/car/export"))
    parser.add_argument("--images", type=int, default=4000)
    parser.add_argument("--workers", type=int, default=engine.cores())
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--bare", type=Path, help="Be the loop, on the files that this one lists.")
    options = parser.parse_args()
    if options.bare:
        print(json.dumps(loop(options.bundle, options.bare.read_text().splitlines())))
        return
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        draw(folder / "in", options.images)
        for result in (speed(options, folder), costs(options.bundle, folder)):
            print(result.text())
            print(result.markdown())


def draw(folder: Path, count: int) -> None:
    """Write a few drawn scenes as JPEG, under as many names as are asked for."""
    folder.mkdir()
    for number in range(count):
        path = folder / f"{number:06d}.jpg"
        if number < DIFFERENT:
            scene, _ = draw_scene(Random(number), cars=2)
            scene.resize(SIZE).save(path, quality=90)
        else:
            path.hardlink_to(folder / f"{number % DIFFERENT:06d}.jpg")


def speed(options: argparse.Namespace, folder: Path) -> Result:
    """Both ways in every round; medians."""
    ways: dict[str, Callable[[int], Timed]] = {
        "bare loop": lambda _: bare(options, folder),
        "roadworthy score": lambda number: scored(options, folder, folder / f"out{number}"),
    }
    found: dict[str, list[Timed]] = {name: [] for name in ways}
    for number in range(options.rounds):
        for name, way in ways.items():
            found[name].append(way(number))
    rows = [_row(name, each, found["bare loop"], options) for name, each in found.items()]
    spec = read_spec(options.bundle)
    about = {
        "px": spec.input.height,
        "engine": Predictor(options.bundle).engine,
        "files": f"{options.images} JPEG of {SIZE[0]} x {SIZE[1]}",
        "workers": options.workers,
        "rounds": options.rounds,
    }
    return Result("score", "batch scoring against a bare loop", rows, about, machine())


def _row(name: str, own: list[Timed], base: list[Timed], options: argparse.Namespace) -> Row:
    def median(several: list[Timed], what: str) -> float:
        return statistics.median(getattr(each, what) for each in several)

    return {
        "way": name,
        "images/s": significant(median(own, "rate")),
        "of the loop": round(median(own, "rate") / median(base, "rate"), 2),
        "CPU ms an image": significant(1000 / median(own, "per_core")),
        "of the loop, per core": round(median(own, "per_core") / median(base, "per_core"), 2),
        "start s": round(median(own, "start"), 1),
        "MiB a worker": round(median(own, "memory")),
    }


def bare(options: argparse.Namespace, folder: Path) -> Timed:
    """A loop for each core on its share of the files."""
    files = sorted(map(str, (folder / "in").iterdir()))
    began, running = time.time(), []
    for number in range(options.workers):
        listed = folder / f"{number}.txt"
        listed.write_text("\n".join(files[number :: options.workers]))
        own = ["--bundle", str(options.bundle), "--bare", str(listed)]
        words = [sys.executable, "-m", "benchmarks.score", *own]
        running.append(subprocess.Popen(words, stdout=subprocess.PIPE, text=True))
    said = [json.loads(process.communicate()[0]) for process in running]
    first, last = min(each["began"] for each in said), max(each["ended"] for each in said)
    cpu = sum(each["cpu"] for each in said)
    memory = max(each["memory"] for each in said)
    return Timed(options.images, last - first, cpu, first - began, memory)


def loop(bundle: Path, files: list[str]) -> dict[str, float]:
    """Decode, prepare, ask; nothing is kept."""
    predictor = Predictor(bundle, threads=1)
    began, before = time.time(), time.process_time()
    for start in range(0, len(files), BATCH):
        batch = [predictor.prepare(path) for path in files[start : start + BATCH]]
        predictor.probabilities(np.stack(batch))
    cpu, memory = time.process_time() - before, psutil.Process().memory_full_info().uss / 2**20
    return {"began": began, "ended": time.time(), "cpu": cpu, "memory": memory}


def scored(options: argparse.Namespace, folder: Path, out: Path) -> Timed:
    """What `roadworthy score` does between its plan and its summary."""
    place = Place(str(out))
    spec = read_spec(options.bundle)
    model = Model(options.bundle.resolve(), spec.task, digest(options.bundle), None)
    made = begun(place, str(folder / "in"), model, options.workers, False)
    job, asked = engine.Job.of(model.folder, place, made, False), time.time()
    with family() as used, engine.started(options.workers, None) as room:
        done = list(engine.scored(job, plan.missing(place, made), room))
    assert sum(each.images for each in done) == options.images
    ended = sorted((each.ended, each.images) for each in done)
    # The first shards of each worker are begun while others still start.
    first, last = ended[2 * options.workers - 1][0], ended[-1][0]
    images = sum(count for _, count in ended[2 * options.workers :])
    return Timed(images, last - first, used.at(last) - used.at(first), first - asked, used.memory)


@dataclass
class Used:
    """Processor time of this process and all below it, over time."""

    clock: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    memory: float = 0.0
    each: dict[int, float] = field(default_factory=dict)

    def look(self) -> None:
        """Sum up; what has ended meanwhile stays in the sum."""
        own = psutil.Process()
        for process in (own, *own.children(recursive=True)):
            try:
                times = process.cpu_times()
                self.each[process.pid] = times.user + times.system
                if "MapWorker" in "".join(process.cmdline()[:1]):
                    self.memory = max(self.memory, process.memory_full_info().uss / 2**20)
            except psutil.Error:
                continue
        self.clock.append(time.time())
        self.cpu.append(sum(self.each.values()))

    def at(self, moment: float) -> float:
        """Seconds used until then."""
        return float(np.interp(moment, self.clock, self.cpu))


@contextmanager
def family(every: float = 0.5) -> Iterator[Used]:
    """Look at all processes again and again."""
    used, end = Used(), threading.Event()

    def look() -> None:
        while not end.wait(every):
            used.look()

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield used
    finally:
        end.set()
        thread.join()


def costs(bundle: Path, folder: Path) -> Result:
    """Processor seconds for 1,000 images by part, and bytes written for one."""
    predictor = Predictor(bundle, threads=1)
    files = sorted((folder / "in").iterdir())[:SAMPLE]
    spec = predictor.spec
    least = scaled_to(spec.input)
    contents = [path.read_bytes() for path in files]
    opened = [images.decode(content, spec.max_pixels, least).image for content in contents]
    pixels = np.stack([predictor.prepare(image) for image in opened])
    said = predictor.probabilities(pixels)
    labels = [str(n) for n in range(said.shape[1])]
    made = plan.Plan("", len(files), 0, 0, len(files), spec.task, "0" * 64, 1, tuple(labels))
    answers = [
        Answer(str(path), os.urandom(32).hex(), *SIZE, labels[0], 0.5, True, probabilities)
        for path, probabilities in zip(files, said, strict=True)
    ]
    parts: dict[str, Callable[[], object]] = {
        "list": lambda: list(entries(str(folder / "in"), Count())),
        "read": lambda: [path.read_bytes() for path in files],
        "decode": lambda: [images.decode(c, spec.max_pixels, least) for c in contents],
        "resize": lambda: [predictor.prepare(image) for image in opened],
        "normalise": lambda: [
            transforms.normalise(pixels[n : n + BATCH], spec.input)
            for n in range(0, len(pixels), BATCH)
        ],
        "normalise, network, calibration": lambda: predictor.probabilities(pixels),
        "rows to Parquet": lambda: shard(answers, made),
        "the worker, all of it": _worker(bundle, files, folder / "worker"),
    }
    rows: list[Row] = []
    for name, work in parts.items():
        count = len(list((folder / "in").iterdir())) if name == "list" else len(files)
        rows.append({"part": name, "CPU s for 1,000": significant(1000 * _cpu(work) / count)})
    about = {
        "px": spec.input.height,
        "bytes of output an image": round(len(shard(answers, made)) / len(files)),
        "labels": len(labels),
        "bytes of a file": round(statistics.mean(map(len, contents))),
    }
    return Result("score costs", "what an image costs a core", rows, about)


def _worker(bundle: Path, files: list[Path], out: Path) -> Callable[[], object]:
    place = Place(str(out))
    listed = out.with_suffix(".txt")
    listed.write_text("\n".join(map(str, files)))
    model = Model(bundle.resolve(), read_spec(bundle).task, digest(bundle), None)
    made = begun(place, str(listed), model, 1, False)
    worker = Scorer(bundle, place, made, frozenset())
    return lambda: [worker.score(number) for number in range(made.shards)]


def _cpu(work: Callable[[], object], times: int = 3) -> float:
    taken = []
    for _ in range(times):
        began = time.process_time()
        work()
        taken.append(time.process_time() - began)
    return min(taken)


if __name__ == "__main__":
    main()
