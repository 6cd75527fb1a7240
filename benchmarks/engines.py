"""Which engine answers fastest, and still the same.

    python -m benchmarks.engines --bundle FOLDER --from ARTIFACTS

Every engine on the same bundle, by turns in one process: images/s of the quickest call, which other work
on the machine disturbs least, for several batch sizes. Beside that the accuracy on the test split, the
answers that differ from eager torch in fp32, the largest difference of probabilities, and the memory of a
process that holds nothing but this engine. The bundle is one of `benchmarks.resnet224`, which wrote it
from the same ARTIFACTS. OpenVINO is measured where it is installed; the road does not need it.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.reporting import Result, significant
from roadworthy.bundle.format import GRAPH, OPTIMISED, read_spec
from roadworthy.bundle.predictor import session
from roadworthy.data.transforms import normalise
from roadworthy.models.outputs import to_probabilities

BATCHES = (1, 8, 16)
SECONDS = 20.0
TURN = 3
BASE = "torch fp32"
Ask = Callable[[np.ndarray], np.ndarray]
"""From normalised images (N, C, H, W) to logits."""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--from", dest="artifacts", type=Path, default=Path("artifacts"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--images", type=int, default=0, help="Test images; 0 takes all.")
    parser.add_argument("--hold", help="Load this engine alone and say what memory it takes.")
    options = parser.parse_args()
    if options.hold:
        ask = ENGINES[options.hold](options.bundle, options.threads)
        print(json.dumps({"megabytes": held(ask, options.bundle)}))
        return
    print(measured(options.bundle, options.artifacts, options.threads, options.images).markdown())
    if not find_spec("openvino"):
        print("OpenVINO is not installed and was not measured.")


def measured(bundle: Path, artifacts: Path, threads: int, most: int) -> Result:
    """One row for each engine."""
    from roadworthy.bundle import speed

    names = [name for name in ENGINES if _there(name, bundle)]
    memory = {name: _memory(name, bundle, threads) for name in names}
    engines = {name: ENGINES[name](bundle, threads) for name in names}
    images, targets = test_split(bundle, artifacts, most)
    rates: dict[str, dict[int, float]] = {name: {} for name in names}
    for size in BATCHES:
        batch = images[:size]
        asks = [partial(ask, batch) for ask in engines.values()]
        times = speed.by_turns(asks, turn=TURN, seconds=SECONDS)
        for name, own in zip(names, times, strict=True):
            rates[name][size] = size / float(own.min())
    said = {name: answers(ask, images, bundle) for name, ask in engines.items()}
    rows = [
        _row(name, rates, memory[name], said, targets, read_spec(bundle).threshold)
        for name in names
    ]
    about = {"threads": threads, "test images": len(images), "machine": speed.processor()}
    return Result(
        "engines", "ResNet-50 at 224 px, images/s of the quickest call by batch size", rows, about
    )


def test_split(bundle: Path, artifacts: Path, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Normalised images and class numbers of the test split, the first `most` of it."""
    import pandas as pd

    from benchmarks.resnet224 import images

    spec = read_spec(bundle)
    rows = pd.read_parquet(artifacts / spec.task / "prepare" / "rows.parquet")
    test = rows[rows["split"] == "test"].iloc[: most or None]
    pixels = images(test, artifacts.parent, spec.input)
    return normalise(pixels, spec.input), test["target"].to_numpy(np.int64)


def answers(ask: Ask, images: np.ndarray, bundle: Path) -> np.ndarray:
    """Calibrated probabilities (N, C)."""
    size = BATCHES[-1]
    parts = [ask(images[start : start + size]) for start in range(0, len(images), size)]
    return to_probabilities(np.concatenate(parts), read_spec(bundle).temperature)


def held(ask: Ask, bundle: Path) -> int:
    """Resident memory of this process after a few batches, MiB."""
    import psutil

    spec = read_spec(bundle).input
    batch = np.zeros((BATCHES[-1], spec.channels, spec.height, spec.width), np.float32)
    for _ in range(3):
        ask(batch)
    return round(psutil.Process().memory_info().rss / 2**20)


def torch_engine(bundle: Path, threads: int, channels_last: bool, half: bool) -> Ask:
    """Eager torch, perhaps with the channels last and in bf16."""
    import torch

    from roadworthy.bundle.network import load_network

    torch.set_num_threads(threads)
    order = torch.channels_last if channels_last else torch.contiguous_format
    network = load_network(bundle, read_spec(bundle)).to(memory_format=order)

    def ask(batch: np.ndarray) -> np.ndarray:
        images = torch.from_numpy(batch).to(memory_format=order)
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=half):
            return np.asarray(network(images).float().numpy())

    return ask


def onnx_engine(bundle: Path, threads: int, graph: str) -> Ask:
    """ONNX Runtime, as the service uses it."""
    engine = session(bundle / graph, threads)
    return lambda batch: np.asarray(engine.run(["logits"], {"images": batch})[0])


def openvino_engine(bundle: Path, threads: int, graph: str, precision: str) -> Ask:
    """OpenVINO on the same graphs."""
    import openvino

    settings = {
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": precision,
        "PERFORMANCE_HINT": "LATENCY",
    }
    engine = openvino.Core().compile_model(str(bundle / graph), "CPU", settings)
    logits = engine.output("logits")
    return lambda batch: np.array(engine({"images": batch})[logits])


ENGINES: Mapping[str, Callable[[Path, int], Ask]] = {
    BASE: partial(torch_engine, channels_last=False, half=False),
    "torch fp32, channels last": partial(torch_engine, channels_last=True, half=False),
    "torch bf16, channels last": partial(torch_engine, channels_last=True, half=True),
    "ONNX Runtime fp32": partial(onnx_engine, graph=GRAPH),
    "ONNX Runtime int8": partial(onnx_engine, graph=OPTIMISED),
    "OpenVINO fp32": partial(openvino_engine, graph=GRAPH, precision="f32"),
    "OpenVINO bf16": partial(openvino_engine, graph=GRAPH, precision="bf16"),
    "OpenVINO int8": partial(openvino_engine, graph=OPTIMISED, precision="f32"),
}


def _there(name: str, bundle: Path) -> bool:
    installed = not name.startswith("OpenVINO") or find_spec("openvino") is not None
    return installed and ("int8" not in name or (bundle / OPTIMISED).is_file())


def _memory(name: str, bundle: Path, threads: int) -> int:
    command = [sys.executable, "-m", "benchmarks.engines", "--bundle", str(bundle)]
    command += ["--threads", str(threads), "--hold", name]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return int(json.loads(done.stdout.splitlines()[-1])["megabytes"])


def _row(
    name: str,
    rates: Mapping[str, Mapping[int, float]],
    memory: int,
    said: Mapping[str, np.ndarray],
    targets: np.ndarray,
    threshold: float | None,
) -> dict[str, Any]:
    def decided(probabilities: np.ndarray) -> np.ndarray:
        if threshold is None:
            return probabilities.argmax(axis=1)
        return (probabilities[:, 1] >= threshold).astype(np.int64)

    own, base = said[name], said[BASE]
    most = BATCHES[-1]
    return {
        "engine": name,
        **{f"batch {size}": significant(rates[name][size]) for size in BATCHES},
        "times": significant(rates[name][most] / rates[BASE][most]),
        "MiB": memory,
        "accuracy": f"{(decided(own) == targets).mean():.4f}",
        "answers changed": int((decided(own) != decided(base)).sum()),
        "largest difference": f"{np.abs(own - base).max():.4f}",
    }


if __name__ == "__main__":
    main()
