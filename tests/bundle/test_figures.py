"""What `evaluate` measured, as the page shows it."""

from pathlib import Path

import pandas as pd
import pytest

from roadworthy.bundle.figures import (
    Confusion,
    Figure,
    Figures,
    collect,
    read_figures,
    with_intervals,
    write_figures,
)
from roadworthy.bundle.format import FIGURES, SEEN, digest
from roadworthy.errors import BundleError
from support import tiny_bundle

METRICS = {"accuracy": 0.9, "accuracy_low": 0.8, "accuracy_high": 0.95, "ece": 0.02}


def measured(folder: Path) -> Path:
    """What `evaluate` leaves behind, as far as it is shown."""
    (folder / "tables").mkdir(parents=True)
    answers = {"label": ["no", "no", "yes", "yes"], "predicted": ["no", "yes", "yes", "yes"]}
    pd.DataFrame(answers).to_csv(folder / "confusion.csv", index=False)
    thresholds = pd.DataFrame({"threshold": sorted([*(n / 200 for n in range(201)), 0.3217])})
    thresholds = thresholds.assign(precision=0.75, recall=0.5, f1=0.6, coverage=0.4, cost=0.1)
    thresholds.to_csv(folder / "tables" / "thresholds.csv", index=False)
    rows = [("before", 0.9, 0.7, 4), ("after", 0.8, 0.75, 3), ("after", 0.95, 1.0, 1)]
    columns = ["state", "confidence", "accuracy", "images"]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "tables" / "reliability.csv", index=False)
    return folder


def test_the_figures_are_those_of_the_evaluation(tmp_path: Path) -> None:
    """About a hundred thresholds with the bundle's own, and every image of the test split."""
    found = collect(measured(tmp_path / "evaluate"), ("no", "yes"), METRICS, 0.3217)
    assert found.figures == {
        "accuracy": Figure(value=0.9, low=0.8, high=0.95),
        "ece": Figure(value=0.02),
    }
    thresholds = [point.threshold for point in found.curve]
    assert len(thresholds) == 102 and thresholds == sorted(thresholds)
    assert 0.3217 in thresholds and {0.0, 0.01, 0.5, 1.0} <= set(thresholds)
    assert (found.curve[0].precision, found.curve[0].recall) == (0.75, 0.5)
    assert found.confusion == Confusion(labels=("no", "yes"), counts=((1, 1), (0, 2)))
    assert [(one.confidence, one.images) for one in found.reliability] == [(0.8, 3), (0.95, 1)]


def test_many_classes_have_no_curve(tmp_path: Path) -> None:
    """Their table of thresholds has no column, not even a head."""
    folder = measured(tmp_path / "evaluate")
    pd.DataFrame().to_csv(folder / "tables" / "thresholds.csv", index=False)
    assert collect(folder, ("no", "yes"), METRICS, None).curve == ()


def test_figures_come_back_as_they_were_written(tmp_path: Path) -> None:
    """Bytes and all: DVC compares them."""
    found = collect(measured(tmp_path / "evaluate"), ("no", "yes"), METRICS, 0.5)
    contents = []
    for _ in range(2):
        write_figures(tmp_path, found)
        contents.append((tmp_path / FIGURES).read_bytes())
    assert contents[0] == contents[1]
    assert read_figures(tmp_path) == found


def test_a_bundle_from_before_has_none(tmp_path: Path) -> None:
    """It is shown with the little that is known of it."""
    assert read_figures(tmp_path) == Figures()
    assert with_intervals(METRICS)["accuracy"].high == 0.95


def test_damaged_figures_are_named(tmp_path: Path) -> None:
    """With the file."""
    (tmp_path / FIGURES).write_text('{"curve": 3}')
    with pytest.raises(BundleError, match=FIGURES):
        read_figures(tmp_path)


def test_figures_describe_and_are_not_what_the_model_is(tmp_path: Path) -> None:
    """The same model, measured again, stays the same version; older bundles keep their names."""
    folder = tiny_bundle(tmp_path / "bundle")
    before = digest(folder)
    write_figures(folder, Figures(figures=with_intervals(METRICS)))
    assert digest(folder) == before
    assert (folder / SEEN).is_file()
