"""The report's sections on how often, where and how surely a model is right."""

from html import escape
from typing import TYPE_CHECKING

import pandas as pd

from roadworthy import page
from roadworthy.evaluation import charts
from roadworthy.evaluation.findings import Findings
from roadworthy.evaluation.report import frame, matrix, words

if TYPE_CHECKING:
    from roadworthy.evaluation.bootstrap import Estimate

CHUNK, PAIRS = 40, 30
"""Classes in one chart, so that it fits on a sheet of paper; confused pairs in the table."""


def figures(found: Findings) -> str:
    """Every figure with its interval, validation beside it, and what it means."""
    rows = [
        {
            "figure": frame.explained(words.figure(name), words.meaning(name)),
            "test": _both(one),
            "validation": _both(found.validation.get(name)),
        }
        for name, one in found.figures.items()
    ]
    blind = "accuracy of a classifier that sees these, of image, file and border, and no picture"
    rows.append(
        {
            "figure": frame.explained(words.BLIND, blind),
            "test": frame.explained(words.three(found.baseline), "–"),
            "validation": "–",
        }
    )
    note = (
        f"Measured on the test split, each with its {found.confidence:.0%} interval below. "
        "Temperature and thresholds were fitted on validation, so that figures there flatter. "
        "Intervals come from resampling the images; images that hang together (near-duplicates, "
        "frames of one clip) are drawn together."
    )
    shown = page.table(pd.DataFrame(rows), ["test", "validation"])
    return f'<div class="fit">{shown}</div>{_note(note)}'


def classes(found: Findings) -> str:
    """F1 of every class, the worst first, and the table of it."""
    table = found.classes.sort_values(["f1", "class"], ignore_index=True)
    if table.empty:
        return _note("No class has test images.")
    named = ["precision", "recall", "f1"]
    rows = pd.DataFrame({"class": table["class"].astype(str), "images": table["images"]})
    for name in named:
        rows[words.figure(name)] = table[name].map(words.three)
        ends = zip(table[f"{name}_low"], table[f"{name}_high"], strict=True)
        rows[f"{words.figure(name)} interval"] = [words.ends(low, high) for low, high in ends]
    shown = frame.scroll(rows, list(rows.columns[2:]))
    parts = []
    for start in range(0, len(table), CHUNK):
        part = table.iloc[start : start + CHUNK].rename(columns={"f1": "F1"})
        part = part.drop(columns=["low", "high"], errors="ignore")
        part = part.rename(columns={"f1_low": "low", "f1_high": "high"})
        caption = f"F1 with intervals, classes {start + 1} to {start + len(part)} from the worst."
        spec = charts.intervals(part, "class", "F1")
        parts.append(frame.chart(f"classes-{start}", spec, caption, "<p>See the table.</p>"))
    kind = "grid" if len(parts) > 1 else "narrow"
    return f'<div class="{kind}">{"".join(parts)}</div>{shown}'


def confusion(found: Findings) -> str:
    """The matrix, sorted so that confused classes are neighbours, and the worst pairs by name."""
    many = len(found.labels) > matrix.NAMED
    kind = "matrix large" if many else "few" if len(found.labels) < 6 else "narrow"
    caption = (
        "Rows are the truth, columns the answer; blue is right, red is wrong, the stronger the larger "
        "the share of the truth. Classes that are taken for one another are neighbours. "
        "Rest the pointer on a cell for its images."
    )
    whole = frame.chart(
        "confusion", matrix.confusion(found), caption, "<p>See the table.</p>", kind
    )
    if found.confusions.empty:
        return whole + _note("No class was taken for another.")
    wrong = int(found.confusions["images"].sum())
    close = ""
    if many:
        spec = matrix.confusion(found, matrix.confused(found))
        drawn = frame.chart("close-up", spec, "The same, of the classes that are confused most.")
        close = (
            f'<div class="narrow"><h3>Close-up: the classes of the worst pairs</h3>{drawn}</div>'
        )
    worst = found.confusions.head(PAIRS)
    rows = pd.DataFrame(
        {
            "truth": worst["truth"].astype(str),
            "answer": worst["answer"].astype(str),
            "images": worst["images"],
            "of the truth": worst["share"].map(words.percent),
        }
    )
    shown = int(worst["images"].sum())
    note = f"{shown:,} of {wrong:,} wrong answers are in {words.count(len(rows), 'pair')}."
    table = f"<div><h3>Worst pairs</h3>{_note(note)}{frame.scroll(rows, ['of the truth'])}</div>"
    return f'{whole}<div class="beside">{close}{table}</div>' if many else _beside(whole, table)


