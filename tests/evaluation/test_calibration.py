"""Temperature: it repairs what is too sure, and does not jump on a handful of images."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import log_loss

from roadworthy.evaluation.calibration import fit_temperature, reliability
from roadworthy.evaluation.figures import FIGURES
from roadworthy.models.outputs import to_probabilities
from simulated_answers import answers


@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0])
def test_temperature_repairs_a_miscalibrated_model(factor: float) -> None:
    """Protects both ways: logits three times too large, and half as large as they should be."""
    rng = np.random.default_rng(1)
    logits = rng.normal(size=(4000, 3)) * 2
    targets = np.array([rng.choice(3, p=row) for row in to_probabilities(logits)])
    found = fit_temperature(logits * factor, targets)
    assert found == pytest.approx(factor, rel=0.1)
    before = log_loss(targets, to_probabilities(logits * factor))
    assert log_loss(targets, to_probabilities(logits * factor, found)) <= before


def test_temperature_lowers_the_calibration_error_on_other_images() -> None:
    """Protects the promise on test images, at the size of a small data set: 200 fit it, 300 judge."""
    rng = np.random.default_rng(0)
    lower = []
    for _ in range(40):
        fitted_on, judged_on = (answers(rng, rows, 13, 3.0, sharpness=2) for rows in (200, 300))
        temperature = fit_temperature(np.log(fitted_on.probabilities), fitted_on.targets)
        after = to_probabilities(np.log(judged_on.probabilities), temperature)
        scaled = type(judged_on)(judged_on.targets, judged_on.predicted, after, judged_on.units)
        lower.append(FIGURES["ece"].of(scaled) < FIGURES["ece"].of(judged_on))
    assert np.mean(lower) >= 0.9


def test_a_split_without_errors_does_not_make_a_model_certain() -> None:
    """Protects log loss: temperature near 0 makes the first error on new images cost without end."""
    targets = np.array([0, 1] * 50)
    logits = np.where(targets, 3.0, -3.0)[:, None]
    assert to_probabilities(logits, fit_temperature(logits, targets)).max() < 0.9999


def test_few_images_move_the_temperature_little() -> None:
    """Protects small validation splits: ten images say next to nothing of calibration."""
    targets = np.array([0, 1] * 5)
    logits = np.where(targets, 2.0, -2.0)[:, None]
    logits[0] = 2.0
    assert 0.7 < fit_temperature(logits, targets) < 1.5


@given(st.floats(-700, 700), st.floats(0.05, 20))
def test_probabilities_add_up_and_never_overflow(logit: float, temperature: float) -> None:
    """Protects binary tasks: one logit or two of which the other is 0, the same answer."""
    one = to_probabilities(np.array([[logit]]), temperature)
    two = to_probabilities(np.array([[0.0, logit]]), temperature)
    assert np.allclose(one, two) and np.allclose(one.sum(), 1)
    assert np.isfinite(one).all()


def test_reliability_counts_every_image_in_both_states() -> None:
    """Protects the picture: bins hold all images, and their weighted gap is the calibration error."""
    test = answers(np.random.default_rng(2), 400, 3, sharpness=2)
    flat = np.full_like(test.probabilities, 1 / 3)
    table = reliability(test, flat)
    assert list(table) == ["state", "confidence", "accuracy", "images"]
    assert table.groupby("state")["images"].sum().to_dict() == {"after": 400, "before": 400}
    assert (table["state"] == "before").sum() == 1
    after = table[table["state"] == "after"]
    gap = (after["images"] * (after["confidence"] - after["accuracy"]).abs()).sum() / 400
    assert gap == pytest.approx(FIGURES["ece"].of(test), abs=1e-6)
    certain = test.take(np.arange(5))
    assert len(reliability(certain, np.eye(3)[certain.targets])) > 1
