"""`card.md`: the model card, in the structure of Mitchell et al. 2019, from an evaluation's findings."""

from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from roadworthy.evaluation.findings import Findings
from roadworthy.evaluation.report import words

MOST = 20
"""Rows of a long table."""


# DVC's copy holds no clock, so that the same model gives the same bytes.
ELSEWHERE = "Not in this copy: the registered model's card has it, where it was recorded."


def write_card(found: Findings) -> str:
    """Markdown; every figure in it is one of the findings."""
    parts = [
        f"# Model card: {_plain(found.task)}",
        words.headline(found),
        *_section("Model details", _details(found)),
        *_section("Intended use", _use(found)),
        *_section("Data", _data(found)),
        *_section("Figures", _figures(found)),
        *_section("Figures by class", _classes(found)),
        *_section("Figures by slice", _slices(found)),
        *_section("Calibration and thresholds", _fitted(found)),
        *_section("Robustness and behaviour", [*_robustness(found), *_behaviour(found)]),
        *_section("Scenes", _scenes(found)),
        *_section("Speed and size", _speed(found)),
        *_section("Limits", [_list(limits(found))]),
        *_section("Training cost", [_cost(found)]),
        *_section(
            "Lineage", [_list(f"{k.replace('_', ' ')}: {v}" for k, v in found.lineage.items())]
        ),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def limits(found: Findings) -> list[str]:
    """What the model cannot do, in plain words."""
    found_out = [one.words for one in words.concerns(found)]
    return [
        "It answers one of its labels for any image, also for one that shows none of them.",
        "It was measured on images of the kind it was trained on; on others nothing is known.",
        *found_out,
        *_hurt(found),
        "The explanations show where it looked, not why; they are no proof of a right reason.",
    ]


def _details(found: Findings) -> list[str]:
    labels = ", ".join(str(label) for label in found.labels)
    kind = "two classes" if found.kind == "binary" else f"{len(found.labels)} classes"
    lines = [f"Kind: classifier of car images, {kind}", f"Labels: {labels}"]
    if found.kind == "binary":
        lines.append(f"Positive class: {found.labels[-1]}")
    return [_list(lines)]


def _use(found: Findings) -> list[str]:
    wanted = [
        f"Naming one of its {len(found.labels)} labels for a photograph of the kind it was tested on,",
        "with a person who looks at the answers that are marked as not sure.",
    ]
    unwanted = [
        "Decisions about people, such as whom to stop, fine or charge.",
        "Control of a vehicle, or anything where a wrong answer harms somebody.",
        "Images of another kind, camera or country, before it was measured on them.",
    ]
    return ["It is for:", _list(wanted), "It is not for:", _list(unwanted)]


def _data(found: Findings) -> list[str]:
    lines = [f"{split}: {words.images(number)}" for split, number in found.rows.items()]
    source = found.lineage.get("data_version")
    lines += [f"data version: {source}"] if source else []
    lines.append(
        f"a classifier that sees {words.BLIND} is right on "
        f"{words.percent(found.baseline)} of the test images"
    )
    return [_list(lines)]


def _figures(found: Findings) -> list[str]:
    share = f"{found.confidence:.0%} interval"
    rows = [
        (words.figure(name), f"{one.value:.3f}", words.interval(one), _validation(found, name))
        for name, one in found.figures.items()
    ]
    note = "On the test split, validation beside it; intervals by resampling the test images."
    return [note, _table(("figure", "test", share, "validation"), rows)]


def _classes(found: Findings) -> list[str]:
    table = found.classes.sort_values(["f1", "class"])
    rows = [
        (row["class"], row["images"], *(_estimate(row, n) for n in ("precision", "recall", "f1")))
        for row in table.head(MOST).to_dict("records")
    ]
    return [
        _worst(table, "classes"),
        _table(("class", "images", "precision", "recall", "F1"), rows),
    ]


def _slices(found: Findings) -> list[str]:
    if found.slices.empty:
        return ["No slice has enough images to be judged."]
    rows = [
        (
            row["slice"],
            row["images"],
            words.percent(row["accuracy"]),
            f"{100 * row['low']:.1f} to {words.percent(row['high'])}",
            f"{row['p_corrected']:.2g}",
            "weak" if row["weak"] else "",
        )
        for row in found.slices.head(MOST).to_dict("records")
    ]
    names = ("slice", "images", "accuracy", "interval", "corrected p", "")
    return [words.correction(found), _worst(found.slices, "slices"), _table(names, rows)]


def _fitted(found: Findings) -> list[str]:
    before, after = (found.figures.get(name) for name in ("ece_before", "ece"))
    lines = [f"temperature {found.fitted.temperature:.4g}, fitted on validation"]
    if before and after:
        lines.append(
            f"calibration error {before.value:.3f} before it, {after.value:.3f} after it; "
            f"{words.confidence(found)}"
        )
    if found.fitted.threshold is not None:
        lines.append(
            f"threshold {words.cut(found.fitted.threshold)} for {found.labels[-1]}, "
            f"by the rule {found.threshold_rule} on validation"
        )
    if words.held_back(found) is not None:
        lines.append(
            f"answers below a probability of {words.cut(found.fitted.sure)} are marked as not sure; "
            f"on the test split {words.held_back_in_words(found)}"
        )
    return [_list(lines)]


def _robustness(found: Findings) -> list[str]:
    hurt = words.drops(found).to_dict("records")
    if not hurt:
        return ["Robustness was not measured."]
    rows = [(row["change"], f"{row['strength']:g}", words.percent(row["accuracy"])) for row in hurt]
    return [_table(("change", "strongest", "accuracy"), rows)]


def _behaviour(found: Findings) -> list[str]:
    rows = [
        (row["check"], "passed" if row["passed"] else "failed", row["words"])
        for row in found.behaviour.to_dict("records")
    ]
    return (
        [_table(("check", "verdict", "in words"), rows)] if rows else ["Behaviour was not checked."]
    )


def _scenes(found: Findings) -> list[str]:
    seen = found.scenes
    if seen is None:
        return []
    named = [(words.SCENES.get(name, (name, "")), one) for name, one in seen.figures.items()]
    rows = [
        (title, f"{one.value:.3f}", words.interval(one), means) for (title, means), one in named
    ]
    sizes = [
        (row["size"], row["cars"], words.three(row["recall"]), words.ends(row["low"], row["high"]))
        for row in seen.sizes.to_dict("records")
    ]
    return [
        words.scenes(seen),
        _table(("figure", "test scenes", f"{found.confidence:.0%} interval", "meaning"), rows),
        _table(("size", "cars", "recall", "interval"), sizes),
    ]


def _speed(found: Findings) -> list[str]:
    one = found.speed
    if one is None:
        return [ELSEWHERE]
    lines = [
        f"{one.latency_ms:.2f} ms for one image (median; 95 of 100 within {one.latency_p95_ms:.2f} ms), "
        f"{one.throughput:.1f} images per second in batches, on {one.machine}",
        f"{one.megabytes:.2f} MB, {one.parameters:,} parameters",
        f"graph and torch differ by at most {one.disagreement:.2g} in any probability",
    ]
    return [_list(lines)]


def _hurt(found: Findings) -> list[str]:
    """The three changes that cost most, by how much."""
    lost = [
        f"{row['change']} {100 * row['loss']:.1f} points"
        for row in words.drops(found).head(3).to_dict("records")
        if row["loss"] > 0
    ]
    return (
        [f"Changes that cost most accuracy at their strongest: {', '.join(lost)}."] if lost else []
    )


def _cost(found: Findings) -> str:
    one = found.spent
    if one is None:
        return ELSEWHERE
    return _list(
        [
            f"{one.hours:.3g} hours on {one.machine}",
            f"{one.kilowatt_hours:.3g} kWh, {one.kilograms:.3g} kg of CO2e, both estimated",
            f"price {one.price:.3g}, in the currency of the settings",
        ]
    )


def _worst(table: pd.DataFrame, things: str) -> str:
    if len(table) <= MOST:
        return "The worst first."
    return f"The {MOST} worst of {len(table)} {things}; the report has all of them."


def _validation(found: Findings, name: str) -> str:
    return words.three(found.validation[name].value) if name in found.validation else "–"


def _estimate(row: dict[Any, Any], name: str) -> str:
    text = words.three(row[name])
    return (
        text if text == "–" else f"{text} ({words.ends(row[f'{name}_low'], row[f'{name}_high'])})"
    )


def _section(title: str, parts: Sequence[str]) -> list[str]:
    return [f"## {title}", *parts] if any(parts) else []


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"- {_plain(line)}" for line in lines)


def _table(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    lines = [names, ["---"] * len(names), *rows]
    return "\n".join(f"| {' | '.join(map(_plain, line))} |" for line in lines)


def _plain(value: Any) -> str:
    """Text that means nothing to Markdown: on one line, no HTML, no cell, link or emphasis."""
    text = " ".join(str(value).split())
    for mark in "\\`*[]|":
        text = text.replace(mark, f"\\{mark}")
    return text.replace("&", "&amp;").replace("<", "&lt;")
