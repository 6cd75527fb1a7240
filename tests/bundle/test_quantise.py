"""A graph in 8 bits is served only where it answers as well as the one in 32."""

import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest

from roadworthy.bundle import quantise
from roadworthy.bundle.format import GRAPH, OPTIMISED, SPEC, digest, read_spec
from roadworthy.bundle.predictor import Predictor
from roadworthy.errors import BundleError
from roadworthy.layout import write_json
from support import tiny_bundle


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (60, 20, 20, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, pixels: np.ndarray) -> Path:
    """Its threshold is the median: half of the answers are a near thing, and rounding turns some."""
    folder = tiny_bundle(tmp_path_factory.mktemp("plain"))
    median = float(np.median(Predictor(folder, "onnx").probabilities(pixels)[:, 1]))
    spec = read_spec(folder).model_copy(update={"threshold": median})
    write_json(folder / SPEC, spec.model_dump(mode="json"))
    return folder


@pytest.fixture(scope="module")
def targets(plain: Path, pixels: np.ndarray) -> np.ndarray:
    """What the network in fp32 answers: it is always right."""
    predictor = Predictor(plain, "onnx")
    return predictor.decide(predictor.probabilities(pixels))


@pytest.fixture
def bundle(plain: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(plain, tmp_path / "bundle"))


def test_what_passes_is_recorded_and_served(
    bundle: Path, pixels: np.ndarray, targets: np.ndarray
) -> None:
    """The figures in bundle.json are those of the graph that answers."""
    before = digest(bundle)
    outcome = quantise.optimise(bundle, pixels, pixels, targets, max_drop=1.0)
    predictor = Predictor(bundle)
    assert predictor.engine == "int8"
    assert predictor.graph == bundle / OPTIMISED
    assert read_spec(bundle).optimised == outcome.optimised
    answers = predictor.probabilities(pixels)
    full = Predictor(bundle, "onnx").probabilities(pixels)
    assert outcome.optimised is not None
    assert outcome.optimised.accuracy == (predictor.decide(answers) == targets).mean()
    assert outcome.optimised.accuracy_fp32 == 1
    assert outcome.optimised.images == 60
    assert outcome.optimised.difference == np.abs(answers - full).max()
    assert 0 < outcome.optimised.difference < 0.05
    assert predictor.digest != before


def test_what_loses_too_much_is_not_kept(
    bundle: Path, pixels: np.ndarray, targets: np.ndarray
) -> None:
    """The bundle is as it was, byte for byte, and says why."""
    before = digest(bundle)
    outcome = quantise.optimise(bundle, pixels, pixels, targets, max_drop=0.002)
    assert outcome.optimised is None
    assert "points of accuracy on 60 test images, export.max_drop allows 0.20" in outcome.reason
    assert digest(bundle) == before
    assert Predictor(bundle).engine == "onnx"


def test_a_drop_of_just_what_is_allowed_passes(
    bundle: Path, pixels: np.ndarray, targets: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of 500 is 0.002, and rounding does not make it more."""
    found = quantise.Optimised(
        accuracy=499 / 500, accuracy_fp32=1.0, drop=1 / 500, difference=0.1, images=500
    )
    monkeypatch.setattr(quantise, "compared", lambda *given: found)
    assert quantise.optimise(bundle, pixels, pixels, targets, max_drop=0.002).optimised == found


def test_a_network_that_cannot_be_quantised_is_exported_without(
    bundle: Path, pixels: np.ndarray, targets: np.ndarray
) -> None:
    """An odd backbone does not stop the road."""
    (bundle / GRAPH).write_bytes(b"no graph")
    spec = (bundle / SPEC).read_bytes()
    outcome = quantise.optimise(bundle, pixels, pixels, targets, max_drop=0.002)
    assert outcome.optimised is None
    assert "cannot be quantised" in outcome.reason
    assert not (bundle / OPTIMISED).exists()
    assert (bundle / SPEC).read_bytes() == spec


def test_nothing_is_judged_by_no_images(bundle: Path, pixels: np.ndarray) -> None:
    """A share of nothing is no accuracy."""
    none = pixels[:0]
    assert quantise.optimise(bundle, none, pixels, np.zeros(60), 1.0).optimised is None
    assert quantise.optimise(bundle, pixels, none, np.zeros(0), 1.0).optimised is None
    assert not (bundle / OPTIMISED).exists()


def test_the_same_images_make_the_same_bytes(
    bundle: Path, pixels: np.ndarray, tmp_path: Path
) -> None:
    """Protects DVC's cache and the digest: the same model in two folders is one model."""
    spec = read_spec(bundle).input
    files = [tmp_path / name for name in ("one.onnx", "two.onnx")]
    for path in files:
        quantise.quantise(bundle / GRAPH, path, pixels, spec)
    assert files[0].read_bytes() == files[1].read_bytes()


def test_outputs_keep_their_names_and_the_head_its_precision(
    bundle: Path, pixels: np.ndarray, tmp_path: Path
) -> None:
    """Protects explanations and drift, which ask for embedding and maps by name."""
    quantise.quantise(bundle / GRAPH, tmp_path / "small.onnx", pixels, read_spec(bundle).input)
    small = onnx.load(tmp_path / "small.onnx").graph
    full = onnx.load(bundle / GRAPH).graph
    assert [output.name for output in small.output] == [output.name for output in full.output]
    (head,) = [node for node in small.node if "logits" in node.output]
    made_by = {name: node.op_type for node in small.node for name in node.output}
    assert all(made_by.get(name) != "DequantizeLinear" for name in head.input[1:])
    assert "QuantizeLinear" in made_by.values()


def test_weights_have_seven_bits(bundle: Path, pixels: np.ndarray, tmp_path: Path) -> None:
    """Protects answers on processors without VNNI, whose sums of products of 8 x 8 bits overflow."""
    quantise.quantise(bundle / GRAPH, tmp_path / "small.onnx", pixels, read_spec(bundle).input)
    small = onnx.load(tmp_path / "small.onnx").graph
    weights = [onnx.numpy_helper.to_array(one) for one in small.initializer]
    signed = [one for one in weights if one.dtype == np.int8 and one.ndim > 1]
    assert signed
    assert max(int(np.abs(one.astype(int)).max()) for one in signed) <= 64


def test_a_graph_that_gives_no_numbers_is_refused(
    bundle: Path, pixels: np.ndarray, targets: np.ndarray
) -> None:
    """NaN is never the largest: it would pass for the first class."""
    shutil.copy(bundle / GRAPH, bundle / OPTIMISED)
    graph = onnx.load(bundle / OPTIMISED)
    (bias,) = [one for one in graph.graph.initializer if one.name.endswith("head.0.bias")]
    bias.CopyFrom(onnx.numpy_helper.from_array(np.full(1, np.nan, np.float32), bias.name))
    onnx.save(graph, bundle / OPTIMISED)
    with pytest.raises(BundleError, match="no number"):
        quantise.compared(bundle, pixels, targets)


@pytest.mark.parametrize(("count", "most"), [(1, 8), (5, 8), (8, 8), (1000, 8), (9, 8)])
def test_calibration_images_are_spread(count: int, most: int) -> None:
    """From the first to the last, none twice."""
    places = quantise.spread(count, most)
    assert len(places) == min(count, most)
    assert places[0] == 0
    assert places[-1] == count - 1 or most == 1
    assert (np.diff(places) > 0).all()
