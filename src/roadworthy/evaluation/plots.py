"""The pictures of an evaluation for DVC and for runs, as matplotlib figures."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from roadworthy.evaluation.charts import ACCENT, BAD, GOOD, INK, MUTED, WARN
from roadworthy.evaluation.findings import Findings
from roadworthy.evaluation.report.matrix import COUNTED, order

STYLE: Any = {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}


def pictures(found: Findings) -> dict[str, Figure]:
    """All of them, by the name of their file; those that a task has no findings for are left out."""
    made = {"confusion": confusion(found), "slices": slices(found), "stress": stress(found)}
    made |= {"reliability": reliability(found), "curves": curves(found)}
    made |= {"training": training(found.history), "scene_curve": scene_curve(found)}
    return {name: figure for name, figure in made.items() if figure is not None}


def confusion(found: Findings) -> Figure:
    """Rows are the truth, as shares of it; classes taken for one another are neighbours."""
    places = order(found.counts)
    counts = found.counts[np.ix_(places, places)]
    names = [str(found.labels[place]) for place in places]
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    each, size = (0.34, 8.0) if len(names) <= 40 else (0.13, 5.5)
    side = max(each * len(names), 2.0)
    figure, axes = _figure(side + 1.9, side + 1.6)
    # The root shows one wrong answer in twenty beside a full diagonal.
    axes.imshow(np.sqrt(shares), cmap="Blues", vmin=0, vmax=1)
    turn = 90 if len(names) > 2 else 0
    axes.set_xticks(range(len(names)), names, rotation=turn, fontsize=size)
    axes.set_yticks(range(len(names)), names, fontsize=size)
    axes.tick_params(length=0)
    axes.set(xlabel="answer", ylabel="truth", title="Confusion, test split")
    if len(names) <= 2 * COUNTED:
        for (row, column), count in np.ndenumerate(counts):
            if count:
                colour = "white" if shares[row, column] > 0.3 else INK
                axes.text(column, row, str(count), ha="center", va="center", color=colour)
    return figure


def reliability(found: Findings) -> Figure | None:
    """Confidence against accuracy, before and after temperature scaling."""
    if found.reliability.empty:
        return None
    figure, axes = _figure(4.2, 3.8)
    axes.plot([0, 1], [0, 1], color=MUTED, lw=0.8)
    for state, colour, dash in (("before", MUTED, "--"), ("after", ACCENT, "-")):
        rows = found.reliability[found.reliability["state"] == state]
        line: dict[str, Any] = {"color": colour, "ls": dash, "label": f"{state} scaling"}
        axes.plot(rows["confidence"], rows["accuracy"], "o", **line)
    axes.set(xlabel="confidence", ylabel="accuracy", title="Reliability, test split")
    axes.legend(frameon=False)
    return figure


def curves(found: Findings) -> Figure | None:
    """Precision, recall and F1 against the threshold of a binary task, with the chosen one."""
    table, chosen = found.thresholds, found.fitted.threshold
    if table.empty or chosen is None:
        return None
    figure, axes = _figure(5.6, 3.4)
    for name, colour, dash in (
        ("precision", ACCENT, "-"),
        ("recall", WARN, "--"),
        ("f1", GOOD, ":"),
    ):
        axes.plot(table["threshold"], table[name], color=colour, ls=dash, label=name)
    axes.axvline(chosen, color=INK, lw=1, label=f"chosen: {chosen:g}")
    axes.set(xlabel="threshold", title="Threshold, test split", ylim=(0, 1.03), xlim=(0, 1))
    axes.legend(frameon=False, loc="lower left")
    return figure


def scene_curve(found: Findings) -> Figure | None:
    """Precision against recall in whole scenes, with the chosen threshold."""
    seen = found.scenes
    if seen is None or not seen.cars:
        return None
    figure, axes = _figure(4.2, 3.8)
    axes.plot([0, 1], [0, 1], color=MUTED, lw=0.8, ls="--", label="precision = recall")
    axes.plot(seen.curve["recall"], seen.curve["precision"], color=ACCENT)
    at = seen.figures["recall"].value, seen.figures["precision"].value
    axes.plot(*at, "D", color=BAD, ms=5, label=f"threshold {seen.threshold:.3g}")
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1.02), ylim=(0, 1.03))
    area = seen.figures["average_precision"].value
    axes.set_title(f"Cars in {seen.images} test scenes: area {area:.3f}")
    axes.legend(frameon=False, loc="lower left")
    return figure


def slices(found: Findings, most: int = 25) -> Figure | None:
    """The worst slices with their intervals; weak ones in red."""
    worst = found.slices.head(most).iloc[::-1]
    if worst.empty:
        return None
    figure, axes = _figure(6.4, 0.9 + 0.21 * len(worst))
    for place, row in enumerate(worst.to_dict("records")):
        colour, mark = (BAD, "D") if row["weak"] else (ACCENT, "o")
        axes.plot([row["low"], row["high"]], [place, place], color=colour, lw=1.5, alpha=0.5)
        axes.plot(row["accuracy"], place, mark, color=colour, ms=4)
    axes.axvline(found.figures["accuracy"].value, color=MUTED, lw=1)
    axes.set_yticks(range(len(worst)), [str(name) for name in worst["slice"]])
    axes.set(title="Accuracy of the worst slices, test split", xlim=(0, 1.02))
    return figure


def stress(found: Findings) -> Figure | None:
    """Accuracy against the strength of every change."""
    table = found.stress
    plain = table[table["strength"] == 0]
    kinds = [name for name in table["change"].unique() if name not in set(plain["change"])]
    if plain.empty or not kinds:
        return None
    figure, axes = _figure(5.6, 3.4)
    for place, change in enumerate(kinds):
        rows = table[(table["change"] == change) | (table["strength"] == 0)].sort_values("strength")
        mark = "osD^vPX*"[place % 8]
        axes.plot(rows["strength"], rows["accuracy"], f"{mark}-", ms=4, label=change)
    axes.set(xlabel="strength", ylabel="accuracy", title="Robustness, test split", ylim=(0, 1.03))
    axes.set_xticks(sorted({int(v) for v in table["strength"]}))
    axes.legend(frameon=False, ncols=2, loc="lower left")
    return figure


def training(history: Sequence[dict[str, Any]]) -> Figure | None:
    """Losses and validation accuracy per epoch."""
    if not history:
        return None
    epochs = [row["epoch"] + 1 for row in history]
    with rc_context(STYLE):
        figure = Figure(figsize=(7.4, 3.2), layout="constrained")
        left, right = figure.subplots(1, 2)
    for key, colour in (("train/loss", MUTED), ("val/loss", ACCENT)):
        left.plot(epochs, [row.get(key, np.nan) for row in history], "o-", color=colour, label=key)
    left.set(xlabel="epoch", title="Loss")
    left.legend(frameon=False)
    accuracy = [row.get("val/accuracy", np.nan) for row in history]
    right.plot(epochs, accuracy, "o-", color=ACCENT)
    right.set(xlabel="epoch", title="Validation accuracy")
    return figure


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    with rc_context(STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        return figure, figure.subplots()
