"""The one way to ask a bundle: CLI, service, batch scoring, gate and MLflow all come through here."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from roadworthy.bundle.format import GRAPH, BundleSpec, digest, read_lineage, read_spec
from roadworthy.data import images, transforms
from roadworthy.errors import BundleError, DataError
from roadworthy.models.outputs import to_probabilities

Picture = bytes | str | Path | np.ndarray | Image.Image
Engine = Literal["auto", "onnx", "torch"]
BATCH = 32


@dataclass(frozen=True)
class Prediction:
    """The answer to one image."""

    label: str
    probability: float
    """Of the label, calibrated, 0 to 1."""
    sure: bool
    probabilities: dict[str, float]
    """Of every label; they add up to 1."""


class Predictor:
    """A loaded bundle. Safe to call from several threads.

    Args:
        folder: the bundle.
        engine: `onnx` (ONNX Runtime), `torch`, or `auto`: the graph where ONNX Runtime is installed.
        threads: CPU threads of the engine; None leaves it to the engine.

    Raises:
        BundleError: the bundle is incomplete or the engine is not installed.
    """

    def __init__(self, folder: Path, engine: Engine = "auto", threads: int | None = None) -> None:
        self.folder = Path(folder)
        self.spec: BundleSpec = read_spec(self.folder)
        self.lineage = read_lineage(self.folder)
        self.digest = digest(self.folder)
        self.engine, self._logits = _engine(self.folder, self.spec, engine, threads)

    def predict(self, pictures: Sequence[Picture]) -> list[Prediction]:
        """Answer images given as encoded bytes, file paths, PIL images or uint8 arrays (H, W, C).

        Raises:
            DataError: an image cannot be used; the message says which (counting from 0) and why.
        """
        prepared = []
        for number, picture in enumerate(pictures):
            try:
                prepared.append(self.prepare(picture))
            except DataError as error:
                raise DataError(f"image {number}: {error}") from None
        if not prepared:
            return []
        return [self.answer(row) for row in self.probabilities(np.stack(prepared))]

    def prepare(self, picture: Picture) -> np.ndarray:
        """Decode one image to uint8 pixels (height, width, channels) of input size."""
        image = opened(picture, self.spec)
        return transforms.centre(transforms.fit(image, self.spec.input), self.spec.input)

    def logits(self, pixels: np.ndarray) -> np.ndarray:
        """Raw network outputs (N, 1 or C) for prepared uint8 pixels (N, H, W, C)."""
        parts = [
            self._logits(transforms.normalise(pixels[start : start + BATCH], self.spec.input))
            for start in range(0, len(pixels), BATCH)
        ]
        return np.concatenate(parts).astype(np.float64)

    def probabilities(self, pixels: np.ndarray) -> np.ndarray:
        """Calibrated probabilities (N, labels), float64, for prepared uint8 pixels (N, H, W, C)."""
        return to_probabilities(self.logits(pixels), self.spec.temperature)

    def decide(self, probabilities: np.ndarray) -> np.ndarray:
        """Numbers of the labels that are answered (N,), by threshold or by the largest."""
        if self.spec.threshold is not None:
            return np.asarray(probabilities[:, 1] >= self.spec.threshold, np.int64)
        return np.asarray(probabilities.argmax(axis=1))

    def answer(self, probabilities: np.ndarray) -> Prediction:
        """Turn one row of probabilities into an answer, by threshold or by the largest."""
        labels = self.spec.labels
        (best,) = self.decide(probabilities[None])
        return Prediction(
            label=labels[best],
            probability=float(probabilities[best]),
            sure=bool(probabilities[best] >= self.spec.sure),
            probabilities=dict(zip(labels, map(float, probabilities), strict=True)),
        )


def opened(picture: Picture, spec: BundleSpec) -> Image.Image:
    """The decoded image, within the bundle's limits.

    Raises:
        DataError: it is too large or no usable image.
    """
    if isinstance(picture, np.ndarray):
        return images.from_array(picture)
    if isinstance(picture, Image.Image):
        return picture
    source = picture if isinstance(picture, bytes) else Path(picture)
    size = len(source) if isinstance(source, bytes) else _size(source)
    if size > spec.max_bytes:
        raise DataError(f"{size:,} bytes are over {spec.max_bytes:,}")
    return images.open_image(source, spec.max_pixels)


def _engine(
    folder: Path, spec: BundleSpec, engine: Engine, threads: int | None
) -> tuple[str, Callable[[np.ndarray], np.ndarray]]:
    if engine == "onnx" or (engine == "auto" and find_spec("onnxruntime")):
        return "onnx", _onnx(folder / GRAPH, threads)
    return "torch", _torch(folder, spec)


def session(graph: Path, threads: int | None) -> Any:
    """An ONNX Runtime session on a graph of a bundle.

    Raises:
        BundleError: the graph is missing or damaged, or ONNX Runtime is not installed.
    """
    try:
        import onnxruntime
    except ImportError:
        raise BundleError("onnxruntime is not installed") from None
    if not graph.is_file():
        raise BundleError(f"{graph} is missing")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if threads:
        options.intra_op_num_threads = threads
    try:
        return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's own exceptions share no base class
        raise BundleError(f"{graph} cannot be loaded: {str(error).splitlines()[0]}") from None


def _onnx(graph: Path, threads: int | None) -> Callable[[np.ndarray], np.ndarray]:
    engine = session(graph, threads)
    name = engine.get_inputs()[0].name

    def run(batch: np.ndarray) -> np.ndarray:
        result: np.ndarray = engine.run(None, {name: batch})[0]
        return result

    return run


def _torch(folder: Path, spec: BundleSpec) -> Callable[[np.ndarray], np.ndarray]:
    try:
        import torch

        from roadworthy.bundle.network import load_network
    except ImportError as error:
        raise BundleError(f"neither onnxruntime nor torch can be used: {error}") from None
    network = load_network(folder, spec)

    def run(batch: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            result: np.ndarray = network(torch.from_numpy(batch)).float().numpy()
        return result

    return run


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None
