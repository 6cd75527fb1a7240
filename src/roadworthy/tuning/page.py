"""What a search found, as one HTML page that needs no network."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import yaml

from roadworthy.page import bars, page, picture, table, tile
from roadworthy.tuning.search import Trial
from roadworthy.tuning.space import Entry, Range, nested

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ACCENT, GREY, BEST = "#2563eb", "#9ca3af", "#dc2626"
SHOWN = 30
STYLE = "pre{background:var(--soft);padding:.8rem 1rem;border-radius:.4rem;overflow-x:auto}"


def render(
    task: str,
    metric: str,
    trials: Sequence[Trial],
    best: Trial | None,
    importances: Mapping[str, float],
    entries: Mapping[str, Entry],
) -> str:
    """The whole page; `trials` in the order in which they began."""
    told = f"{len(trials)} trials, judged by {metric}"
    parts = [f"<h1>{escape(task)}: the search</h1><p class=muted>{escape(told)}</p>"]
    parts.append(_summary(metric, trials, best))
    if best is not None:
        parts += [
            "<h2>Values by trial</h2>",
            picture(history(metric, trials), f"{metric} of each trial, and the best so far"),
            "<h2>Values by setting</h2>",
            picture(slices(metric, trials, best, entries), f"{metric} against each setting"),
        ]
    if importances:
        words = {name: f"{share:.0%}" for name, share in importances.items()}
        parts += ["<h2>What matters</h2>", bars(importances, words), f"<p class=muted>{SHARES}</p>"]
    if best is not None:
        parts += ["<h2>For params.yaml</h2>", f"<pre>{escape(snippet(task, best))}</pre>"]
    rows = frame(trials, metric)
    rows = rows.sort_values(["state", metric], ascending=[True, not _larger(metric)])
    parts += ["<h2>The trials</h2>", table(rows.head(SHOWN))]
    return page(f"{task}: the search", "".join(parts), STYLE)


SHARES = (
    "The share of each setting in how much the completed trials differ (fANOVA); rough when few."
)


def snippet(task: str, best: Trial) -> str:
    """The best settings as they are written in `params.yaml`."""
    lines = ["tasks:", f"  {task}:"]
    for section, values in nested(best.values).items():
        flow = yaml.safe_dump(values, default_flow_style=True, sort_keys=False, width=10_000)
        lines.append(f"    {section}: {flow.strip()}")
    return "\n".join(lines) + "\n"


def frame(trials: Sequence[Trial], metric: str) -> pd.DataFrame:
    """One row per trial."""
    return pd.DataFrame(
        [
            {"trial": t.number, "state": t.state, metric: t.value, "epochs": t.epochs}
            | {name: text(value) for name, value in t.values.items()}
            | {"note": t.note}
            for t in trials
        ]
    )


def history(metric: str, trials: Sequence[Trial]) -> "Figure":
    """The value of each trial, and the best one up to it."""
    from matplotlib.ticker import MaxNLocator

    figure, axes = _figure(7.4, 3.2)
    done = [t for t in trials if t.state == "complete" and t.value is not None]
    pruned = [t for t in trials if t.state == "pruned" and t.value is not None]
    so_far = np.maximum.accumulate if _larger(metric) else np.minimum.accumulate
    axes.step(
        _numbers(done), so_far(_values(done)), where="post", color=ACCENT, label="best so far"
    )
    axes.plot(_numbers(done), _values(done), "o", color=ACCENT, ms=5, label="to the end")
    axes.plot(_numbers(pruned), _values(pruned), "x", color=GREY, label="pruned")
    present = [t for t in done if t.note.startswith("present")]
    if present:
        place = (_numbers(present), _values(present))
        axes.plot(*place, "o", mfc="none", mec=BEST, ms=10, label="present settings")
    axes.set(xlabel="trial", ylabel=metric)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=False, fontsize=8)
    return figure


def slices(
    metric: str, trials: Sequence[Trial], best: Trial, entries: Mapping[str, Entry]
) -> "Figure":
    """The value of the trials against each setting; the best one in red."""
    from matplotlib.figure import Figure

    columns = min(len(entries), 3)
    lines = -(-len(entries) // columns)
    figure = Figure(figsize=(2.7 * columns + 0.6, 2.4 * lines + 0.3), layout="constrained")
    grid = figure.subplots(lines, columns, squeeze=False, sharey=True).ravel()
    for axes in grid[len(entries) :]:
        axes.set_visible(False)
    for axes, (name, entry) in zip(grid, entries.items(), strict=False):
        _slice(axes, name, entry, trials, best)
    for axes in grid[::columns]:
        axes.set_ylabel(metric)
    return figure


def _slice(axes: "Axes", name: str, entry: Entry, trials: Sequence[Trial], best: Trial) -> None:
    for state, mark, colour in (("pruned", "x", GREY), ("complete", "o", ACCENT)):
        shown = [t for t in trials if t.state == state and t.value is not None and name in t.values]
        places = [_place(entry, t.values[name]) for t in shown]
        axes.plot(places, _values(shown), mark, color=colour, ms=4.5, alpha=0.8)
    axes.plot(_place(entry, best.values[name]), _values([best]), "o", color=BEST, ms=7)
    axes.set_xlabel(name)
    axes.spines[["top", "right"]].set_visible(False)
    if isinstance(entry, Range):
        if entry.log:
            axes.set_xscale("log")
    else:
        axes.set_xticks(range(len(entry.values)), [text(v) for v in entry.values], fontsize=8)
        axes.set_xlim(-0.5, len(entry.values) - 0.5)


def _place(entry: Entry, value: Any) -> float:
    return float(value) if isinstance(entry, Range) else entry.values.index(value)


def _summary(metric: str, trials: Sequence[Trial], best: Trial | None) -> str:
    if best is None or best.value is None:
        return "<p>No trial has reached its end yet.</p>"
    counts = {state: sum(t.state == state for t in trials) for state in ("complete", "pruned")}
    present = next((t for t in trials if t.note.startswith("present")), None)
    tiles = [tile(f"best {metric}", f"{best.value:.4g}", f"trial {best.number}")]
    if present is not None and present.value is not None:
        tiles.append(tile("present settings", f"{present.value:.4g}", f"trial {present.number}"))
    small = f"{counts['pruned']} of them pruned"
    tiles.append(tile("trials", str(sum(counts.values())), small))
    words = (
        f"{metric} on the validation images: the best of many is flattering, the more so the more "
        "were tried. What it is worth is measured on the test images, which a search never sees, "
        "by <code>dvc repro</code> and the gate."
    )
    return f'<div class="tiles">{"".join(tiles)}</div><p>{words}</p>'


def _values(trials: Sequence[Trial]) -> np.ndarray:
    return np.array([trial.value for trial in trials], float)


def _numbers(trials: Sequence[Trial]) -> list[int]:
    return [trial.number for trial in trials]


def _figure(width: float, height: float) -> "tuple[Figure, Axes]":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _larger(metric: str) -> bool:
    return metric.endswith("accuracy")


def text(value: Any) -> str:
    """A value as people write it."""
    return f"{value:g}" if isinstance(value, float) else str(value)
