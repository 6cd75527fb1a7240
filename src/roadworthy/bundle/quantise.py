"""The inference graph in 8 bits, kept only where it answers as well as the one in 32.

Static quantisation with ONNX Runtime (Jacob et al. 2018, "Quantization and training of neural networks
for efficient integer-arithmetic-only inference"): weights signed, one scale per channel, activations
unsigned, with the range that calibration images span. Weights have 7 bits: products of 8 x 8 overflow
in processors without VNNI, and what was judged on one machine must hold on another. What comes after
the embedding stays as it is: that is little work, and it is where rounding shows most.
"""

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from roadworthy.bundle.format import GRAPH, OPTIMISED, SPEC, Optimised, read_spec
from roadworthy.bundle.predictor import Predictor
from roadworthy.data.transforms import normalise
from roadworthy.errors import BundleError
from roadworthy.layout import write_json
from roadworthy.params import Input

CALIBRATION = 256
"""Images that say which range each activation has. With 128 and with 512 the mean difference of
probabilities on the road's four tasks was much the same (0.0005 to 0.0022, 0.0004 to 0.0026)."""
BATCH = 16
# Averages over all positions: rounding them saves nothing, and the embedding is made of them.
EXACT = ("GlobalAveragePool", "ReduceMean")


@dataclass(frozen=True)
class Outcome:
    """What became of the optimised graph."""

    optimised: Optimised | None
    """How it answers; None where the bundle goes without."""
    reason: str
    """Why it was kept or not."""


def optimise(
    folder: Path,
    calibration: np.ndarray,
    pixels: np.ndarray,
    targets: np.ndarray,
    max_drop: float,
) -> Outcome:
    """Give a bundle an optimised graph if it passes the gate, and record it in `bundle.json`.

    Without one the bundle is as it was. Nothing here depends on a clock: the same bundle and images
    give the same bytes.

    Args:
        calibration: prepared uint8 pixels (N, H, W, C) of training images.
        pixels: prepared uint8 pixels of the test split.
        targets: numbers of their labels (N,).
        max_drop: accuracy that may be lost, 0 to 1.

    Raises:
        BundleError: the bundle is incomplete.
    """
    spec, graph = read_spec(folder), folder / OPTIMISED
    if not len(pixels) or not len(calibration):
        return Outcome(None, "there are no images to judge it by")
    try:
        quantise(folder / GRAPH, graph, calibration, spec.input)
        found = compared(folder, pixels, targets)
    except BundleError as error:
        graph.unlink(missing_ok=True)
        return Outcome(None, str(error))
    if found.drop > max_drop:
        graph.unlink()
        lost = f"it loses {100 * found.drop:.2f} points of accuracy on {found.images} test images"
        return Outcome(None, f"{lost}, export.max_drop allows {100 * max_drop:.2f}")
    recorded = spec.model_copy(update={"optimised": found})
    write_json(folder / SPEC, recorded.model_dump(mode="json"))
    about = f"accuracy {found.accuracy:.3f}, in fp32 {found.accuracy_fp32:.3f}"
    return Outcome(found, f"{about}, on {found.images} test images")


def quantise(graph: Path, into: Path, calibration: np.ndarray, spec: Input) -> None:
    """Write a graph in 8 bits (QDQ), with the inputs and outputs of `graph`.

    Args:
        calibration: prepared uint8 pixels (N, H, W, C).

    Raises:
        BundleError: ONNX Runtime cannot quantise this graph, or onnx is not installed.
    """
    try:
        import onnx
        from onnxruntime import quantization as ort
        from onnxruntime.quantization.shape_inference import quant_pre_process
    except ImportError as error:
        raise BundleError(f"quantising needs onnx and onnxruntime: {error}") from None
    with tempfile.TemporaryDirectory(prefix="roadworthy-") as name, _quiet():
        plain = Path(name) / GRAPH
        try:
            # Folds BatchNorm. Its symbolic shapes are for graphs with free sides inside.
            quant_pre_process(str(graph), str(plain), skip_symbolic_shape=True)
            ort.quantize_static(
                str(plain),
                str(into),
                _reader(calibration, spec),
                quant_format=ort.QuantFormat.QDQ,
                activation_type=ort.QuantType.QUInt8,
                weight_type=ort.QuantType.QInt8,
                calibrate_method=ort.CalibrationMethod.MinMax,
                per_channel=True,
                reduce_range=True,
                nodes_to_exclude=_exact(onnx.load(str(plain)).graph),
            )
        except Exception as error:  # neither ONNX Runtime's nor onnx' exceptions share a base class
            into.unlink(missing_ok=True)
            reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
            raise BundleError(f"{graph} cannot be quantised: {reason}") from error


def compared(folder: Path, pixels: np.ndarray, targets: np.ndarray) -> Optimised:
    """How a bundle's graph in 8 bits answers beside the one in 32, with the bundle's own decisions.

    Args:
        pixels: prepared uint8 pixels (N, H, W, C), at least one.
        targets: numbers of their labels (N,).

    Raises:
        BundleError: a graph cannot be loaded, or gives what is no number.
    """
    full, small = Predictor(folder, "onnx"), Predictor(folder, "int8")
    before, after = full.probabilities(pixels), small.probabilities(pixels)
    if not np.isfinite(after).all():
        # Comparisons with NaN are false: it would pass for the first class.
        raise BundleError("in 8 bits the network gives no number for some images")
    right, still = (int((full.decide(answers) == targets).sum()) for answers in (before, after))
    count = len(pixels)
    return Optimised(
        accuracy=still / count,
        accuracy_fp32=right / count,
        drop=(right - still) / count,
        difference=float(np.abs(after - before).max()),
        images=count,
    )


def spread(count: int, most: int = CALIBRATION) -> np.ndarray:
    """Up to `most` of `count` places, evenly apart, ascending."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.int64))


def _reader(calibration: np.ndarray, spec: Input) -> Any:
    """Batches of normalised images, as `quantize_static` asks for them."""
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            starts = range(0, len(calibration), BATCH)
            self.parts = iter([calibration[start : start + BATCH] for start in starts])

        def get_next(self) -> dict[str, np.ndarray] | None:
            part = next(self.parts, None)
            return None if part is None else {"images": normalise(part, spec)}

    return Reader()


def _exact(graph: Any) -> list[str]:
    """Names of the nodes that stay in fp32: the head, and averages over all positions."""
    outputs = {output.name for output in graph.output}
    # A graph from before `embedding` was an output: its last layer alone.
    reached = {"embedding"} if "embedding" in outputs else set()
    kept = []
    for node in graph.node:  # sorted, says ONNX: what makes a value comes before who takes it
        head = reached & set(node.input) or "logits" in node.output
        if head:
            reached |= set(node.output)
        if head or node.op_type in EXACT:
            kept.append(node.name)
    return kept


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the quantiser's advice, which it logs to the root logger."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
