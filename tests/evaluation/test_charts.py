"""Charts are valid Vega-Lite, and show what the findings say."""

import json
from typing import Any

import numpy as np
import pytest
import vl_convert

from findings_made import made
from roadworthy.evaluation import charts

LINES = {"precision": ("precision", charts.ACCENT), "recall": ("recall", charts.WARN)}
HISTORY = [{"epoch": 0, "val/loss": 1.0}, {"epoch": 1, "val/loss": float("nan")}]


def specs() -> dict[str, charts.Spec]:
    binary, many = made(2), made(13)
    return {
        "intervals": charts.intervals(many.slices, "slice", "accuracy", 0.9),
        "reliability": charts.reliability(many.reliability),
        "sweep": charts.sweep(binary.thresholds, "threshold", LINES, 0.4),
        "cost": charts.sweep(many.confidences, "confidence", {"cost": ("cost", charts.BAD)}, 0.6),
        "stress": charts.stress(many.stress, "blur"),
        "training": charts.training(HISTORY, {"val/loss": charts.BAD, "none": charts.INK}, "loss"),
    }


def values(spec: charts.Spec) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = spec["data"]["values"]
    return found


@pytest.mark.parametrize("name", sorted(specs()))
def test_a_chart_can_be_drawn(name: str) -> None:
    """Vega-Lite itself compiles it: a misspelt channel shows nothing in the page."""
    spec = specs()[name]
    json.dumps(spec, allow_nan=False)
    drawn = vl_convert.vegalite_to_svg({**spec, "width": 400})
    assert "undefined" not in drawn and "NaN" not in drawn


def test_the_worst_row_comes_first_and_a_weak_one_is_marked() -> None:
    """The order of the table is the order of the chart."""
    slices = made(13).slices
    shown = values(charts.intervals(slices, "slice", "accuracy"))
    assert [row["name"] for row in shown] == list(slices["slice"])
    assert [row["weak"] for row in shown] == list(slices["weak"])


def test_every_change_starts_from_the_images_as_they_are() -> None:
    """Strength 0 is one row of the table and the first point of every line."""
    found = made(13)
    shown = values(charts.stress(found.stress, "noise"))
    assert [row["strength"] for row in shown] == [0, 1, 2, 3]
    assert shown[0]["accuracy"] == pytest.approx(found.stress["accuracy"][0], abs=1e-6)


def test_the_chosen_line_and_the_handle_start_at_one_place() -> None:
    """`cut` is the signal that the page moves."""
    spec = charts.sweep(made(2).thresholds, "threshold", LINES, 0.43)
    assert spec["params"] == [{"name": "cut", "value": 0.43}]
    drawn = [layer["encoding"]["x"].get("datum") for layer in spec["layer"]]
    assert drawn == [None, 0.43, {"expr": "cut"}]


def test_a_missing_number_is_left_out() -> None:
    """JSON has no NaN: one would stop the whole page."""
    table = made(2).confidences.assign(accuracy=np.nan)
    shown = values(charts.sweep(table, "confidence", {"accuracy": ("a", charts.BAD)}, 0.6))
    assert {row["value"] for row in shown} == {None}
