"""A search is measured with intervals over scenes, fast, and agrees with COCO's own reckoning."""

import io
from contextlib import redirect_stderr, redirect_stdout

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roadworthy.errors import DataError
from roadworthy.evaluation import scenes as scenes_of
from roadworthy.evaluation.bootstrap import Bootstrap
from roadworthy.evaluation.detections import Detections, rank
from roadworthy.evaluation.scenes import coco, measure
from scenes_made import detections

FIGURES = ("average_precision", "equal_error", "precision", "recall", "f1", "false_alarms")
NONE = np.empty((0, 4), np.float32)
FEW = Bootstrap(100)


def without_cars(scenes: int = 3) -> Detections:
    alarm = np.array([[0, 0, 100, 40]], np.float32)
    return Detections([NONE] * scenes, [alarm] * scenes, [np.array([0.8], np.float32)] * scenes)


def test_every_figure_has_its_interval() -> None:
    """Counts are those of the scenes, and no interval leaves its figure out."""
    given = detections(40)
    found = measure(given, 0.5, FEW)
    assert tuple(found.figures) == (*FIGURES, "map", "map50")
    assert all(one.low <= one.value <= one.high for one in found.figures.values())
    assert all(one.low < one.high for one in found.figures.values())
    assert (found.images, found.with_cars, found.cars) == (40, 30, int(given.cars.sum()))
    assert found.figures["average_precision"].value == rank(given).steps().area()
    assert found.figures["recall"].value == rank(given).steps().at(0.5)["recall"]


def test_more_scenes_narrow_the_interval() -> None:
    """The interval is about scenes, not about boxes."""
    wide, narrow = (
        measure(detections(count), 0.5, FEW).figures["average_precision"] for count in (24, 240)
    )
    assert narrow.high - narrow.low < 0.6 * (wide.high - wide.low)


@pytest.mark.slow
def test_the_interval_of_the_area_covers_the_truth() -> None:
    """Protects the word "95 %" on 60 scenes."""
    truth = rank(detections(6_000, seed=1)).steps().area()
    inside = 0
    for seed in range(100, 200):
        given = detections(60, seed=seed)
        ranking = rank(given)
        resampled = Bootstrap(200).resample(
            lambda places, r=ranking: [r.steps(places).area()], np.arange(60)
        )
        one = resampled.estimate(0, 0.95)
        inside += one.low <= truth <= one.high
    assert inside / 100 >= 0.88


def test_scenes_are_matched_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand resamples match nothing again: that would take minutes."""
    counted: list[float] = []
    matched = scenes_of.rank

    def counting(given: Detections, iou: float = 0.5) -> object:
        counted.append(iou)
        return matched(given, iou)

    monkeypatch.setattr(scenes_of, "rank", counting)
    measure(detections(6), 0.5, FEW)
    assert len(counted) == 1 + 10


@settings(max_examples=12, deadline=None)
@given(st.floats(0.2, 1), st.floats(0, 3), st.floats(0, 12), st.integers(0, 1000))
def test_coco_agrees_with_the_curve(hit: float, alarms: float, shift: float, seed: int) -> None:
    """Two ways to match and to reckon give one figure; torchmetrics takes 101 points in single precision."""
    given = detections(12, hit=hit, alarms=alarms, shift=shift, seed=seed)
    steps = rank(given).steps()
    found = coco(given)["map50"]
    # Rounding may move a step past one of the 101 points, at either end of it.
    assert found == pytest.approx(steps.area_at_101(), abs=0.021)
    assert found == pytest.approx(steps.area(), abs=0.04)


def test_coco_keeps_silent() -> None:
    """pycocotools prints and torchmetrics warns, of more than 100 boxes in a scene too."""
    said = io.StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        coco(detections(4, alarms=150))
    assert said.getvalue() == ""


def test_a_perfect_and_a_blind_search() -> None:
    """Where all resamples agree, the interval is as wide as so few scenes make it."""
    truth = detections(20).truths
    sure = [np.full(len(t), 0.9, np.float32) for t in truth]
    best = measure(Detections(truth, truth, sure), 0.5, FEW).figures
    for name in ("average_precision", "equal_error", "precision", "recall", "f1", "map", "map50"):
        assert best[name].value == pytest.approx(1) and 0.6 < best[name].low < 0.9
    assert best["false_alarms"].value == 0 and 0.05 < best["false_alarms"].high < 0.3
    nothing = [NONE] * 20, [np.empty(0, np.float32)] * 20
    blind = measure(Detections(truth, *nothing), 0.5, FEW)
    assert blind.figures["recall"].value == blind.figures["map"].value == 0
    assert blind.curve.empty and blind.figures["average_precision"].value == 0


def test_scenes_without_a_car_tell_of_false_alarms_only() -> None:
    """A figure that cannot be known is left out, and none is NaN."""
    found = measure(without_cars(), 0.5, FEW)
    assert list(found.figures) == ["false_alarms"]
    assert found.figures["false_alarms"].value == 1 and found.cars == found.with_cars == 0
    assert coco(without_cars()) == {"map": 0.0, "map50": 0.0}


def test_no_scenes_are_refused() -> None:
    """Not measured is not zero."""
    with pytest.raises(DataError, match="no test scenes"):
        measure(Detections([], [], []), 0.5)


def test_sizes_are_those_of_coco_and_add_up() -> None:
    """Every car and every false alarm is of one size."""
    given = detections(60, alarms=1.0)
    found = measure(given, 0.4, FEW)
    sizes = found.sizes.set_index("size")
    assert sizes["cars"].sum() == found.cars and sizes["cars"]["large"] == 0
    hits = (sizes["recall"] * sizes["cars"]).sum()
    assert hits == pytest.approx(found.figures["recall"].value * found.cars)
    assert sizes["false_alarms"].sum() == pytest.approx(found.figures["false_alarms"].value)
    assert np.isnan(sizes["recall"]["large"])
    edges = np.array([[0, 0, 32, 31], [0, 0, 32, 32], [0, 0, 96, 96]], np.float32)
    one = measure(Detections([edges], [NONE], [np.empty(0)]), 0.5, FEW)
    assert list(one.sizes["cars"]) == [1, 1, 1]


def test_the_same_scenes_give_the_same_figures() -> None:
    """DVC compares bytes."""
    first, again = (measure(detections(15), 0.5, FEW) for _ in range(2))
    assert first.figures == again.figures and first.curve.equals(again.curve)
