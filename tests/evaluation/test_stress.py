"""The stress table says how a model fares, and the sample is the same in every run."""

import hashlib

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import accuracy_score

from roadworthy.evaluation.corruptions import CHANGES, STRENGTHS
from roadworthy.evaluation.stress import mean_accuracy, sample, stress


def ask(pixels: np.ndarray) -> np.ndarray:
    """A model that tells bright images (class 1) from dark ones."""
    bright = pixels.mean(axis=(1, 2, 3)) / 255
    return np.stack([1 - bright, bright], axis=1)


def predict(probabilities: np.ndarray) -> np.ndarray:
    return probabilities.argmax(axis=1)


def hashes(numbers: list[int]) -> list[str]:
    return [hashlib.sha256(str(number).encode()).hexdigest() for number in numbers]


@pytest.fixture(scope="module")
def images() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    targets = np.array([0, 1] * 20)
    level = np.where(targets, 180, 70)[:, None, None, None]
    return (level + rng.integers(-30, 30, (40, 16, 20, 3))).astype(np.uint8), targets


def test_the_table_has_every_change_at_every_strength(
    images: tuple[np.ndarray, np.ndarray],
) -> None:
    """Protects report and gate: unchanged images first, then three rows for each change."""
    table = stress(ask, *images, predict)
    assert list(table.columns) == ["change", "strength", "accuracy", "low", "high"]
    assert tuple(table.iloc[0][["change", "strength", "accuracy"]]) == ("none", 0, 1.0)
    rows = [(c, s) for c in CHANGES for s in STRENGTHS]
    assert list(zip(table["change"][1:], table["strength"][1:], strict=True)) == rows
    assert (table["low"] <= table["accuracy"]).all()
    assert (table["accuracy"] <= table["high"] + 1e-12).all()
    assert table.equals(stress(ask, *images, predict))


def test_darkness_blinds_a_model_that_looks_at_brightness(
    images: tuple[np.ndarray, np.ndarray],
) -> None:
    """Protects the meaning of the figures: this model sees darkness and nothing else."""
    table = stress(ask, *images, predict).set_index(["change", "strength"])["accuracy"]
    assert table["darkness", 3] == accuracy_score(images[1], np.zeros(40))
    assert table["noise", 3] == 1.0


def test_images_of_one_clip_are_one_piece_of_evidence(
    images: tuple[np.ndarray, np.ndarray],
) -> None:
    """Protects against narrow intervals: the same accuracies, and as wide as 10 clips leave them."""
    alone = stress(ask, *images, predict)
    together = stress(ask, *images, predict, units=np.arange(40) // 4)
    pd.testing.assert_series_equal(together["accuracy"], alone["accuracy"])
    half = together["accuracy"] == 0.5
    for table, units in ((alone, 40), (together, 10)):
        ends = binomtest(units // 2, units).proportion_ci(0.95, "exact")
        assert half.any() and table.loc[half, "low"].tolist() == pytest.approx(
            [ends.low] * half.sum()
        )
        assert table.loc[0, ["low", "high"]].tolist() == pytest.approx([0.025 ** (1 / units), 1])


def test_no_images_give_no_rows() -> None:
    """`evaluate.stress: 0` leaves it out."""
    table = stress(ask, np.zeros((0, 8, 8, 3), np.uint8), np.zeros(0, np.int64), predict)
    assert table.empty
    assert "accuracy" in table


def test_the_mean_leaves_the_unchanged_images_out() -> None:
    """What the gate compares is robustness, not accuracy once more."""
    table = pd.DataFrame({"strength": [0, 1, 2], "accuracy": [1.0, 0.6, 0.2]})
    assert mean_accuracy(table) == pytest.approx(0.4)


def test_progress_ends_at_its_total(images: tuple[np.ndarray, np.ndarray]) -> None:
    """Protects the bar of a stage that takes a minute."""
    seen: list[tuple[int, int]] = []
    stress(ask, *images, predict, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (19 * 40, 19 * 40)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.sampled_from("abc"), min_size=3, max_size=80),
    st.integers(1, 60),
    st.integers(0, 3),
)
def test_a_sample_keeps_the_shares_of_labels(labels: list[str], count: int, seed: int) -> None:
    """Protects small classes, and never takes an image twice."""
    names = hashes(list(range(len(labels))))
    places = sample(labels, names, count, seed)
    assert len(set(places)) == len(places) == min(count, len(labels))
    assert (np.sort(places) == places).all()
    for label in set(labels):
        fair = labels.count(label) / len(labels) * len(places)
        assert abs([labels[place] for place in places].count(label) - fair) <= 1.5


def test_nearly_the_same_images_are_taken_after_some_were_added() -> None:
    """Protects comparisons of runs over a data set that grows."""
    labels = ["car", "truck", "car"] * 100
    names = hashes(list(range(300)))
    before = {names[place] for place in sample(labels, names, 90)}
    more = [*labels, *["truck"] * 30]
    grown = [*names, *hashes(list(range(300, 330)))]
    after = {grown[place] for place in sample(more, grown, 90)}
    assert len(before & after) >= 70
    shuffled = np.random.default_rng(0).permutation(300)
    again = sample([labels[n] for n in shuffled], [names[n] for n in shuffled], 90)
    assert {names[shuffled[place]] for place in again} == before
