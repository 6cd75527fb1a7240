"""Intervals: they cover the truth as often as they say, and stay sane where there is little to draw from."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roadworthy.evaluation.answers import Answers
from roadworthy.evaluation.bootstrap import Bootstrap, bca
from roadworthy.evaluation.figures import FIGURES
from roadworthy.evaluation.metrics import measure
from simulated_answers import answers, covered

SETS = 500


def truths(names: list[str], **model: float) -> dict[str, float]:
    """Figures of the same model on 300,000 rows."""
    rng = np.random.default_rng(99)
    tests = [answers(rng, 60_000, **model) for _ in range(5)]  # type: ignore[arg-type]
    return {name: float(np.mean([FIGURES[name].of(test) for test in tests])) for name in names}


@pytest.mark.parametrize(("rows", "together"), [(250, 1), (300, 3)])
def test_the_interval_covers_the_truth(rows: int, together: int) -> None:
    """Protects the word "95 %", near an accuracy of 0.95 where plain percentiles are too narrow.

    To draw units with replacement is to draw how many there are of each kind, which is fast.
    """
    rng = np.random.default_rng(together)
    model = {"classes": 2, "skill": 2.35, "together": together}
    units = rows // together
    found = []
    for _ in range(SETS):
        right = answers(rng, rows, **model).correct.reshape(units, together).sum(axis=1)  # type: ignore[arg-type]
        kinds = np.bincount(right, minlength=together + 1)
        drawn = rng.multinomial(units, kinds / units, 500) @ np.arange(together + 1) / rows
        left_out = (right.sum() - right) / (rows - together)
        found.append({"accuracy": bca(right.sum() / rows, drawn, left_out, units, 0.95)})
    share = covered(truths(["accuracy"], **model), found)["accuracy"]
    assert 0.93 <= share <= 0.97


def test_the_interval_of_a_mean_covers_the_truth() -> None:
    """Protects log loss, whose rare large losses make other intervals too short above."""
    rng = np.random.default_rng(4)
    model = {"classes": 2, "skill": 2.0}
    found = []
    for seed in range(SETS):
        test = answers(rng, 250, **model)  # type: ignore[arg-type]
        scores = FIGURES["log_loss"].scores
        assert scores is not None
        one = Bootstrap(200, seed=seed).mean(scores(test), test.units)
        found.append({"log_loss": (one.low, one.high)})
    assert 0.93 <= covered(truths(["log_loss"], **model), found)["log_loss"] <= 0.97


@pytest.mark.slow
@pytest.mark.parametrize(
    ("classes", "skill", "names"),
    [
        (2, 1.5, ("balanced_accuracy", "roc_auc")),
        (6, 2.2, ("accuracy", "macro_f1")),
    ],
)
def test_every_interval_covers_the_truth(
    classes: int, skill: float, names: tuple[str, ...]
) -> None:
    """Protects the figures that are no mean of rows, on units of three rows, through and through."""
    rng = np.random.default_rng(classes)
    model = {"classes": classes, "skill": skill, "together": 3}
    statistics = {name: FIGURES[name].of for name in names}
    found = []
    for seed in range(SETS):
        test = answers(rng, 240, **model)  # type: ignore[arg-type]
        estimates = Bootstrap(250, seed=seed).estimates(statistics, test)
        found.append({name: (one.low, one.high) for name, one in estimates.items()})
    shares = covered(truths([*names], **model), found)
    assert all(0.93 <= share <= 0.97 for share in shares.values()), shares


@pytest.mark.slow
@pytest.mark.parametrize("sharpness", [1.0, 1.6])
def test_the_interval_of_ece_is_not_too_short(sharpness: float) -> None:
    """Protects the calibration error: chance raises it, and the interval must take that back."""
    rng = np.random.default_rng(3)
    model = {"classes": 2, "skill": 1.5, "sharpness": sharpness}
    found = []
    for seed in range(200):
        one = measure_ece(answers(rng, 250, **model), seed)  # type: ignore[arg-type]
        # Even a calibrated model has 0.002 in 300,000 rows.
        found.append({"ece": (one[0] if one[0] > 0 else -1, one[1])})
    assert covered(truths(["ece"], **model), found)["ece"] >= 0.9


def measure_ece(test: Answers, seed: int) -> tuple[float, float]:
    resampled = Bootstrap(300, seed=seed).resample(
        lambda places: [FIGURES["ece"].of(test.take(places))], test.units
    )
    found = resampled.estimate(0, 0.95, biased=True)
    return found.low, found.high


def test_whole_units_are_drawn() -> None:
    """Protects the evidence: rows that hang together come together or not at all."""
    units = np.array([7, 3, 7, 7, 5, 3])
    for places in Bootstrap(50).draws(units):
        counts = np.bincount(places, minlength=6)
        for unit in (3, 5, 7):
            assert len(set(counts[units == unit])) == 1
        assert len(set(units[places])) <= 3


def test_units_widen_the_interval_and_a_seed_repeats_it() -> None:
    """Protects against counting frames of one clip as so many pieces of evidence."""
    right = np.repeat(np.arange(60) % 6 > 0, 5)
    zeros = np.zeros(300, np.int64)
    given_ = Answers(zeros, (~right).astype(np.int64), np.full((300, 2), 0.5), np.arange(300) // 5)
    alone = Answers(zeros, given_.predicted, given_.probabilities, np.arange(300))
    clustered, single = (
        Bootstrap(500).estimate(FIGURES["accuracy"].of, one) for one in (given_, alone)
    )
    assert clustered.high - clustered.low > 1.8 * (single.high - single.low)
    assert clustered == Bootstrap(500).estimate(FIGURES["accuracy"].of, given_)
    assert clustered != Bootstrap(500, seed=1).estimate(FIGURES["accuracy"].of, given_)


def test_no_error_is_not_certainty() -> None:
    """Protects against an interval from 1 to 1: 300 right answers may hide 1 error in 100."""
    targets = np.arange(300) % 2
    perfect = Answers(targets, targets, np.eye(2)[targets] * 0.8 + 0.1, np.arange(300))
    found = measure(perfect, bootstrap=Bootstrap(100))["accuracy"]
    assert found.value == found.high == 1
    assert found.low == pytest.approx(0.025 ** (1 / 300), abs=1e-6)


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 12), st.integers(2, 7), st.integers(1, 12), st.integers(0, 10_000))
def test_little_data_give_finite_intervals(rows: int, classes: int, units: int, seed: int) -> None:
    """Protects small test sets: one row, one unit, missing classes; no NaN, no warning, right order."""
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.ones(classes), rows)
    drawn = rng.integers(0, classes, rows)
    few = Answers(drawn, probabilities.argmax(axis=1), probabilities, rng.integers(0, units, rows))
    for name, found in measure(few, probabilities, Bootstrap(30)).items():
        assert np.isfinite([found.value, found.low, found.high]).all(), name
        assert found.low <= found.value <= found.high, name
