"""Thresholds by their rules: none is better on these data, and what cannot be reached is said."""

import logging
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score, precision_score, recall_score

from roadworthy.errors import ParamsError
from roadworthy.evaluation.answers import Answers
from roadworthy.evaluation.metrics import quick
from roadworthy.evaluation.thresholds import (
    ROWS,
    choose,
    choose_sure,
    confidences,
    cost_matrix,
    sweep,
)
from simulated_answers import answers

Pairs = list[tuple[float, bool]]
PAIRS = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=4, max_size=60)


def scored(pairs: Pairs) -> tuple[np.ndarray, np.ndarray]:
    """Scores and targets, of both classes."""
    targets = np.array([int(hit) for _, hit in pairs])
    targets[:2] = [0, 1]
    return np.array([score for score, _ in pairs]), targets


@settings(max_examples=30, deadline=None)
@given(PAIRS)
def test_no_threshold_has_a_better_f1(pairs: Pairs) -> None:
    """Protects `max_f1`: the rule says the best on these data."""
    scores, targets = scored(pairs)
    best = f1_score(targets, scores >= choose(scores, targets, "max_f1"), zero_division=0)
    assert best >= max(f1_score(targets, scores >= cut, zero_division=0) for cut in scores) - 1e-9


@settings(max_examples=30, deadline=None)
@given(PAIRS, st.sampled_from([0.5, 0.8, 0.95]))
def test_precision_is_held_with_the_most_recall(pairs: Pairs, wanted: float) -> None:
    """Protects `precision >= p`: held where it can be, else the highest, never fewer found than need be."""
    scores, targets = scored(pairs)
    said = scores >= choose(scores, targets, f"precision >= {wanted}")
    all_ = [scores >= cut for cut in scores]
    precise = [(precision_score(targets, one), recall_score(targets, one)) for one in all_]
    reached = [recall for precision, recall in precise if precision >= wanted]
    if reached:
        assert precision_score(targets, said) >= wanted
        assert recall_score(targets, said) == pytest.approx(max(reached))
    else:
        assert precision_score(targets, said) == pytest.approx(max(precise)[0])


@settings(max_examples=30, deadline=None)
@given(PAIRS, st.floats(0, 10), st.floats(0, 10))
def test_no_threshold_costs_less(pairs: Pairs, missed: float, alarm: float) -> None:
    """Protects `cost`: not one cut, all positive and none included, is cheaper."""
    scores, targets = scored(pairs)
    costs = cost_matrix(["no", "yes"], {"yes": {"no": missed}, "no": {"yes": alarm}})
    threshold = choose(scores, targets, "cost", costs)
    paid = costs[targets, (scores >= threshold).astype(int)].mean()
    tried = [costs[targets, (scores >= cut).astype(int)].mean() for cut in [*scores, -1, 2]]
    # A score of 1 is positive at every threshold.
    assert paid <= min(tried[:-1] if scores.max() == 1 else tried) + 1e-9


def test_a_precision_out_of_reach_is_said(caplog: pytest.LogCaptureFixture) -> None:
    """Protects from a silent promise: the highest precision is taken, with its figure."""
    scores, targets = np.array([0.9, 0.8, 0.3]), np.array([0, 1, 1])
    with caplog.at_level(logging.WARNING):
        assert choose(scores, targets, "precision >= 0.9") == 0.15
    assert "0.667" in caplog.text


def test_odd_validation_splits_have_a_threshold(caplog: pytest.LogCaptureFixture) -> None:
    """Protects small splits: no image, no positive image, all scores the same."""
    none = np.zeros(0)
    assert choose(none, none.astype(int), "cost") == 0.5
    assert choose(np.array([0.2, 0.4]), np.array([0, 0]), "max_f1") == 0.5
    assert choose(np.array([0.4, 0.4]), np.array([0, 1]), "max_f1") == 0.2
    assert choose(np.array([1.0, 0.4]), np.array([0, 1]), "half") == 0.5
    assert "no validation image is positive" in caplog.text
    with pytest.raises(ParamsError, match="known are half"):
        choose(np.array([1.0]), np.array([1]), "best")


def test_costs_name_what_they_cost() -> None:
    """Protects the cost matrix: truth by answer, 1 where not named, no unknown label."""
    found = cost_matrix(["other", "police"], {"police": {"other": 5}})
    assert found.tolist() == [[0, 1], [5, 0]]
    with pytest.raises(ParamsError, match="'polise'; known are other, police"):
        cost_matrix(["other", "police"], {"police": {"polise": 5}})


def certain(confidence: np.ndarray, right: np.ndarray) -> Answers:
    """Binary answers with the given confidence in class 0."""
    targets = (~right).astype(np.int64)
    zeros = np.zeros(len(right), np.int64)
    return Answers(
        targets, zeros, np.stack([confidence, 1 - confidence], axis=1), np.arange(len(right))
    )


