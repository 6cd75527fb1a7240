"""The charts of `report.html`, as Vega-Lite specifications: plain dicts, with their data inside.

Colours are those of `page.STYLE` on white; the page's style gives them their shade in the dark.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

Spec = dict[str, Any]
INK, MUTED, LINE = "#1f2937", "#6b7280", "#e5e7eb"
ACCENT, GOOD, WARN, BAD = "#2563eb", "#15803d", "#b45309", "#b91c1c"
UNIT, FIFTHS = [0.0, 1.0], [0, 0.2, 0.4, 0.6, 0.8, 1]


def specification(values: list[dict[str, Any]], height: float, **rest: Any) -> Spec:
    """A chart as wide as its place; `rest` is what it draws.

    Args:
        values: the rows.
        height: px.
    """
    font = "system-ui, sans-serif"
    quiet = {"labelColor": MUTED, "titleColor": MUTED, "labelFontSize": 11, "titleFontSize": 11}
    lines = {"gridColor": LINE, "domainColor": LINE, "tickColor": LINE, "titleFontWeight": "normal"}
    config = {
        "font": font,
        "background": None,
        "view": {"stroke": None},
        "axis": quiet | lines,
        "legend": quiet | {"orient": "top", "labelColor": INK, "symbolType": "stroke"},
    }
    size = {
        "width": "container",
        "height": height,
        "autosize": {"type": "fit-x", "contains": "padding"},
    }
    return {"data": {"values": values}, "config": config, **size, **rest}


def field(name: str, title: str | None = None, kind: str = "nominal", form: str = "") -> Spec:
    """A channel of an encoding: what is shown, of which kind, and how it is written."""
    shown = {"field": name, "type": kind, "title": title or name}
    return shown | ({"format": form} if form else {})


def intervals(rows: pd.DataFrame, name: str, value: str, middle: float | None = None) -> Spec:
    """A dot with its interval per row, from top to bottom as they come.

    Args:
        rows: columns `name`, `value`, low, high, images, and optionally weak (bool).
        middle: the figure of all images, as a line.
    """
    kept = rows[[c for c in (name, value, "low", "high", "images", "weak") if c in rows]]
    data = kept.rename(columns={name: "name", value: "value"}).assign(row=range(len(rows)))
    spread = {"type": "quantitative", "scale": {"domain": UNIT}}
    colour = {"condition": {"test": "datum.weak === true", "value": BAD}, "value": ACCENT}
    tooltip = [
        field("name", name, "nominal"),
        field("value", value, "quantitative", ".3f"),
        field("low", "from", "quantitative", ".3f"),
        field("high", "to", "quantitative", ".3f"),
        field("images", kind="quantitative"),
    ]
    axis = {"format": ".0%", "title": None, "orient": "top", "tickCount": 5}
    beside = {"title": None, "labelLimit": 150, "grid": False}
    names = field("name") | {"sort": {"field": "row"}, "axis": beside}
    layers: list[Spec] = [
        {
            "mark": {"type": "rule", "strokeWidth": 2, "opacity": 0.45},
            "encoding": {
                "x": {"field": "low", "axis": axis} | spread,
                "y": names,
                "x2": {"field": "high"},
                "color": colour,
                "tooltip": tooltip,
            },
        },
        {
            "mark": {"type": "point", "filled": True, "size": 55, "opacity": 1},
            "encoding": {
                "x": {"field": "value"} | spread,
                "y": names,
                "color": colour,
                "shape": {
                    "condition": {"test": "datum.weak === true", "value": "diamond"},
                    "value": "circle",
                },
                "tooltip": tooltip,
            },
        },
    ]
    if middle is not None:
        layers.insert(0, _line("x", middle, MUTED))
    return specification(_records(data), 17 * len(rows) + 4, layer=layers)


def reliability(table: pd.DataFrame) -> Spec:
    """Confidence against accuracy, before and after the temperature; a dot's area is its images."""
    states = _series(["after", "before"], [ACCENT, MUTED], "state")
    encoding = {
        "x": _unit("confidence")
        | {"axis": {"format": ".0%", "title": "confidence", "values": FIFTHS}},
        "y": _unit("accuracy") | {"axis": {"format": ".0%", "title": "accuracy", "values": FIFTHS}},
        **states,
    }
    ideal: Spec = {
        "data": {"values": [{"confidence": v, "accuracy": v} for v in UNIT]},
        "mark": {"type": "line", "color": MUTED, "strokeWidth": 1, "opacity": 0.6},
        "encoding": {"x": _unit("confidence"), "y": _unit("accuracy")},
    }
    dots: Spec = {
        "mark": {"type": "point", "filled": True, "opacity": 0.9},
        "encoding": encoding
        | {
            "size": field("images", kind="quantitative") | {"legend": None},
            "strokeDash": {"value": [1, 0]},
            "tooltip": [
                field("state", kind="nominal"),
                field("confidence", kind="quantitative", form=".1%"),
                field("accuracy", kind="quantitative", form=".1%"),
                field("images", kind="quantitative"),
            ],
        },
    }
    line: Spec = {"mark": {"type": "line", "strokeWidth": 1.5}, "encoding": encoding}
    return specification(_records(table), 300, layer=[ideal, line, dots])


