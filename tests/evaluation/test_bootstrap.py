"""Intervals: they cover the truth as often as they say, and stay sane where there is little to draw from."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from roadworthy.evaluation import bootstrap, metrics
from roadworthy.evaluation.answers import Answers
from roadworthy.evaluation.bootstrap import Bootstrap, bca, share
from roadworthy.evaluation.figures import FIGURES
from roadworthy.evaluation.metrics import measure
from simulated_answers import answers, covered

SETS = 500
BOTH = ["accuracy", "balanced_accuracy", "macro_f1", "log_loss"]
BINARY = [*BOTH, "precision", "recall", "f1", "mcc", "roc_auc", "pr_auc"]
MANY = [*BOTH, "macro_precision"]


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
    ("classes", "skill", "names"), [(2, 1.5, BINARY), (6, 2.2, MANY)], ids=["binary", "many"]
)
def test_every_interval_covers_the_truth(
    classes: int, skill: float, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Protects the figures of the road, through and through, on 80 units of three rows."""
    model = {"classes": classes, "skill": skill, "together": 3}
    shares = measured(240, names, model, monkeypatch)
    assert all(0.93 <= share <= 0.97 for share in shares.values()), shares


@pytest.mark.slow
@pytest.mark.parametrize(("sharpness", "least", "most"), [(1.0, 0.93, 0.97), (1.6, 0.97, 1)])
def test_the_interval_of_ece_is_not_too_short(
    sharpness: float, least: float, most: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Protects the calibration error: chance raises it, and the interval must take that back.

    Of a calibrated model it covers the truth in 96 of 100 test sets; of one that is too sure in 99,
    more than it says.
    """
    model = {"classes": 2, "skill": 1.5, "sharpness": sharpness}
    shares = measured(250, ["ece"], model, monkeypatch)
    assert least <= shares["ece"] <= most


def measured(
    rows: int, names: list[str], model: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> dict[str, float]:
    """How often the intervals of `measure` cover the truth.

    For time only the named figures are measured, and fewer parts left out in turn. Far fewer than
    119 resamples would not do: with 79, ends are short and cover a ROC-AUC in 92 of 100 sets.
    """
    monkeypatch.setattr(metrics, "available", lambda answers: names)
    monkeypatch.setattr(bootstrap, "PARTS", 40)
    rng = np.random.default_rng(int(model["classes"]))
    found = []
    for seed in range(SETS):
        test = answers(rng, rows, **model)  # type: ignore[arg-type]
        estimates = measure(test, None, Bootstrap(119, seed=seed))
        found.append({name: (one.low, one.high) for name, one in estimates.items()})
    return covered(truths(names, **model), found)


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
    clustered, single, again, other = (
        measure(one, None, Bootstrap(300, seed=seed))["accuracy"]
        for one, seed in ((given_, 0), (alone, 0), (given_, 0), (given_, 1))
    )
    assert clustered.high - clustered.low > 1.8 * (single.high - single.low)
    assert clustered == again
    assert clustered != other


def test_no_error_is_not_certainty() -> None:
    """Protects against an interval from 1 to 1: 300 right answers may hide 1 error in 100."""
    targets = np.arange(300) % 2
    perfect = Answers(targets, targets, np.eye(2)[targets] * 0.8 + 0.1, np.arange(300))
    found = measure(perfect, bootstrap=Bootstrap(100))["accuracy"]
    assert found.value == found.high == 1
    assert found.low == pytest.approx(0.025 ** (1 / 300), abs=1e-6)


def test_no_error_in_small_classes_is_even_less_certain() -> None:
    """Protects figures where classes count the same: none of 4 images wrong hides much, though
    none of 396 others is. A correlation loses twice as much by an error as a share of two classes.
    """
    targets = (np.arange(400) >= 396).astype(np.int64)
    rare = Answers(targets, targets, np.eye(2)[targets] * 0.8 + 0.1, np.arange(400))
    found = measure(rare, bootstrap=Bootstrap(100))
    low = 0.025 ** (1 / 16)  # 2^2 / (1 / 396 + 1 / 4) = 15.8
    for name in ("balanced_accuracy", "macro_precision", "macro_f1", "roc_auc", "pr_auc"):
        assert (found[name].value, found[name].high) == (1, 1)
        assert found[name].low == pytest.approx(low, abs=1e-6), name
    assert found["mcc"].low == pytest.approx(0.025 ** (1 / 8), abs=1e-6)
    assert found["accuracy"].low == pytest.approx(0.025 ** (1 / 400), abs=1e-6)
    evenly = np.arange(400) % 2
    even = Answers(evenly, evenly, np.eye(2)[evenly] * 0.8 + 0.1, np.arange(400) // 2)
    assert measure(even, bootstrap=Bootstrap(20))["macro_f1"].low == pytest.approx(
        0.025 ** (1 / 200), abs=1e-6
    )


def test_a_correlation_of_none_is_not_seen_as_a_share() -> None:
    """Protects a model that says one class only: its correlation is 0 on any images."""
    targets = np.arange(100) % 2
    same = Answers(targets, np.zeros(100, np.int64), np.full((100, 2), 0.5), np.arange(100))
    found = measure(same, bootstrap=Bootstrap(50))["mcc"]
    assert (found.value, found.low, found.high) == (0, 0, 0)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 400), st.integers(0, 400), st.floats(0.5, 0.999))
def test_a_share_of_whole_counts_is_clopper_and_pearson(
    units: int, successes: int, confidence: float
) -> None:
    """Protects the exact ends: SciPy's where counts are whole, and between two counts between them."""
    successes = min(successes, units)
    low, high = share(successes, units, confidence)
    ends = binomtest(successes, units).proportion_ci(confidence, "exact")
    assert (low, high) == pytest.approx((ends.low, ends.high), abs=1e-9)
    if successes < units:
        between, further = share(successes + 0.5, units, confidence)
        assert low < between and high < further <= 1


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
