"""Boxes are matched one to one, and the figures from that are those of the field."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roadworthy.data.geometry import overlaps
from roadworthy.errors import DataError
from roadworthy.evaluation.detections import (
    Detections,
    choose_threshold,
    curve,
    match,
    rank,
    truths,
)
from scenes_made import detections

NONE = np.empty((0, 4), np.float32)
CAR = np.array([[10, 10, 110, 50]], np.float32)


def one(boxes: list[list[float]], scores: list[float], truth: np.ndarray = CAR) -> Detections:
    found = np.array(boxes, np.float32).reshape(-1, 4)
    return Detections([truth], [found], [np.array(scores, np.float32)])


@st.composite
def searches(draw: st.DrawFn) -> Detections:
    """Searches of any skill; no two scores are equal."""
    skill: dict[str, Any] = {
        "hit": draw(st.floats(0, 1)),
        "alarms": draw(st.floats(0, 4)),
        "shift": draw(st.floats(0, 12)),
        "seed": draw(st.integers(0, 10_000)),
    }
    return detections(draw(st.integers(1, 12)), **skill)


def area(given: Detections) -> float:
    return rank(given).steps().area()


def test_a_box_is_hit_once_by_the_surest() -> None:
    """A second detection of one car is a false alarm, as the original system counts."""
    twice = one([[11, 10, 111, 50], [10, 10, 110, 50], [300, 0, 400, 40]], [0.7, 0.9, 0.8])
    assert [owner.tolist() for owner in match(twice)] == [[-1, 0, -1]]
    assert rank(twice).hits.tolist() == [True, False, False]


def test_the_next_car_is_taken_where_the_best_is_not_free() -> None:
    """Two cars side by side are both found, though both boxes lie nearer to the first."""
    cars = np.array([[0, 0, 100, 40], [20, 0, 120, 40]], np.float32)
    found = one([[5, 0, 105, 40], [8, 0, 108, 40]], [0.9, 0.8], cars)
    assert match(found)[0].tolist() == [0, 1]


def test_half_an_overlap_is_enough_and_less_is_not() -> None:
    """The limit itself is a hit."""
    shifted = [[10, 10, 110, 90], [10, 10, 110, 91]]
    assert overlaps(np.array(shifted, float), CAR)[0, 0] == 0.5
    assert [len(np.flatnonzero(match(one([box], [0.9]))[0] >= 0)) for box in shifted] == [1, 0]


def test_figures_of_a_known_ranking() -> None:
    """Hit, alarm, hit, alarm of three cars: worked out by hand."""
    cars = np.array([[0, 0, 10, 10], [100, 0, 110, 10], [200, 0, 210, 10]], np.float32)
    boxes = [[0, 0, 10, 10], [50, 50, 60, 60], [100, 0, 110, 10], [70, 70, 80, 80]]
    given = one(boxes, [0.9, 0.8, 0.7, 0.6], cars)
    steps = rank(given).steps()
    assert steps.area() == pytest.approx(1 / 3 + 2 / 3 * 1 / 3)
    assert steps.equal_error() == pytest.approx(2 / 3)
    assert steps.at(0.7) == pytest.approx(
        {"precision": 2 / 3, "recall": 2 / 3, "f1": 2 / 3, "false_alarms": 1.0}
    )
    assert steps.at(0.95) == {"precision": 1, "recall": 0, "f1": 0, "false_alarms": 0}
    table = curve(steps)
    assert list(table["threshold"].round(6)) == [0.9, 0.8, 0.7, 0.6]
    assert list(table["false_alarms"]) == [0, 1, 1, 2]


def test_equal_scores_are_taken_or_left_together() -> None:
    """No figure depends on the order of what is equally sure."""
    given = one([[10, 10, 110, 50], [300, 0, 400, 40]], [0.5, 0.5])
    other = one([[300, 0, 400, 40], [10, 10, 110, 50]], [0.5, 0.5])
    assert area(given) == area(other) == 0.5
    assert rank(given).steps().equal_error() == rank(other).steps().equal_error() == 0.5


@settings(max_examples=60, deadline=None)
@given(searches())
def test_figures_are_shares_and_no_figure_is_missing(given: Detections) -> None:
    """Between 0 and 1, also where nothing was found or there is nothing to find."""
    steps = rank(given).steps()
    figures = [steps.area(), steps.area_at_101(), steps.equal_error(), *steps.precision]
    figures += [*steps.recall, *steps.f1]
    assert all(0 <= value <= 1 for value in figures)
    assert np.isfinite(curve(steps).to_numpy()).all()


@settings(max_examples=60, deadline=None)
@given(searches(), st.integers(1, 5))
def test_more_false_alarms_below_all_scores_do_not_raise_the_area(
    given: Detections, more: int
) -> None:
    """Nobody gets better by guessing on."""
    low = min([float(s.min()) for s in given.scores if len(s)], default=0.5) / 2
    far = np.array([[1000, 1000, 1100, 1040]], np.float32)
    boxes = [np.concatenate([given.boxes[0], *[far] * more]), *given.boxes[1:]]
    scores = [np.append(given.scores[0], np.full(more, low, np.float32)), *given.scores[1:]]
    worse = Detections(given.truths, boxes, scores)
    assert area(worse) <= area(given) + 1e-12
    assert rank(worse).steps().equal_error() <= rank(given).steps().equal_error() + 1e-12


@settings(max_examples=60, deadline=None)
@given(searches(), st.randoms(use_true_random=False))
def test_the_order_of_scenes_and_boxes_does_not_matter(given: Detections, turn: Any) -> None:
    """A file list that is sorted otherwise gives the same report."""
    places = list(range(len(given)))
    turn.shuffle(places)
    moved = Detections(
        [given.truths[n][::-1] for n in places],
        [given.boxes[n][::-1] for n in places],
        [given.scores[n][::-1] for n in places],
    )
    assert np.allclose(curve(rank(given).steps()), curve(rank(moved).steps()))


@settings(max_examples=30, deadline=None)
@given(searches())
def test_a_perfect_search_has_an_area_of_one(given: Detections) -> None:
    """What is there is found, and nothing else; where there is nothing, it is 0 by convention."""
    scores = [np.linspace(0.9, 0.6, len(truth)) for truth in given.truths]
    steps = rank(Detections(given.truths, given.truths, scores)).steps()
    there = float(given.cars.sum() > 0)
    assert steps.area() == steps.area_at_101() == steps.equal_error() == there


@settings(max_examples=30, deadline=None)
@given(searches(), st.integers(0, 1000))
def test_a_resample_is_counted_as_if_it_were_matched_anew(given: Detections, seed: int) -> None:
    """The intervals rest on matches made once."""
    places = np.random.default_rng(seed).integers(0, len(given), len(given))
    parts = [[part[n] for n in places] for part in (given.truths, given.boxes, given.scores)]
    anew, counted = rank(Detections(*parts)).steps(), rank(given).steps(places)
    assert counted.area() == pytest.approx(anew.area())
    assert counted.equal_error() == pytest.approx(anew.equal_error())
    assert counted.at(0.4) == pytest.approx(anew.at(0.4))


@settings(max_examples=40, deadline=None)
@given(searches())
def test_the_threshold_has_the_best_f1(given: Detections) -> None:
    """No other score cuts better, and it lies between two of them."""
    steps = rank(given).steps()
    best = max(steps.f1, default=0.0)
    chosen = choose_threshold(given)
    if not best:
        assert chosen == 0.5
        return
    assert steps.at(chosen)["f1"] == pytest.approx(best)
    kept = sum(int((score >= chosen).sum()) for score in given.scores)
    assert kept == int((steps.thresholds >= chosen).sum())


def test_neighbouring_single_precision_scores_are_told_apart() -> None:
    """Sure networks say 0.9999999: the threshold must not fall on the lower one."""
    high = np.float32(0.75)
    low = np.nextafter(high, np.float32(0))
    given = Detections(
        [CAR], [np.array([CAR[0], CAR[0] + 500])], [np.array([high, low], np.float32)]
    )
    kept = given.scores[0] >= choose_threshold(given)
    assert kept.tolist() == [True, False]


def test_nothing_to_find_and_nothing_found() -> None:
    """Every corner has a figure: 0, and a precision of 1 where nothing was said."""
    for bare in (one([], []), one([], [], NONE), Detections([], [], [])):
        steps = rank(bare).steps()
        assert (steps.area(), steps.area_at_101(), steps.equal_error()) == (0, 0, 0)
        assert steps.at(0.5) == {"precision": 1, "recall": 0, "f1": 0, "false_alarms": 0}
        assert choose_threshold(bare) == 0.5 and curve(steps).empty
    alarm = rank(one([[0, 0, 100, 40]], [0.8], NONE)).steps()
    assert alarm.at(0.5) == {"precision": 0, "recall": 0, "f1": 0, "false_alarms": 1}
    assert (alarm.area(), alarm.equal_error()) == (0, 0)


def test_only_the_strongest_are_kept() -> None:
    """Of each scene, in falling order."""
    kept = one([[0, 0, 1, 1], [0, 0, 2, 2], [0, 0, 3, 3]], [0.2, 0.9, 0.5]).strongest(2)
    assert kept.scores[0].tolist() == pytest.approx([0.9, 0.5])
    assert kept.boxes[0][:, 2].tolist() == [2, 3]


@pytest.mark.parametrize(
    "parts",
    [
        ([CAR], [], []),
        ([CAR], [CAR], [np.array([0.5, 0.6])]),
        ([CAR[0]], [CAR], [np.array([0.5])]),
        ([CAR], [CAR], [np.array([np.nan])]),
    ],
)
def test_what_does_not_fit_together_is_refused(parts: Any) -> None:
    """A score without its box, or NaN, would be counted as something."""
    with pytest.raises(DataError, match="scene"):
        Detections(*parts)


def test_true_boxes_come_in_pixels_and_in_the_order_of_the_scenes() -> None:
    """Also of a scene without any; a box that sticks out a little ends at the edge."""
    scenes = pd.DataFrame(
        {"path": ["b.jpg", "a.jpg", "c.jpg"], "width": [200, 100, 10], "height": [100, 50, 10]}
    )
    rows = [("a.jpg", "car", 0.5, 0.5, 0.2, 0.4), ("b.jpg", "car", 0.05, 0.5, 0.12, 1.0)]
    boxes = pd.DataFrame(rows, columns=["path", "label", "x", "y", "w", "h"])
    first, second, third = truths(scenes, boxes)
    assert first == pytest.approx(np.array([[0, 0, 22, 100]]))
    assert second == pytest.approx(np.array([[40, 15, 60, 35]]))
    assert third.shape == (0, 4) and first.dtype == third.dtype == np.float32
