"""The one way to ask a bundle: CLI, service, batch scoring, gate and MLflow all come through here."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from roadworthy.bundle.format import (
    GRAPH,
    OPTIMISED,
    BundleSpec,
    digest,
    read_lineage,
    read_spec,
)
from roadworthy.data import images, transforms
from roadworthy.errors import BundleError, DataError
from roadworthy.models.outputs import to_probabilities
from roadworthy.params import Input

Picture = bytes | str | Path | np.ndarray | Image.Image
Engine = Literal["auto", "int8", "onnx", "torch"]
GRAPHS = {"int8": OPTIMISED, "onnx": GRAPH}
BATCH = 32
# Of a JPEG's decoded sides to those of the input, at least; see `scaled_to`.
SCALE = 3


@dataclass(frozen=True)
class Prediction:
    """The answer to one image."""

    label: str
    probability: float
    """Of the label, calibrated, 0 to 1."""
    sure: bool
    probabilities: dict[str, float]
    """Of every label; they add up to 1."""


@dataclass(frozen=True)
class Outputs:
    """What the network made of N images."""

    logits: np.ndarray
    """float64 (N, 1 or C), not yet calibrated."""
    embedding: np.ndarray | None = None
    """What the head is given, float32 (N, D); None from the graph of an older bundle."""
    maps: np.ndarray | None = None
    """The maps that Grad-CAM looks at, float32 (N, K, h, w); None where none were asked for or the
    graph gives none."""


Ask = Callable[[np.ndarray, bool], Outputs]
"""An engine: from normalised images (N, C, H, W), and whether maps are wanted."""


class Predictor:
    """A loaded bundle. Safe to call from several threads.

    Args:
        folder: the bundle; of its files only those that the engine takes need be there.
        engine: `onnx` (ONNX Runtime), `int8` (the same with the optimised graph), `torch`, or `auto`:
            the optimised graph where the bundle carries one that passed its parity gate, else the
            other, and torch where ONNX Runtime is not installed.
        threads: CPU threads of the engine; None leaves it to the engine.

    Raises:
        BundleError: the bundle is incomplete or the engine is not installed.
    """

    def __init__(self, folder: Path, engine: Engine = "auto", threads: int | None = None) -> None:
        self.folder = Path(folder)
        self.spec: BundleSpec = read_spec(self.folder)
        self.lineage = read_lineage(self.folder)
        self.engine = _chosen(self.folder, self.spec, engine)
        """`int8`, `onnx` or `torch`."""
        self.graph = self.folder / GRAPHS[self.engine] if self.engine in GRAPHS else None
        """The file that is computed; None with torch."""
        graph = self.graph
        self._ask = _onnx(graph, threads) if graph else _torch(self.folder, self.spec)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the files in the folder: the bundle's where all of it is there."""
        return digest(self.folder)

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
        """Decode one image to uint8 pixels (height, width, channels) of input size.

        A JPEG that is much larger is decoded at 1/2, 1/4 or 1/8 (see `scaled_to`).

        Raises:
            DataError: it cannot be used.
        """
        image = opened(picture, self.spec, scaled_to(self.spec.input))
        return transforms.centre(transforms.fit(image, self.spec.input), self.spec.input)

    def outputs(self, pixels: np.ndarray, maps: bool = False) -> Outputs:
        """What the network makes of prepared uint8 pixels (N, H, W, C), at least one.

        Args:
            maps: whether they are wanted, which are large.
        """
        parts = [
            self._ask(transforms.normalise(pixels[start : start + BATCH], self.spec.input), maps)
            for start in range(0, len(pixels), BATCH)
        ]
        return Outputs(
            np.concatenate([part.logits for part in parts]).astype(np.float64),
            _together([part.embedding for part in parts]),
            _together([part.maps for part in parts]),
        )

    def logits(self, pixels: np.ndarray) -> np.ndarray:
        """Raw network outputs (N, 1 or C) for prepared uint8 pixels (N, H, W, C)."""
        return self.outputs(pixels).logits

    def probabilities(self, pixels: np.ndarray) -> np.ndarray:
        """Calibrated probabilities (N, labels), float64, for prepared uint8 pixels (N, H, W, C)."""
        return to_probabilities(self.logits(pixels), self.spec.temperature)

    def decide(self, probabilities: np.ndarray, threshold: float | None = None) -> np.ndarray:
        """Numbers of the labels that are answered (N,), by threshold or by the largest.

        Args:
            threshold: of a binary task, instead of the bundle's own.
        """
        if self.spec.threshold is None:
            return np.asarray(probabilities.argmax(axis=1))
        least = self.spec.threshold if threshold is None else threshold
        return np.asarray(probabilities[:, 1] >= least, np.int64)

    def answer(self, probabilities: np.ndarray, threshold: float | None = None) -> Prediction:
        """Turn one row of probabilities into an answer, as `decide` does."""
        labels = self.spec.labels
        (best,) = self.decide(probabilities[None], threshold)
        return Prediction(
            label=labels[best],
            probability=float(probabilities[best]),
            sure=bool(probabilities[best] >= self.spec.sure),
            probabilities=dict(zip(labels, map(float, probabilities), strict=True)),
        )


