"""How fast the data half of the road is: `python -m benchmarks.data [--images N]`.

Draws N images (50,000 by default, which takes a few minutes and 1.5 GB), then measures, side by side:
index from nothing and again, the search for near-duplicates, and index (cached), validate and split
together, with the largest memory of all their processes. Also 500 x 375 JPEGs, whose rate the index
promises.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import yaml
from PIL import Image

from roadworthy import environment
from roadworthy.data import hashing
from roadworthy.data.generated import generate
from roadworthy.params import Validation
from roadworthy.quality import duplicates

# Images that `generate` draws at scale 1.
AT_SCALE_ONE = 5130


def main() -> None:
    """Draw, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=50_000)
    parser.add_argument("--photos", type=int, default=4_000, help="500 x 375 JPEGs for the index")
    parser.add_argument("--set", type=Path, help="a folder of images, instead of drawing")
    options = parser.parse_args()
    rows = [hashes(20_000)]
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)
        photos(Path("photos"), options.photos)
        project("photos")
        rows += [stages("500 x 375 JPEG", ["index"]), stages("again, unchanged", ["index"])]
        images = options.set or Path("set")
        if not options.set:
            generate(images, seed=3, scale=options.images / AT_SCALE_ONE)
        project(str(images))
        rows.append(stages("generated", ["index"]))
        rows.append(stages("generated", ["index", "validate", "split"]))
    print(pd.DataFrame(rows).to_string(index=False))


def hashes(count: int) -> dict[str, object]:
    """Proposing near-duplicates among random thumbnails, with their hashes."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)
    thumbnails = coarse.repeat(4, axis=1).repeat(4, axis=2)
    start = time.perf_counter()
    hashing.phash(hashing.to_grey(thumbnails))
    middle = time.perf_counter()
    duplicates.proposals(thumbnails, Validation())
    done = time.perf_counter()
    return line("hash, all with all", count, done - start, f"hashing {middle - start:.1f} s of it")


def photos(folder: Path, count: int) -> None:
    """Photo-like JPEGs: smooth shapes and a little noise, quality 90."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(count):
        coarse = Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8))
        smooth = np.asarray(coarse.resize((500, 375), Image.Resampling.BICUBIC), np.int16)
        noisy = smooth + rng.integers(-12, 13, smooth.shape, dtype=np.int16)
        image = Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))
        image.save(folder / f"{number % 2}_{number:05d}.jpg", quality=90)


def project(images: str) -> None:
    """A task over all the images of a folder."""
    task = {
        "kind": "multiclass",
        "images": images,
        "label": {"from": ["folder"]},
        "validate": {"min_per_class": 1, "levels": {"imbalance": "warn"}},
    }
    Path("params.yaml").write_text(yaml.safe_dump({"tasks": {"all": task}}), encoding="utf-8")
    run("plan")


def stages(what: str, verbs: list[str]) -> dict[str, object]:
    """Wall time of stages, and the largest memory of their processes together."""
    with peak() as memory:
        start = time.perf_counter()
        for verb in verbs:
            run(verb, "--task", "all")
        seconds = time.perf_counter() - start
    count = len(pd.read_parquet("artifacts/all/index/manifest.parquet", columns=["path"]))
    return line(f"{what}: {', '.join(verbs)}", count, seconds, f"{max(memory) / 2**20:.0f} MB")


def line(what: str, count: int, seconds: float, note: str) -> dict[str, object]:
    """A row of the table."""
    rate = round(count / seconds)
    return {"what": what, "images": count, "s": round(seconds, 1), "images/s": rate, "": note}


def run(*verb: str) -> None:
    """A verb of the command line."""
    command = [sys.executable, "-m", "roadworthy", *verb]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@contextmanager
def peak() -> Iterator[list[int]]:
    """Bytes that this process's children hold together (shared pages counted once), ten times a second."""
    seen, stop = [0], threading.Event()

    def watch() -> None:
        while not stop.wait(0.1):
            total = 0
            for child in psutil.Process().children(recursive=True):
                try:
                    total += child.memory_full_info().pss
                except psutil.Error:
                    continue  # it has just ended
            seen.append(total)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join()


if __name__ == "__main__":
    environment.apply()
    main()