def calibration(found: Findings) -> str:
    """Whether confidence can be read as a chance of being right, before and after the temperature."""
    if found.reliability.empty:
        return ""
    rows = found.reliability.assign(
        confidence=found.reliability["confidence"].map(words.percent),
        accuracy=found.reliability["accuracy"].map(words.percent),
    )
    right = ["confidence", "accuracy"]
    before, after = (found.figures.get(name) for name in ("ece_before", "ece"))
    moved = (
        f" The calibration error went from {before.value:.3f} to {after.value:.3f}."
        if before and after
        else ""
    )
    text = (
        f"Here {words.confidence(found)}. Of images with 80% confidence, 80% should be of that class: "
        f"the straight line. Below it the model is too sure, above it not sure enough. Outputs are "
        f"divided by the temperature {found.fitted.temperature:.4g}, fitted on validation (Guo et al. "
        f"2017).{moved}"
    )
    caption = "Accuracy by confidence on the test split; a dot's area is its number of images."
    spec = charts.reliability(found.reliability)
    drawn = frame.chart("reliability", spec, caption, "<p>See the table.</p>", "narrow")
    table = f"<div>{frame.scroll(rows[['state', *right, 'images']], right)}</div>"
    return _note(text) + _beside(drawn, table)


def threshold(found: Findings) -> str:
    """Precision, recall, coverage and cost against the threshold of a binary task."""
    chosen, table = found.fitted.threshold, found.thresholds
    if chosen is None or table.empty:
        return ""
    positive = str(found.labels[-1])
    text = (
        f"An image is called {positive} from a probability of {words.cut(chosen)}, chosen on "
        f"validation by the rule {found.threshold_rule}. Move the handle to see what another threshold "
        "would do on the test split; the solid line stays at the chosen one."
    )
    columns = {
        "precision": "precision",
        "recall": "recall",
        "f1": "F1",
        "coverage": f"called {positive}",
        "cost": "cost per image",
    }
    handle = frame.slider(table, "threshold", chosen, columns)
    colours = (charts.ACCENT, charts.WARN, charts.GOOD, charts.MUTED)
    lines = dict(zip(columns, zip(columns.values(), colours, strict=False), strict=False))
    spec = charts.sweep(table, "threshold", lines, chosen)
    caption = "Solid line: the chosen threshold; dashes: where the handle stands."
    drawn = frame.chart(
        "threshold", spec, caption, _thinned(table, "threshold"), "narrow", "threshold"
    )
    return _note(text) + handle + _beside(drawn, _cost(table, "threshold", chosen))


def confidence(found: Findings) -> str:
    """What is gained by holding answers back that are not sure."""
    if found.confidences.empty:
        return ""
    table = found.confidences.sort_values("confidence", ignore_index=True)
    sure = found.fitted.sure
    text = (
        f"An answer with a probability below {words.cut(sure)} (rule: {found.sure_rule}) is "
        f"marked as not sure, for a person to look at. On the test split "
        f"{words.held_back_in_words(found)}."
    )
    if found.kind == "binary":
        low, high = words.band(found)
        text += (
            f" So there is a band to abstain in: where the probability of {found.labels[-1]} lies "
            f"between {words.cut(low)} and {words.cut(high)}."
        )
    columns = {"accuracy": "accuracy", "coverage": "answered", "cost": "cost per image"}
    handle = frame.slider(table, "confidence", sure, columns)
    lines = {
        "accuracy": ("accuracy of the answered", charts.ACCENT),
        "coverage": ("answered", charts.WARN),
    }
    spec = charts.sweep(table, "confidence", lines, sure)
    caption = "Solid line: the cut in use; dashes: where the handle stands."
    drawn = frame.chart(
        "confidence", spec, caption, _thinned(table, "confidence"), "narrow", "confidence"
    )
    return _note(text) + handle + _beside(drawn, _cost(table, "confidence", sure))


def _cost(table: pd.DataFrame, over: str, chosen: float) -> str:
    spec = charts.sweep(table, over, {"cost": ("cost per image", charts.ACCENT)}, chosen)
    caption = "Mean cost per image, by the settings evaluate.costs and unsure_cost."
    return frame.chart(f"{over}-cost", spec, caption, "<p>See the table.</p>", "aside", over)


def _thinned(table: pd.DataFrame, over: str) -> str:
    """About a dozen rows of a long table."""
    step = max(len(table) // 12, 1)
    rows = table.iloc[::step].sort_values(over)
    shown = rows.map(words.three).assign(**{over: rows[over].round(4).map(words.cut)})
    return page.table(shown, [str(name) for name in shown])


def _both(one: "Estimate | None") -> page.Html | str:
    """A figure above its interval."""
    return frame.explained(words.three(one.value), words.interval(one)) if one else "–"


def _beside(chart: str, table: str) -> str:
    return f'<div class="beside">{chart}{table}</div>'


def _note(text: str) -> str:
    return f"<p>{escape(text)}</p>"
