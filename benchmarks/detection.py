"""How fast a picture is searched: `python -m benchmarks.detection [--bundle FOLDER]`.

One pass over the whole picture against classifying each window alone, at stride 4 on a picture of
676 x 380, with torch and with ONNX Runtime, and the same with the windows in batches of 64; what all
of them find must be the same boxes. Then pictures per second of the served search at three scales.
Two minutes on two quiet cores, most of them the windows alone.
"""

import argparse
import statistics
from collections.abc import Callable
from pathlib import Path
from random import Random
from time import perf_counter

import numpy as np
import torch
from PIL import Image
from torch import nn

from benchmarks.reporting import Result
from roadworthy.bundle.finder import Finder
from roadworthy.bundle.format import SEARCH, BundleSpec, read_spec
from roadworthy.bundle.network import load_network
from roadworthy.bundle.predictor import Predictor, session
from roadworthy.data.generated.scenes import draw_scene
from roadworthy.data.transforms import normalise
from roadworthy.detection import pyramid
from roadworthy.detection.convert import slide
from roadworthy.detection.spectral import SpectralConv2d
from roadworthy.detection.torched import suppress
from roadworthy.models.outputs import to_probabilities

SIZE = (676, 380)
THREE_SCALES = {"smallest": 0.2, "largest": 0.34, "step": 1.3}
ROUNDS = 5
# Pixels, as cars are in their windows.
CAR = 90
# Overlap and probability of the boxes that are compared.
OVERLAP, LEAST = 0.25, 0.3
Ask = Callable[[np.ndarray], np.ndarray]


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", type=Path, default=Path("artifacts/detector/export"))
    bundle = parser.parse_args().bundle
    print(passes(bundle).markdown())
    print(three_scales(bundle).markdown())


def passes(bundle: Path) -> Result:
    """Each way of asking every window of one picture, with its time and its boxes."""
    spec = read_spec(bundle)
    network = load_network(bundle, spec)
    sliding = slide(network, spec.input)
    picture = pyramid.level(scene(), 1.0, spec.input, sliding.stride)
    corners = pyramid.corners(picture, spec.input, sliding.stride)
    engine, graph = session(bundle / SEARCH, None), Predictor(bundle, engine="onnx")
    whole = normalise(picture[None], spec.input)

    def alone(ask: Ask, batch: int) -> np.ndarray:
        return windows(picture, corners, spec, ask, batch)

    def torched(batch: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return network(torch.from_numpy(batch)).numpy()

    def one_pass(module: nn.Module) -> np.ndarray:
        with torch.inference_mode():
            return flat(module(torch.from_numpy(whole))[0].numpy())

    def onnx(batch: np.ndarray) -> np.ndarray:
        return graph._ask(batch, False).logits

    plain = _plain(sliding)
    ways: list[tuple[str, str, Callable[[], np.ndarray], int]] = [
        ("torch", "each window alone", lambda: alone(torched, 1), 1),
        ("torch", "windows in batches of 64", lambda: alone(torched, 64), 1),
        ("torch", "one pass, plain convolution", lambda: one_pass(plain), ROUNDS),
        ("torch", "one pass", lambda: one_pass(sliding), ROUNDS),
        ("ONNX Runtime", "each window alone", lambda: alone(onnx, 1), 1),
        ("ONNX Runtime", "windows in batches of 64", lambda: alone(onnx, 64), 1),
        ("ONNX Runtime", "one pass", lambda: flat(engine.run(None, {"picture": whole})[0]), ROUNDS),
    ]
    rows, slowest, first = [], {}, None
    for name, way, run, rounds in ways:
        seconds, logits = timed(run, rounds)
        boxes = found(logits, corners, spec)
        first = boxes if first is None else first
        base = slowest.setdefault(name, seconds)
        rows.append(
            {
                "engine": name,
                "way": way,
                "s": round(seconds, 3),
                "times faster": round(base / seconds, 1),
                "boxes": len(boxes),
                "same boxes": np.array_equal(boxes, first),
            }
        )
    return Result("detection", f"{len(corners):,} windows of a picture of 676 x 380", rows)


def three_scales(bundle: Path) -> Result:
    """Pictures per second of the search as it is served."""
    finder = Finder(bundle)
    searcher = finder._searcher
    settings = searcher.settings.model_copy(update=THREE_SCALES)
    object.__setattr__(searcher, "settings", settings)
    scales = pyramid.scales(SIZE, searcher.input, settings)
    seconds, _ = timed(lambda: finder.find(scene()), ROUNDS)
    row = {"scales": len(scales), "pictures/s": round(1 / seconds, 2), "ms": round(1000 * seconds)}
    return Result("detection_scales", "the served search of a picture of 676 x 380", [row])


def scene() -> Image.Image:
    """A generated street, repeated to 676 x 380, whose first car is about as wide as the window."""
    picture, cars = draw_scene(Random("benchmark"), cars=3)
    scale = CAR / (cars[0].width * picture.width)
    plain = picture.convert("L").resize([round(side * scale) for side in picture.size])
    missing = [(0, max(0, want - have)) for want, have in zip(SIZE, plain.size, strict=True)][::-1]
    pixels = np.pad(np.asarray(plain), missing, mode="wrap")
    return Image.fromarray(pixels[: SIZE[1], : SIZE[0]])


def windows(
    picture: np.ndarray, corners: np.ndarray, spec: BundleSpec, ask: Ask, batch: int
) -> np.ndarray:
    """Logits (N, outputs) of each window, cut out and asked by so many."""
    high, wide = spec.input.height, spec.input.width
    parts = []
    for start in range(0, len(corners), batch):
        cut = [picture[y : y + high, x : x + wide] for x, y in corners[start : start + batch]]
        parts.append(ask(normalise(np.stack(cut), spec.input)))
    return np.concatenate(parts)


def flat(maps: np.ndarray) -> np.ndarray:
    """Logits (N, outputs) of maps (1, outputs, h, w)."""
    return maps[0].reshape(maps.shape[1], -1).T


def found(logits: np.ndarray, corners: np.ndarray, spec: BundleSpec) -> np.ndarray:
    """Windows that remain as boxes, (N, 4)."""
    sure = to_probabilities(logits.astype(np.float64), spec.temperature)[:, -1]
    likely = sure >= LEAST
    boxes = pyramid.windows(corners[likely], spec.input).astype(np.float32)
    kept = suppress(boxes, sure[likely].round(4).astype(np.float32), OVERLAP)
    return boxes[kept]


def timed(run: Callable[[], np.ndarray], rounds: int) -> tuple[float, np.ndarray]:
    """Median seconds, and what came out; more than one round follow one that does not count."""
    taken, result = [], run() if rounds > 1 else None
    for _ in range(rounds):
        start = perf_counter()
        result = run()
        taken.append(perf_counter() - start)
    assert result is not None
    return statistics.median(taken), result


def _plain(sliding: nn.Module) -> nn.Module:
    """The same with ordinary convolutions where the transform is used."""
    from copy import deepcopy

    module = deepcopy(sliding)
    for name, layer in list(module.named_modules()):
        if isinstance(layer, SpectralConv2d):
            kernel = layer.weight.permute(2, 1, 0, 3)
            convolution = nn.Conv2d(kernel.shape[1], kernel.shape[0], kernel.shape[2:])
            convolution.weight, convolution.bias = nn.Parameter(kernel), layer.bias
            module.set_submodule(name, convolution)
    return module.eval()


if __name__ == "__main__":
    main()
