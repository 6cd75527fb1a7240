"""The report's section on whole scenes: how many cars a search finds, and what else it takes for one."""

import base64
from html import escape

import numpy as np
import pandas as pd
from PIL import Image

from roadworthy import page
from roadworthy.evaluation import charts
from roadworthy.evaluation.charts import Spec
from roadworthy.evaluation.findings import Findings
from roadworthy.evaluation.report import frame, words
from roadworthy.evaluation.scenes import Scenes
from roadworthy.evaluation.sheets import TITLES

# Points of the curve that are drawn, about.
POINTS = 300
TILES = {"average_precision": "area, whole scenes", "equal_error": "equal error, scenes"}


def tiles(found: Findings) -> list[tuple[str, str, str]]:
    """Name, figure and small print of the two figures that decide."""
    figures = found.scenes.figures if found.scenes else {}
    return [
        (title, f"{figures[name].value:.3f}", words.interval(figures[name]))
        for name, title in TILES.items()
        if name in figures
    ]


def scenes(found: Findings) -> str:
    """Figures, the curve, the sizes, and the pictures of hits, misses and false alarms."""
    seen = found.scenes
    if seen is None:
        return ""
    figures = pd.DataFrame(
        [
            {
                "figure": frame.explained(*words.SCENES.get(name, (name, ""))),
                "test scenes": frame.explained(words.three(one.value), words.interval(one)),
            }
            for name, one in seen.figures.items()
        ]
    )
    table = f'<div class="fit">{page.table(figures, ["test scenes"])}</div>'
    parts = [f"<p>{escape(words.scenes(seen))}</p>", _beside(_chart(seen), table)]
    return "".join([*parts, _sizes(seen), *map(_picture, seen.pictures, seen.pictures.values())])


def precision_recall(seen: Scenes) -> Spec:
    """The curve over all thresholds, the chosen one, and the line where the two are equal."""
    names = ["recall", "precision", "threshold", "f1", "false_alarms"]
    table = _thinned(seen.curve)[names].round(6)
    rows = [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]
    chosen = {name: round(seen.figures[name].value, 6) for name in names if name in seen.figures}
    recall, precision = (
        {
            "field": name,
            "type": "quantitative",
            "scale": {"domain": charts.UNIT},
            "axis": {"format": ".0%", "title": name, "values": charts.FIFTHS},
        }
        for name in ("recall", "precision")
    )
    place = {"x": recall, "y": precision}
    tooltip = [charts.field(n, kind="quantitative", form=".3f") for n in names]
    ideal: Spec = {
        "data": {"values": [{"recall": v, "precision": v} for v in charts.UNIT]},
        "mark": {"type": "line", "color": charts.MUTED, "strokeWidth": 1, "strokeDash": [4, 4]},
        "encoding": place,
    }
    # Without an order Vega-Lite joins the points by recall, which some of them share.
    order = {"field": "threshold", "type": "quantitative", "sort": "descending"}
    line: Spec = {
        "mark": {"type": "line", "color": charts.ACCENT, "strokeWidth": 2},
        "encoding": place | {"order": order},
    }
    # A line has one tooltip: that of its first point.
    points: Spec = {
        "mark": {"type": "point", "filled": True, "size": 60, "opacity": 0},
        "encoding": place | {"tooltip": tooltip},
    }
    cut: Spec = {
        "data": {"values": [chosen | {"threshold": seen.threshold}]},
        "mark": {"type": "point", "filled": True, "shape": "diamond", "size": 110, "opacity": 1},
        "encoding": place | {"tooltip": tooltip, "color": {"value": charts.BAD}},
    }
    return charts.specification(rows, 300, layer=[ideal, line, points, cut])


def _chart(seen: Scenes) -> str:
    if not seen.cars:
        return "<p>No test scene has a car: there is no curve.</p>"
    caption = (
        "Precision against recall over all thresholds; the diamond is the chosen one, and where the "
        "curve crosses the dashes the two are equal."
    )
    spec = precision_recall(seen)
    return frame.chart("scenes", spec, caption, "<p>See the table.</p>", "narrow")


def _sizes(seen: Scenes) -> str:
    table = seen.sizes
    ends = zip(table["low"], table["high"], strict=True)
    rows = pd.DataFrame(
        {
            "size": table["size"],
            "cars": table["cars"],
            "recall": table["recall"].map(words.three),
            "interval": [words.ends(low, high) for low, high in ends],
            "false alarms per image": table["false_alarms"].map(words.three),
        }
    )
    note = (
        "By the area of the box in pixels, as COCO cuts it: small below 32 x 32, large from 96 x 96. "
        "A false alarm has the size of its own box."
    )
    shown = page.table(rows, ["recall", "interval", "false alarms per image"])
    return f'<h3>By size</h3><p>{escape(note)}</p><div class="fit">{shown}</div>'


def _picture(name: str, sheet: Image.Image) -> str:
    title = TITLES.get(name, name.replace("_", " "))
    source = base64.b64encode(page.jpeg(sheet)).decode()
    # On a telephone it is scrolled: made smaller, its numbers could not be read.
    return (
        f'<h3>{escape(title)}</h3><div class="wide"><img alt="{escape(title)}" '
        f'style="width:100%;min-width:{sheet.width / 2:.0f}px" '
        f'src="data:image/jpeg;base64,{source}"></div>'
    )


def _thinned(curve: pd.DataFrame) -> pd.DataFrame:
    """About `POINTS` rows, evenly along recall, and the ends."""
    if len(curve) <= POINTS:
        return curve
    along = np.linspace(0, curve["recall"].iloc[-1], POINTS // 2)
    rising = np.searchsorted(curve["recall"], along).clip(max=len(curve) - 1)
    # Of one recall the first row has the best precision, the one before it the worst.
    kept = np.unique(np.concatenate([rising, np.maximum(rising - 1, 0), [len(curve) - 1]]))
    return curve.iloc[kept]


def _beside(chart: str, table: str) -> str:
    return f'<div class="beside">{chart}{table}</div>'
