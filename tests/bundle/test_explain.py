"""Heat without torch: where it lies, and that it is what captum says."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from bright import MAPPED, PLAIN, bright_bundle, square
from roadworthy.bundle.explain import Explainer, grid, log_odds, occluded, spread, towards
from roadworthy.bundle.format import EXPLAIN
from roadworthy.bundle.network import load_network
from roadworthy.bundle.predictor import Predictor
from roadworthy.data.transforms import normalise
from roadworthy.errors import BundleError
from roadworthy.evaluation import explanations
from roadworthy.models.outputs import to_probabilities
from roadworthy.params import Backbone, Head, Input
from support import tiny_bundle

LOGITS = st.lists(st.floats(-30, 30), min_size=2, max_size=6)


def correlation(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


@pytest.mark.parametrize(("side", "method"), [(MAPPED, "grad-cam"), (PLAIN, "occlusion")])
@pytest.mark.parametrize("place", [(0.25, 0.25), (0.75, 0.3)])
def test_heat_lies_where_the_evidence_is(
    side: int, method: str, place: tuple[float, float], tmp_path: Path
) -> None:
    """Protects what people will believe of a picture."""
    explainer = Explainer(Predictor(bright_bundle(tmp_path, side, margin=1.0)))
    centre = (place[0] * side, place[1] * side)
    picture = square((side, side), centre, side * 0.2)
    heat = explainer.heat(np.asarray(picture))
    assert (heat.method, heat.label) == (method, 1)
    assert (heat.values.shape, heat.values.dtype) == ((side, side), np.float32)
    assert heat.values.max() == 1 and heat.values.min() >= 0
    rows, columns = np.mgrid[:side, :side] + 0.5
    found = [(heat.values * axis).sum() / heat.values.sum() for axis in (columns, rows)]
    assert found == pytest.approx(centre, abs=side * 0.06)
    assert heat.probabilities == pytest.approx(
        explainer.predictor.probabilities(np.asarray(picture)[None])[0]
    )


@pytest.mark.parametrize("side", [MAPPED, PLAIN])
def test_what_speaks_for_one_label_speaks_not_for_the_other(side: int, tmp_path: Path) -> None:
    """One logit is evidence for two labels, with opposite signs."""
    explainer = Explainer(Predictor(bright_bundle(tmp_path, side, margin=1.0)))
    picture = np.asarray(square((side, side), (side / 3, side / 3), side * 0.2))
    assert explainer.heat(picture, 1).values.max() == 1
    assert explainer.heat(picture, 0).values.max() == 0


@pytest.mark.parametrize("labels", [("a", "b"), ("a", "b", "c")])
@pytest.mark.parametrize("hidden", [[], [16]], ids=["linear", "hidden"])
def test_the_graph_explains_as_captum_does(
    labels: tuple[str, ...], hidden: list[int], tmp_path: Path
) -> None:
    """Report and page show the same; BatchNorm and a flattened map are in between."""
    spec = {"input": Input(height=44, width=52), "head": Head(hidden=hidden, dropout=0.5)}
    folder = tiny_bundle(tmp_path, labels=labels, **spec)
    same_as_captum(folder, range(len(labels)), least=0.99)


@pytest.mark.slow
def test_a_resnet_is_explained_as_captum_does(tmp_path: Path) -> None:
    """The default backbone's family, at the least size that has maps fine enough."""
    backbone = Backbone(name="resnet18", weights=None)
    folder = tiny_bundle(
        tmp_path, labels=("a", "b", "c"), backbone=backbone, input=Input(height=192, width=192)
    )
    assert (folder / EXPLAIN).stat().st_size < 100_000
    same_as_captum(folder, [0, 2], least=0.99)


def same_as_captum(folder: Path, labels: range | list[int], least: float) -> None:
    explainer = Explainer(Predictor(folder))
    spec = explainer.predictor.spec
    network = load_network(folder, spec)
    shape = (spec.input.height, spec.input.width, 3)
    compared = 0
    for seed in range(3):
        pixels = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
        images = torch.from_numpy(normalise(pixels[None], spec.input))
        for label in labels:
            heat = explainer.heat(pixels, label)
            wanted = explanations.explain(network, images, np.array([label]))[0]
            assert heat.method == "grad-cam"
            assert heat.values == pytest.approx(wanted, abs=1e-3)
            if wanted.max() > 0:
                assert correlation(heat.values, wanted) > least
                compared += 1
    assert compared >= 3


def test_a_bundle_from_before_is_explained_by_occlusion(tmp_path: Path) -> None:
    """Champions in the registry have no such graph, and are served on."""
    folder = bright_bundle(tmp_path)
    (folder / EXPLAIN).unlink()
    heat = Explainer(Predictor(folder)).heat(np.full((MAPPED, MAPPED, 3), 200, np.uint8))
    assert heat.method == "occlusion"
    assert heat.values.max() == 1


def test_a_damaged_graph_is_said_when_loading(tmp_path: Path) -> None:
    """Not with the first request."""
    folder = bright_bundle(tmp_path)
    (folder / EXPLAIN).write_bytes(b"no graph")
    with pytest.raises(BundleError, match=EXPLAIN):
        Explainer(Predictor(folder))


@given(LOGITS, st.data())
def test_log_odds_are_those_of_the_probabilities(logits: list[float], data: st.DataObject) -> None:
    """Checked against their definition; no overflow."""
    label = data.draw(st.integers(0, len(logits) - 1))
    row = np.array([logits])
    found = log_odds(row, label)[0]
    own = to_probabilities(row)[0, label]
    if 1e-9 < own < 1 - 1e-9:
        assert found == pytest.approx(np.log(own / (1 - own)), abs=1e-5, rel=1e-5)
    assert np.isfinite(found)


@given(LOGITS, st.data())
def test_the_weights_are_the_gradient_of_the_log_odds(
    logits: list[float], data: st.DataObject
) -> None:
    """What Grad-CAM pulls back; one logit and two are the same question."""
    label = data.draw(st.integers(0, len(logits) - 1))
    row = np.array([logits])
    weights = towards(row, label)[0]
    step = 1e-4
    for place in range(len(logits)):
        moved = row.copy()
        moved[0, place] += step
        slope = (log_odds(moved, label) - log_odds(row, label))[0] / step
        assert weights[place] == pytest.approx(slope, abs=1e-3)
    assert towards(row[:, :1], 0)[0] == [-1.0]
    assert towards(row[:, :1], 1)[0] == [1.0]


@given(st.integers(20, 400), st.integers(20, 400))
def test_the_patch_goes_everywhere(height: int, width: int) -> None:
    """About 64 places, as far apart both ways, and no pixel is left out."""
    rows, columns = grid(height, width)
    assert 40 <= rows * columns <= 90
    pixels = np.zeros((height, width, 1), np.uint8)
    made = occluded(pixels, np.array([255], np.uint8), rows, columns)
    assert made.shape == (rows * columns, height, width, 1)
    assert (made.max(axis=0) == 255).all()
    assert (made.min(axis=0) == 0).all()


def test_nothing_positive_is_no_heat() -> None:
    """Instead of a division by nothing."""
    pixels = np.zeros((8, 9, 3), np.uint8)
    values = spread(np.array([[-1.0, 0.0]]), pixels, Image.Resampling.BILINEAR)
    assert values.shape == (8, 9)
    assert (values == 0).all()