def sweep(
    table: pd.DataFrame, over: str, lines: Mapping[str, tuple[str, str]], chosen: float
) -> Spec:
    """Some columns against `over`, with the chosen place and one that the reader moves (`cut`).

    Args:
        lines: column to what it is called and its colour; `cost` stands alone.
        chosen: where it was set.
    """
    titles = {name: title for name, (title, _) in lines.items()}
    kept, colours = list(titles.values()), [colour for _, colour in lines.values()]
    data = table[[over, *lines]].rename(columns=titles | {over: "at"})
    data = data.melt("at", var_name="figure", value_name="value")
    shares = "cost" not in lines
    axis = {"title": None if shares else kept[0], "format": ".0%" if shares else ".2g"}
    span: Spec = {"scale": {"domain": UNIT}} if shares else {}
    lead: Spec = {
        "mark": {"type": "line", "strokeWidth": 2},
        "encoding": {
            "x": _unit("at") | {"axis": {"title": over, "format": ".1f", "values": FIFTHS}},
            "y": {"field": "value", "type": "quantitative", "axis": axis} | span,
            **_series(kept, colours, "figure"),
            "tooltip": [
                field("at", over, "quantitative", ".3f"),
                field("figure", kind="nominal"),
                field("value", kind="quantitative", form=".3f"),
            ],
        },
    }
    if len(kept) == 1:
        lead["encoding"] |= {"color": {"value": colours[0]}, "strokeDash": {"value": [1, 0]}}
    layers = [lead, _line("x", chosen, INK), _line("x", {"expr": "cut"}, BAD, dash=[3, 3])]
    cut = [{"name": "cut", "value": chosen}]
    return specification(_records(data), 260, layer=layers, params=cut)


def stress(table: pd.DataFrame, change: str) -> Spec:
    """Accuracy against the strength of one change; strength 0 is the image as it is."""
    rows = table[(table["change"] == change) | (table["strength"] == 0)].sort_values("strength")
    x = field("strength", kind="quantitative")
    y = {"field": "accuracy", "type": "quantitative", "scale": {"domain": UNIT}}
    ticks = sorted({int(v) for v in rows["strength"]})
    axis = {"x": {"axis": {"values": ticks, "format": "d", "title": "strength", "grid": False}}}
    band: Spec = {
        "mark": {"type": "area", "color": ACCENT, "opacity": 0.2},
        "encoding": {"x": x | axis["x"], "y": y | {"field": "low"}, "y2": {"field": "high"}},
    }
    line: Spec = {
        "mark": {"type": "line", "color": ACCENT, "point": {"color": ACCENT, "size": 45}},
        "encoding": {
            "x": x | axis["x"],
            "y": y | {"axis": {"format": ".0%", "title": None, "tickCount": 4}},
            "tooltip": [
                field("strength", kind="quantitative"),
                field("accuracy", kind="quantitative", form=".1%"),
                field("low", "from", "quantitative", ".1%"),
                field("high", "to", "quantitative", ".1%"),
            ],
        },
    }
    return specification(_records(rows.drop(columns="change")), 130, layer=[band, line])


def training(history: Sequence[Mapping[str, Any]], columns: Mapping[str, str], title: str) -> Spec:
    """Some columns of `history.csv` by epoch.

    Args:
        columns: column to colour; those that no epoch has are left out.
    """
    kept = [name for name in columns if any(row.get(name) is not None for row in history)]
    values = [
        {"epoch": int(row["epoch"]) + 1, "figure": name, "value": _plain(row.get(name))}
        for row in history
        for name in kept
    ]
    y = {"field": "value", "type": "quantitative", "axis": {"title": title}}
    x = field("epoch", kind="quantitative") | {"axis": {"tickMinStep": 1, "format": "d"}}
    encoding = {
        "x": x | {"scale": {"nice": False, "padding": 8}},
        "y": y | {"scale": {"zero": False}},
        **_series(kept, [columns[name] for name in kept], "figure"),
        "tooltip": [
            field("epoch", kind="quantitative"),
            field("figure", kind="nominal"),
            field("value", kind="quantitative", form=".4f"),
        ],
    }
    return specification(values, 220, mark={"type": "line", "point": True}, encoding=encoding)


def _line(channel: str, value: Any, colour: str, dash: Sequence[int] = (1, 0)) -> Spec:
    return {
        "data": {"values": [{}]},
        "mark": {"type": "rule", "color": colour, "strokeDash": list(dash), "strokeWidth": 1.5},
        "encoding": {channel: {"datum": value, "type": "quantitative", "scale": {"domain": UNIT}}},
    }


def _series(names: Sequence[str], colours: Sequence[str], column: str) -> Spec:
    """Told apart by colour and by dashes, for print and for any kind of colour vision."""
    dashes = [[1, 0], [6, 3], [2, 2], [8, 3, 2, 3]][: len(names)]
    key = {"field": column, "type": "nominal", "legend": {"title": None}}
    return {
        "color": key | {"scale": {"domain": list(names), "range": list(colours)}},
        "strokeDash": key | {"scale": {"domain": list(names), "range": dashes}},
    }


def _unit(column: str) -> Spec:
    return {"field": column, "type": "quantitative", "scale": {"domain": UNIT}}


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {str(key): _plain(value) for key, value in row.items()} for row in table.to_dict("records")
    ]


def _plain(value: Any) -> Any:
    """As JSON knows it; what is not a number is missing."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return round(value, 6) if np.isfinite(value) else None
    return value
