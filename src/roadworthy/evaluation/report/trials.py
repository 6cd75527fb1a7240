"""The report's sections on where a model is weak, how it was made, and what it costs."""

from html import escape

import pandas as pd

from roadworthy import page
from roadworthy.evaluation import charts
from roadworthy.evaluation.findings import Findings
from roadworthy.evaluation.report import frame, words
from roadworthy.page import Html

DRAWN = 30
"""Slices in the chart; all are in the table."""


def slices(found: Findings) -> str:
    """Accuracy by part of the test split, the worst first."""
    table = found.slices
    if table.empty:
        return _note("No slice has enough images to be judged.")
    worst = table.head(DRAWN)
    spec = charts.intervals(worst, "slice", "accuracy", found.figures["accuracy"].value)
    caption = (
        f"The {len(worst)} worst of {words.count(len(table), 'slice')}; the line is the accuracy on "
        "all images. A red diamond is a weak slice."
    )
    drawn = frame.chart("slices", spec, caption, "<p>See the table.</p>", "narrow")
    ends = zip(table["low"], table["high"], strict=True)
    rows = pd.DataFrame(
        {
            "slice": table["slice"].astype(str),
            "images": table["images"],
            "accuracy": table["accuracy"].map(words.percent),
            "interval": [f"{100 * low:.1f} to {words.percent(high)}" for low, high in ends],
            "p": table["p"].map("{:.2g}".format),
            "corrected p": table["p_corrected"].map("{:.2g}".format),
            "": [_chip(not weak, "", "weak") for weak in table["weak"]],
        }
    )
    right = ["accuracy", "interval", "p", "corrected p"]
    listed = f"<div>{frame.scroll(rows, right)}</div>"
    return f'{_note(words.correction(found))}<div class="beside">{drawn}{listed}</div>'


def robustness(found: Findings) -> str:
    """Accuracy against the strength of each change."""
    hurt = words.drops(found)
    if hurt.empty:
        return _note("Not measured: evaluate.stress is 0.")
    text = (
        "The same test images, changed. At strength 1 a person hardly notices, at 3 a person still "
        "knows the answer. The changes that hurt most come first."
    )
    parts = [
        f"<div><h3>{escape(str(row['change']))}</h3>"
        + frame.chart(
            f"stress-{place}",
            charts.stress(found.stress, str(row["change"])),
            f"{words.percent(row['accuracy'])} at strength {row['strength']:g}, "
            f"{_loss(float(row['loss']))}.",
            "<p>See the table.</p>",
        )
        + "</div>"
        for place, row in enumerate(hurt.to_dict("records"))
    ]
    wide = found.stress[found.stress["strength"] > 0].pivot_table(
        index="change", columns="strength", values="accuracy", sort=False
    )
    wide = wide.reindex(hurt["change"]).map(words.percent).rename_axis(None, axis=1)
    wide.columns = [f"strength {name:g}" for name in wide.columns]
    shown = page.table(wide.reset_index(), list(wide.columns))
    return f'{_note(text)}<div class="grid">{"".join(parts)}</div><div class="fit">{shown}</div>'


def behaviour(found: Findings) -> str:
    """What must hold of any model that sees what people see."""
    table = found.behaviour
    if table.empty:
        return _note("Not checked.")
    rows = pd.DataFrame(
        {
            "": [_chip(bool(ok), "passed", "failed") for ok in table["passed"]],
            "check": [
                frame.explained(str(check), str(says))
                for check, says in zip(table["check"], table["words"], strict=True)
            ],
            "figure": table["figure"].map(words.percent),
            "limit": table["limit"].map(words.percent),
        }
    )
    return f'<div class="fit">{page.table(rows, ["figure", "limit"])}</div>'


def training(found: Findings) -> str:
    """Losses and validation accuracy by epoch."""
    history = [row for row in found.history if row.get("epoch") is not None]
    if not history:
        return _note("The history of this training is not at hand.")
    loss = {"train/loss": charts.MUTED, "val/loss": charts.ACCENT}
    accuracy = {"val/accuracy": charts.ACCENT}
    words_of = "By epoch; validation images are never augmented."
    rows = pd.DataFrame(history).rename(columns={"epoch": "from 0: epoch"})
    fallback = frame.scroll(rows)
    first = frame.chart("loss", charts.training(history, loss, "loss"), words_of, fallback)
    spec = charts.training(history, accuracy, "accuracy")
    second = frame.chart("history", spec, "Accuracy on validation by epoch.", "<p></p>")
    return f'<div class="grid">{first}{second}</div>'


def speed(found: Findings) -> str:
    """The inference graph beside torch."""
    one = found.speed
    if one is None:
        return _note("Not measured.")
    rows = pd.DataFrame(
        [
            ("one image, median", f"{one.latency_ms:.2f} ms", f"{one.torch_latency_ms:.2f} ms"),
            ("one image, 95 of 100 within", f"{one.latency_p95_ms:.2f} ms", "–"),
            (
                "images per second, 32 at once",
                f"{one.throughput:.1f}",
                f"{one.torch_throughput:.1f}",
            ),
            ("size of the file", f"{one.megabytes:.2f} MB", "–"),
            ("parameters", f"{one.parameters:,}", f"{one.parameters:,}"),
        ],
        columns=["", "graph", "torch"],
    )
    text = (
        f"Measured on {one.machine}. Graph and torch differ by at most {one.disagreement:.2g} in any "
        "probability."
    )
    return f'{_note(text)}<div class="fit">{page.table(rows, ["graph", "torch"])}</div>'


def lineage(found: Findings) -> str:
    """Splits, labels, and what the model came from."""
    rows = [(f"images: {split}", f"{number:,}") for split, number in found.rows.items()]
    rows += [("labels", f"{len(found.labels)}")]
    rows += [(str(name).replace("_", " "), str(value)) for name, value in found.lineage.items()]
    return f'<div class="fit">{page.table(pd.DataFrame(rows, columns=["", "value"]))}</div>'


def cost(found: Findings) -> str:
    """What the training took."""
    spent = found.spent
    if spent is None:
        return _note("Not recorded.")
    rows = pd.DataFrame(
        [
            ("hours", f"{spent.hours:.3g}"),
            ("kilowatt-hours", f"{spent.kilowatt_hours:.3g}"),
            ("kilograms of CO2e", f"{spent.kilograms:.3g}"),
            ("price, in the currency of the settings", f"{spent.price:.3g}"),
            ("machine", spent.machine),
        ],
        columns=["", "value"],
    )
    note = "Estimated from the machine's load while training and from the settings evaluate.energy."
    return f'<div class="fit">{page.table(rows)}</div>{_note(note)}'


def _loss(points: float) -> str:
    return f"{abs(100 * points):.1f} points {'lost' if points >= 0 else 'gained'}"


def _chip(good: bool, yes: str, no: str) -> Html:
    return Html(f'<span class="chip {"good" if good else "bad"}">{yes if good else no}</span>')


def _note(text: str) -> str:
    return f"<p>{escape(text)}</p>"