def scaled_to(spec: Input) -> int:
    """No side of a JPEG is decoded to fewer pixels than this, if the file has them.

    Three times the larger side of what is made of it. On the 222 of 837 real JPEGs that come out
    smaller for 64 px, probabilities of three models moved by 0.004 in the mean and 0.06 at most,
    and 6 of 666 answers changed. On the 181 of them that four times scales too, both move them by
    0.004 and 0.04, twice the side by 0.018 and 0.19. Of 12 megapixels at 224 px three times takes
    25 ms, four times 44, decoding it in full 101.
    """
    return SCALE * max(transforms.cache_size(spec))


def opened(picture: Picture, spec: BundleSpec, at_least: int | None = None) -> Image.Image:
    """The decoded image, within the bundle's limits.

    Args:
        at_least: a JPEG may come out smaller, with no side below this (`data.images.decode`).

    Raises:
        DataError: it is too large or no usable image.
    """
    if isinstance(picture, np.ndarray):
        return images.from_array(picture)
    if isinstance(picture, Image.Image):
        return images.plain(picture)
    source = picture if isinstance(picture, bytes) else Path(picture)
    size = len(source) if isinstance(source, bytes) else _size(source)
    if size > spec.max_bytes:
        raise DataError(f"{size:,} bytes are over {spec.max_bytes:,}")
    return images.decode(source, spec.max_pixels, at_least).image


def _chosen(folder: Path, spec: BundleSpec, engine: Engine) -> str:
    if engine == "int8" and not (folder / OPTIMISED).is_file():
        raise BundleError(f"{folder} has no optimised graph that passed its parity gate")
    if engine != "auto":
        return engine
    if not find_spec("onnxruntime"):
        return "torch"
    return "int8" if spec.optimised and (folder / OPTIMISED).is_file() else "onnx"


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


def _onnx(graph: Path, threads: int | None) -> Ask:
    engine = session(graph, threads)
    name = engine.get_inputs()[0].name
    given = {output.name for output in engine.get_outputs()}
    few = [output for output in ("logits", "embedding") if output in given]
    many = [*few, "maps"] if "maps" in given else few

    def ask(batch: np.ndarray, maps: bool) -> Outputs:
        wanted = many if maps else few
        return Outputs(**dict(zip(wanted, engine.run(wanted, {name: batch}), strict=True)))

    return ask


def _torch(folder: Path, spec: BundleSpec) -> Ask:
    try:
        import torch

        from roadworthy.bundle.network import load_network
    except ImportError as error:
        raise BundleError(f"neither onnxruntime nor torch can be used: {error}") from None
    network = load_network(folder, spec)

    def ask(batch: np.ndarray, maps: bool) -> Outputs:
        with torch.inference_mode():
            made = network.backbone(torch.from_numpy(batch))
            embedding = made[0] if isinstance(made, tuple) else made
            logits = network.head(embedding)
        return Outputs(logits.float().numpy(), embedding.float().numpy())

    return ask


def _together(parts: Sequence[np.ndarray | None]) -> np.ndarray | None:
    known = [part for part in parts if part is not None]
    return np.concatenate(known) if known else None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None
