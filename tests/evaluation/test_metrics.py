"""Figures agree with scikit-learn, intervals with theory, and both stay sane on odd data."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, f1_score, log_loss

from roadworthy.evaluation.calibration import fit_temperature
from roadworthy.evaluation.metrics import Answers, measure
from roadworthy.evaluation.thresholds import choose
from roadworthy.models.outputs import to_probabilities


def answers(seed: int, rows: int = 200, classes: int = 3, skill: float = 1.5) -> Answers:
    rng = np.random.default_rng(seed)
    targets = rng.integers(0, classes, rows)
    targets[:classes] = np.arange(classes)
    logits = rng.normal(size=(rows, classes))
    logits[np.arange(rows), targets] += skill
    probabilities = to_probabilities(logits)
    return Answers(targets, probabilities.argmax(axis=1), probabilities)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 6))
def test_figures_are_those_of_scikit_learn(seed: int, classes: int) -> None:
    """Ours are computed for a thousand resamples at once; they must mean the same."""
    given_ = answers(seed, 80, classes)
    found = measure(given_, 20, 0.95, 0)
    assert found["accuracy"].value == pytest.approx(given_.correct.mean())
    wanted = balanced_accuracy_score(given_.targets, given_.predicted)
    assert found["balanced_accuracy"].value == pytest.approx(wanted)
    wanted = f1_score(given_.targets, given_.predicted, average="macro")
    assert found["macro_f1"].value == pytest.approx(wanted)
    for estimate in found.values():
        assert estimate.low <= estimate.value + 1e-9 <= estimate.high + 2e-9 or estimate.low > 0


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    """300 simulated test sets of a model that is right in 90 of 100 cases."""
    rng = np.random.default_rng(0)
    covered = []
    for _ in range(300):
        right = rng.random(250) < 0.9
        targets = rng.integers(0, 2, 250)
        predicted = np.where(right, targets, 1 - targets)
        given_ = Answers(targets, predicted, np.eye(2)[predicted] * 0.8 + 0.1)
        found = measure(given_, 300, 0.95, 1)["accuracy"]
        covered.append(found.low <= 0.9 <= found.high)
    assert 0.91 <= np.mean(covered) <= 0.985


def test_temperature_repairs_an_overconfident_model() -> None:
    """Logits three times too large are found out."""
    rng = np.random.default_rng(1)
    logits = rng.normal(size=(4000, 3)) * 2
    targets = np.array([rng.choice(3, p=row) for row in to_probabilities(logits)])
    found = fit_temperature(logits * 3, targets)
    assert found == pytest.approx(3, rel=0.1)
    before = log_loss(targets, to_probabilities(logits * 3))
    assert log_loss(targets, to_probabilities(logits * 3, found)) < before


def test_a_split_without_errors_does_not_make_a_model_certain() -> None:
    """Temperature near 0 would make the first error on new images cost without end."""
    targets = np.array([0, 1] * 50)
    logits = np.where(targets, 3.0, -3.0)[:, None]
    assert to_probabilities(logits, fit_temperature(logits, targets)).max() < 0.9999


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=4, max_size=60))
def test_no_threshold_has_a_better_f1(pairs: list[tuple[float, bool]]) -> None:
    """The rule says the best on these data."""
    scores = np.array([score for score, _ in pairs])
    targets = np.array([int(hit) for _, hit in pairs])
    targets[:2] = [0, 1]
    best = f1_score(targets, scores >= choose(scores, targets, "max_f1"), zero_division=0)
    tried = [f1_score(targets, scores >= cut, zero_division=0) for cut in scores]
    # Four digits are kept, which can move the threshold past a neighbour that close.
    close = np.diff(np.sort(scores))
    assert best >= max(tried) - 1e-9 or close[close > 0].min(initial=1) < 1e-3


@given(st.floats(-700, 700), st.floats(0.05, 20))
def test_probabilities_add_up_and_never_overflow(logit: float, temperature: float) -> None:
    """One logit or two of which the other is 0: the same answer."""
    one = to_probabilities(np.array([[logit]]), temperature)
    two = to_probabilities(np.array([[0.0, logit]]), temperature)
    assert np.allclose(one, two) and np.allclose(one.sum(), 1)
    assert np.isfinite(one).all()
