"""What was measured of a model on its test split, for whoever shows it: `figures.json` of a bundle."""

import csv
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from roadworthy.bundle.format import FIGURES
from roadworthy.errors import BundleError
from roadworthy.layout import write_json
from roadworthy.params import Section

# `evaluate` asks at every half per cent, which no curve on a page can show.
STEPS = 100


class Figure(Section):
    """A number with its interval, where it has one."""

    value: float
    low: float | None = None
    high: float | None = None


class Point(Section):
    """A binary task at one threshold."""

    threshold: float
    precision: float
    """1 where no answer is positive."""
    recall: float


class Confusion(Section):
    """Images by truth (rows) and answer (columns)."""

    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


class Bin(Section):
    """Answers of about one confidence, after calibration."""

    confidence: float
    accuracy: float
    images: int


class Figures(Section):
    """`figures.json`; empty of a bundle from before it."""

    figures: dict[str, Figure] = {}
    """By name; those on test scenes as `scenes_NAME`."""
    curve: tuple[Point, ...] = ()
    """Of a binary task, by threshold; the bundle's own is among them."""
    confusion: Confusion | None = None
    reliability: tuple[Bin, ...] = ()
    """By confidence."""


def read_figures(folder: Path) -> Figures:
    """The figures in a bundle; empty where it has none.

    Raises:
        BundleError: the file is damaged.
    """
    path = folder / FIGURES
    if not path.is_file():
        return Figures()
    try:
        return Figures.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise BundleError(f"{path} cannot be used: {error.errors()[0]['msg']}") from None


def write_figures(folder: Path, figures: Figures) -> None:
    """Put the figures into a bundle."""
    write_json(folder / FIGURES, figures.model_dump(mode="json"))


def collect(
    measured: Path, labels: tuple[str, ...], metrics: Mapping[str, float], threshold: float | None
) -> Figures:
    """The figures that `evaluate` left in the folder `measured`.

    Args:
        metrics: as in `bundle.json`: each name, with `_low` and `_high` where it has an interval.
        threshold: the bundle's own; it is kept in the curve.
    """
    tables = measured / "tables"
    return Figures(
        figures=with_intervals(metrics),
        curve=_curve(_rows(tables / "thresholds.csv"), threshold),
        confusion=_confusion(_rows(measured / "confusion.csv"), labels),
        reliability=_reliability(_rows(tables / "reliability.csv")),
    )


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def with_intervals(metrics: Mapping[str, float]) -> dict[str, Figure]:
    """Each figure with its interval, from the flat names in `bundle.json`."""
    names = [name for name in metrics if not name.endswith(("_low", "_high"))]
    return {
        name: Figure(
            value=metrics[name], low=metrics.get(f"{name}_low"), high=metrics.get(f"{name}_high")
        )
        for name in names
    }


def _curve(rows: list[dict[str, str]], threshold: float | None) -> tuple[Point, ...]:
    points = [
        Point.model_validate({name: row[name] for name in Point.model_fields}) for row in rows
    ]
    return tuple(one for one in points if _shown(one.threshold, threshold))


def _shown(at: float, own: float | None) -> bool:
    return abs(at * STEPS - round(at * STEPS)) < 1e-6 or (own is not None and abs(at - own) < 1e-6)


def _confusion(rows: list[dict[str, str]], labels: tuple[str, ...]) -> Confusion | None:
    if not rows:
        return None
    counts = Counter((row["label"], row["predicted"]) for row in rows)
    return Confusion(
        labels=labels,
        counts=tuple(tuple(counts[truth, answer] for answer in labels) for truth in labels),
    )


def _reliability(rows: list[dict[str, str]]) -> tuple[Bin, ...]:
    return tuple(
        Bin.model_validate({name: row[name] for name in Bin.model_fields})
        for row in rows
        if row["state"] == "after"
    )