def test_the_sure_answers_have_the_accuracy_asked_for() -> None:
    """Protects the abstain band: the most answers that are as right as asked, on validation."""
    test = answers(np.random.default_rng(0), 500, 3, 1.5)
    cut = choose_sure(test, "accuracy >= 0.95")
    confidence = test.probabilities.max(axis=1)
    assert test.correct.mean() < 0.95 <= test.correct[confidence >= cut].mean()
    for lower in confidence[confidence < cut]:
        assert test.correct[confidence >= lower].mean() < 0.95
    assert choose_sure(test, 0.6) == 0.6
    assert choose_sure(test, "accuracy >= 0.1") < confidence.min()


def test_a_lucky_top_makes_nobody_sure(caplog: pytest.LogCaptureFixture) -> None:
    """Protects from tiny tails: ten right answers at the top do not make 0.99."""
    confidence = np.linspace(0.99, 0.6, 100)
    right = (np.arange(100) < 10) | (np.arange(100) % 2 == 0)
    assert choose_sure(certain(confidence, right), "accuracy >= 0.99") == 1.0
    assert "no answer is sure" in caplog.text
    ties = certain(np.full(50, 0.8), np.arange(50) < 25)
    assert choose_sure(ties, "accuracy >= 0.9") == 1.0


def test_the_sweep_has_every_figure_at_every_threshold() -> None:
    """Protects the threshold chart: ends, the cost, and agreement with scikit-learn in between."""
    test = answers(np.random.default_rng(0), 200, 2)
    costs = np.array([[0.0, 1.0], [3.0, 0.0]])
    table = sweep(test, costs, 0.5)
    assert list(table) == ["threshold", "precision", "recall", "f1", "coverage", "cost"]
    assert len(table) == ROWS == table["threshold"].nunique() and table.notna().all(axis=None)
    assert table["threshold"].iloc[[0, -1]].tolist() == [0, 1]
    assert (table["recall"].iloc[0], table["coverage"].iloc[0]) == (1, 1)
    assert table["cost"].iloc[-1] == pytest.approx(3 * test.targets.mean())
    middle = table[table["threshold"] == 0.5].iloc[0]
    assert middle["precision"] == pytest.approx(precision_score(test.targets, test.predicted))
    assert middle["f1"] == pytest.approx(f1_score(test.targets, test.predicted))


@pytest.mark.parametrize("chosen", [0.9962, 0.0004, 0.9999996])
def test_the_sweep_has_the_chosen_threshold_itself(chosen: float) -> None:
    """Protects sure models: the row of the next step of the grid said recall 0 for 0.9962."""
    drawn = answers(np.random.default_rng(0), 300, 2, 2.5, sharpness=3)
    positive = drawn.probabilities[:, 1]
    test = replace(drawn, predicted=(positive >= chosen).astype(np.int64))
    table = sweep(test, cost_matrix(["no", "yes"]), chosen)
    assert len(table) == ROWS + 1 and table["threshold"].is_monotonic_increasing
    row = table.set_index("threshold").loc[chosen]
    names = ["precision", "recall", "f1"]
    assert row[names].to_dict() == pytest.approx(quick(test, names), abs=1e-6)
    assert row["recall"] > 0 and row["cost"] == pytest.approx(1 - test.correct.mean())


@pytest.mark.parametrize("sure", [0.0, 0.61234, 0.9, 1.0])
def test_the_cut_in_use_has_its_exact_share(sure: float) -> None:
    """Protects what is said to be held back: of 1,500 confidences one in seven is a row."""
    test = answers(np.random.default_rng(1), 1500, 4)
    table = confidences(test, 1 - np.eye(4), 0.2, sure)
    kept = test.probabilities.max(axis=1) >= sure
    row = table.set_index("confidence").loc[sure]
    assert len(table) == ROWS + 1 and table["confidence"].is_monotonic_increasing
    assert row["coverage"] == kept.mean()
    if kept.any():
        assert row["accuracy"] == test.correct[kept].mean()
    else:
        assert np.isnan(row["accuracy"]) and row["cost"] == pytest.approx(0.2)


def test_abstaining_has_its_price() -> None:
    """Protects the abstain chart: all answered at the top, costs mix errors and doubts."""
    test = answers(np.random.default_rng(0), 1000, 4)
    table = confidences(test, 1 - np.eye(4), 0.2, test.probabilities.max())
    assert list(table) == ["confidence", "coverage", "accuracy", "cost"]
    assert len(table) == ROWS
    first, last = table.iloc[0], table.iloc[-1]
    assert (first["coverage"], first["accuracy"]) == (1, test.correct.mean())
    assert first["cost"] == pytest.approx(1 - test.correct.mean())
    assert last["coverage"] == pytest.approx(0.001) and last["cost"] == pytest.approx(0.2, abs=2e-3)
    assert table["coverage"].is_monotonic_decreasing
