"""Figures agree with scikit-learn, are left out where the answers do not tell, and are told fast."""

import logging

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from roadworthy.evaluation import metrics
from roadworthy.evaluation.answers import Answers
from roadworthy.evaluation.bootstrap import Bootstrap
from roadworthy.evaluation.figures import FIGURES, confusion_matrix
from roadworthy.evaluation.metrics import confusions, measure, per_class, quick
from simulated_answers import answers

FEW = Bootstrap(40)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 7))
def test_figures_are_those_of_scikit_learn(seed: int, classes: int) -> None:
    """Protects their meaning: another library computes most of them, and must mean the same."""
    test = answers(np.random.default_rng(seed), 80, classes)
    truth, said, scores = test.targets, test.predicted, test.probabilities
    wanted = {
        "accuracy": sk.accuracy_score(truth, said),
        "balanced_accuracy": np.mean([(said == n)[truth == n].mean() for n in set(truth)]),
        "macro_precision": sk.precision_score(truth, said, average="macro", zero_division=0),
        "macro_f1": sk.f1_score(truth, said, average="macro"),
        "mcc": sk.matthews_corrcoef(truth, said),
        "log_loss": sk.log_loss(truth, scores, labels=range(classes)),
    }
    if classes == 2:
        wanted |= {
            "precision": sk.precision_score(truth, said),
            "recall": sk.recall_score(truth, said),
            "f1": sk.f1_score(truth, said),
            "roc_auc": sk.roc_auc_score(truth, scores[:, 1]),
            "pr_auc": sk.average_precision_score(truth, scores[:, 1]),
        }
    else:
        occur = sorted(set(truth))
        wanted["roc_auc"] = np.mean([sk.roc_auc_score(truth == n, scores[:, n]) for n in occur])
        wanted["pr_auc"] = np.mean(
            [sk.average_precision_score(truth == n, scores[:, n]) for n in occur]
        )
    if classes > 5:
        wanted["top5"] = sk.top_k_accuracy_score(truth, scores, k=5, labels=range(classes))
    found = quick(test, list(wanted))
    assert found == pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize("classes", [2, 3])
def test_always_the_same_answer_correlates_with_nothing(classes: int) -> None:
    """Protects MCC: a model that never finds the rare class has none, in any library."""
    targets = (np.arange(100) < 5).astype(np.int64)
    flat = np.full((100, classes), 1 / classes)
    test = Answers(targets, np.zeros(100, np.int64), flat, np.arange(100))
    assert quick(test, ["mcc"])["mcc"] == sk.matthews_corrcoef(targets, test.predicted) == 0


def test_every_entry_is_told_of_the_tasks_it_fits() -> None:
    """Protects the registry: an entry in it is enough to be measured, for binary tasks and many."""
    rng = np.random.default_rng(0)
    for classes in (2, 4, 8):
        test = answers(rng, 60, classes)
        found = measure(test, test.probabilities, FEW)
        assert list(found) == [name for name in FIGURES if FIGURES[name].fits(classes)]
    assert {"precision", "recall", "f1"} <= set(measure(answers(rng, 60, 2), None, FEW))
    assert ("top5" in found) and "top5" not in measure(answers(rng, 60, 4), None, FEW)
    assert all(figure.meaning for figure in FIGURES.values())


def test_calibration_error_is_told_before_and_after() -> None:
    """Protects the comparison: `ece_before` looks at the other probabilities, and only if given."""
    test = answers(np.random.default_rng(0), 300, 3)
    flat = np.full_like(test.probabilities, 1 / 3)
    found = measure(test, flat, FEW)
    gap = abs((flat.argmax(axis=1) == test.targets).mean() - 1 / 3)
    assert found["ece_before"].value == pytest.approx(gap, abs=1e-6)
    assert found["ece"].value < 0.2
    assert "ece_before" not in measure(test, None, FEW)


def test_what_the_answers_do_not_tell_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    """Protects against invented figures: without one class there is no ROC-AUC, and it is said."""
    targets = np.zeros(20, np.int64)
    scores = np.linspace(0.1, 0.4, 20)
    test = Answers(targets, targets, np.stack([1 - scores, scores], axis=1), np.arange(20))
    with caplog.at_level(logging.WARNING):
        found = measure(test, None, FEW)
    assert {"roc_auc", "pr_auc", "mcc", "recall", "precision", "f1"}.isdisjoint(found)
    assert found["accuracy"].value == 1
    assert "roc_auc is left out" in caplog.text


def test_large_tests_rank_fewer_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Protects the time of 120 classes: only the slow figures are cut, the others are the same."""
    test = answers(np.random.default_rng(0), 60, 4)
    full = measure(test, None, Bootstrap(60))
    monkeypatch.setattr(metrics, "HEAVY_CELLS", 100)
    monkeypatch.setattr(metrics, "HEAVY_SAMPLES", 20)
    seen: list[tuple[int, int]] = []
    cut = measure(
        test, None, Bootstrap(60), lambda done, total, note="": seen.append((done, total))
    )
    assert list(cut) == list(full)
    assert cut["macro_f1"] == full["macro_f1"]
    assert cut["roc_auc"].value == full["roc_auc"].value
    assert cut["roc_auc"] == measure(test, None, Bootstrap(20))["roc_auc"]
    assert seen[-1] == (80, 80) and (120, 120) in seen


def test_each_class_has_its_figures_and_intervals() -> None:
    """Protects the table of classes: values as scikit-learn's, an absent class without a recall."""
    test = answers(np.random.default_rng(0), 120, 3)
    found = per_class(test, ["a", "b", "c", "never"], FEW).set_index("class")
    wanted = sk.precision_recall_fscore_support(test.targets, test.predicted, labels=[0, 1, 2])
    for name, values in zip(("precision", "recall", "f1", "images"), wanted, strict=True):
        assert found[name].iloc[:3].to_numpy(float) == pytest.approx(values)
    assert (found["recall_low"] <= found["recall"])[:3].all()
    assert (found["f1"] <= found["f1_high"])[:3].all()
    assert found.loc["never", "images"] == 0
    assert np.isnan(found.loc["never", ["precision", "recall", "f1"]].astype(float)).all()


def test_the_worst_pairs_come_first() -> None:
    """Protects the reading at 120 classes: pairs that are mixed up, most frequent first."""
    targets = np.array([0] * 10 + [1] * 5 + [2] * 5)
    said = np.array([0] * 7 + [1] * 3 + [1] * 3 + [2] * 2 + [2] * 5)
    test = Answers(targets, said, np.eye(3)[said], np.arange(20))
    wanted = pd.DataFrame(
        {"truth": ["a", "b"], "answer": ["b", "c"], "images": [3, 2], "share": [0.3, 0.4]}
    )
    pd.testing.assert_frame_equal(confusions(test, ["a", "b", "c"]), wanted, check_dtype=False)
    assert confusion_matrix(test, 3).tolist() == [[7, 3, 0], [0, 3, 2], [0, 0, 5]]
    perfect = Answers(targets, targets, np.eye(3)[targets], np.arange(20))
    assert list(confusions(perfect, ["a", "b", "c"])) == list(wanted)
