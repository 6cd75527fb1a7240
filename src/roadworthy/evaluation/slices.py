"""Accuracy on parts of the test split: by what the manifest names or measured, weak parts first."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from scipy import stats

from roadworthy.errors import ParamsError
from roadworthy.evaluation.bootstrap import share

# Parts with fewer images are not judged.
MIN_ROWS = 10
# A channel whose mean (0 to 1) is this far above the mean of all three is a colour cast.
CAST = 0.02
WEAK = 0.05
COLUMNS = ["slice", "column", "value", "images", "accuracy", "low", "high", "p", "p_corrected"]


def table(
    rows: pd.DataFrame,
    correct: np.ndarray,
    units: np.ndarray,
    columns: Sequence[str],
    confidence: float = 0.95,
) -> pd.DataFrame:
    """One row per part, the least accurate first.

    Many parts are looked at, and some look bad by luck. So the intervals hold for all parts together
    with the confidence asked for (Sidak 1967), and p, the chance of a difference like that to the
    rest (Fisher's exact test, two-sided), is corrected by the false discovery rate (Benjamini and
    Hochberg 1995). The intervals are exact (Clopper and Pearson 1934): at so high a confidence
    Wilson's miss up to ten times as often as they say where a part is small and accurate.

    Both count units, not rows: of a part with n units they see its accuracy on n pieces of
    evidence (the test on numbers rounded to whole ones). This is too careful where the rows of a
    unit are not all right or all wrong together.

    Args:
        rows: manifest columns of the test images.
        correct: whether each was answered right, bool (N,).
        units: a number per row, (N,); rows that share it hang together.
        columns: of the manifest, or `size` and `cast`; see `parts`.
        confidence: that all intervals hold.

    Returns:
        Columns slice, column, value, images, accuracy, low, high, p, p_corrected, weak (p_corrected
        below 0.05, and less accurate than the rest).

    Raises:
        ParamsError: a column does not exist.
    """
    found = _parts(rows, columns)
    level = confidence ** (1 / max(len(found), 1))
    table_rows = []
    for (column, value), inside in found.items():
        accuracy, images = float(correct[inside].mean()), int(inside.sum())
        count = len(np.unique(units[inside]))
        low, high = share(accuracy * count, count, level)
        p = _against_rest(correct, units, inside)
        name = f"{column} {value}"
        table_rows.append((name, column, value, images, accuracy, low, high, p, p))
    frame = pd.DataFrame(table_rows, columns=COLUMNS)
    if table_rows:
        frame["p_corrected"] = stats.false_discovery_control(frame["p"])
    rest = [correct[~inside].mean() for inside in found.values()]
    frame["weak"] = (frame["p_corrected"] < WEAK) & (frame["accuracy"] < np.array(rest))
    return frame.sort_values(["accuracy", "slice"], ignore_index=True)


def parts(rows: pd.DataFrame, columns: Sequence[str]) -> dict[str, np.ndarray]:
    """Which rows are in which part, bool (N,), by names such as `brightness low` or `label Audi`.

    A column of numbers is cut into thirds (`low`, `middle`, `high`; equal numbers stay together), any
    other by its values. `size` is the square root of width times height, `cast` the colour that
    outshines the other two (`red`, `green`, `blue`, `neutral`). Left out are rows where a column is
    empty, columns with one value, and parts of under 10 rows.

    Raises:
        ParamsError: a column does not exist.
    """
    return {f"{column} {value}": where for (column, value), where in _parts(rows, columns).items()}


def _parts(rows: pd.DataFrame, columns: Sequence[str]) -> dict[tuple[str, str], np.ndarray]:
    found = {}
    for column in columns:
        values = _values(rows, column)
        if values.nunique() < 2:
            continue
        for value in sorted(values.dropna().unique(), key=_order):
            inside = (values == value).fillna(False).to_numpy(bool)
            if inside.sum() >= MIN_ROWS:
                found[column, str(value)] = inside
    return found


def _values(rows: pd.DataFrame, column: str) -> pd.Series:
    """The name of the part of each row; empty where it is in none."""
    if column in MADE:
        values = MADE[column](rows)
    elif column in rows:
        values = rows[column]
    else:
        known = ", ".join(dict.fromkeys([*MADE, *rows.columns]))
        raise ParamsError(f"images cannot be cut by {column!r}, no such column; known are {known}")
    numbers = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
    if numbers and values.nunique() > 3:
        return _thirds(values.astype("float64"))
    return values.astype("string")


def _thirds(values: pd.Series) -> pd.Series:
    ranks = values.rank(pct=True)
    return pd.cut(ranks, [0, 1 / 3, 2 / 3, 1], labels=["low", "middle", "high"]).astype("string")


def _order(value: str) -> tuple[int, str]:
    """Thirds in their order, other values by name."""
    thirds = ("low", "middle", "high")
    return (thirds.index(value), "") if value in thirds else (len(thirds), value)


def _size(rows: pd.DataFrame) -> pd.Series:
    return (rows["width"] * rows["height"]) ** 0.5


def _cast(rows: pd.DataFrame) -> pd.Series:
    channels = rows[["red", "green", "blue"]].astype("float64").dropna()
    above = channels.sub(channels.mean(axis=1), axis=0)
    names = above.idxmax(axis=1).where(above.max(axis=1) >= CAST, "neutral")
    return names.astype("string").reindex(rows.index)


# Columns that are made of others.
MADE: dict[str, Callable[[pd.DataFrame], pd.Series]] = {"size": _size, "cast": _cast}


def _against_rest(correct: np.ndarray, units: np.ndarray, inside: np.ndarray) -> float:
    counts = []
    for where in (inside, ~inside):
        count = len(np.unique(units[where]))
        right = round(float(correct[where].mean()) * count)
        counts.append([right, count - right])
    return float(stats.fisher_exact(counts).pvalue)
