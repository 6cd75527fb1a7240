"""How fast a bundle answers on this machine: its graph beside torch, or several bundles by turns."""

import platform
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch

from roadworthy.bundle.format import GRAPH, read_spec
from roadworthy.bundle.predictor import BATCH, Predictor
from roadworthy.evaluation.findings import Speed
from roadworthy.models.build import build

# Calls of one before the next one has its turn. The first is not counted: threads of the one before
# still spin, and caches are full of its weights.
TURN = 4
LEAST_TURNS, MOST_TURNS = 2, 60
# Turns end when this has passed.
SECONDS = 1.5
# The gate decides by a ratio of two, which must not be chance on a machine that does other things.
GATE_SECONDS = 4.0
CPU_INFO = Path("/proc/cpuinfo")


def measure(folder: Path, pixels: np.ndarray) -> Speed:
    """Measure a bundle, with as many threads for the graph as torch has in this process.

    Args:
        pixels: prepared uint8 pixels (N, H, W, C) of input size, at least one; 32 are enough.

    Raises:
        BundleError: the bundle is incomplete, or ONNX Runtime is not installed.
    """
    threads = torch.get_num_threads()
    graph = Predictor(folder, "onnx", threads)
    reference = Predictor(folder, "torch")
    asks = (graph.probabilities, reference.probabilities)
    many = np.resize(pixels, (BATCH, *pixels.shape[1:]))
    single = by_turns([partial(ask, pixels[:1]) for ask in asks])
    batches = by_turns([partial(ask, many) for ask in asks], turn=2)
    return Speed(
        machine=f"{processor()}, {threads} {'thread' if threads == 1 else 'threads'}",
        latency_ms=_milliseconds(single[0]),
        latency_p95_ms=_milliseconds(single[0], 0.95),
        throughput=1000 * BATCH / _milliseconds(batches[0]),
        torch_latency_ms=_milliseconds(single[1]),
        torch_throughput=1000 * BATCH / _milliseconds(batches[1]),
        megabytes=(folder / GRAPH).stat().st_size / 1e6,
        parameters=parameters(folder),
        disagreement=float(np.abs(asks[0](pixels) - asks[1](pixels)).max()),
    )


def gain(folder: Path, pixels: np.ndarray) -> float:
    """How many times as fast as in fp32 the optimised graph answers, by the quickest batch of each.

    Args:
        pixels: prepared uint8 pixels (N, H, W, C) of input size, at least one; 32 are enough.
    """
    threads = torch.get_num_threads()
    many = np.resize(pixels, (BATCH, *pixels.shape[1:]))
    asks = [
        partial(Predictor(folder, engine, threads).outputs, many) for engine in ("onnx", "int8")
    ]
    full, small = by_turns(asks, turn=2)
    return float(full.min() / small.min())


def latencies(predictors: Sequence[Predictor], pixels: Sequence[np.ndarray]) -> list[float]:
    """Median milliseconds for one image of each bundle, measured by turns.

    Args:
        pixels: for each bundle prepared uint8 pixels (N, H, W, C) of its input size; the first
            image is asked.
    """
    asks = [
        partial(predictor.probabilities, images[:1])
        for predictor, images in zip(predictors, pixels, strict=True)
    ]
    return [_milliseconds(times) for times in by_turns(asks, seconds=GATE_SECONDS)]


def by_turns(
    asks: Sequence[Callable[[], object]], turn: int = TURN, seconds: float = SECONDS
) -> list[np.ndarray]:
    """Seconds of every counted call, one array for each of `asks`.

    They take turns of `turn` calls, so that a machine that slows down does so for all.
    """
    times: list[list[float]] = [[] for _ in asks]
    start = time.perf_counter()
    for number in range(MOST_TURNS):
        if number >= LEAST_TURNS and time.perf_counter() - start > seconds:
            break
        for ask, own in zip(asks, times, strict=True):
            ask()
            for _ in range(turn - 1):
                before = time.perf_counter()
                ask()
                own.append(time.perf_counter() - before)
    return [np.array(own) for own in times]


def parameters(folder: Path) -> int:
    """How many numbers the bundle's network has learned."""
    spec = read_spec(folder)
    outputs = 1 if spec.outputs == "sigmoid" else len(spec.labels)
    with torch.device("meta"):  # shapes only
        network = build(spec.backbone, spec.head, outputs, spec.input)
    return sum(parameter.numel() for parameter in network.parameters())


def processor() -> str:
    """The model of this machine's processor, as the system names it."""
    if CPU_INFO.is_file():
        for line in CPU_INFO.read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return " ".join(value.split())
    return platform.processor() or platform.machine()


def _milliseconds(times: np.ndarray, quantile: float = 0.5) -> float:
    return float(1000 * np.quantile(times, quantile))
