"""The confusion matrix as a chart that stays readable with many classes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform

from roadworthy.evaluation.charts import ACCENT, BAD, INK, UNIT, Spec, field, specification
from roadworthy.evaluation.findings import Findings

NAMED, CLOSE_UP, COUNTED = 30, 24, 16
"""Most classes named on both axes, most of a close-up, most whose counts are written down."""


def order(counts: np.ndarray) -> list[int]:
    """Classes so that those taken for one another are neighbours.

    Hierarchical clustering with optimal leaf order (Bar-Joseph et al. 2001), by scipy.

    Args:
        counts: truth by answer, (C, C).
    """
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    alike = (shares + shares.T) / 2
    np.fill_diagonal(alike, 0)
    if len(counts) < 3 or not alike.any():
        return list(range(len(counts)))
    distance = 1 - alike / alike.max()
    np.fill_diagonal(distance, 0)
    tree = linkage(squareform(distance), "average", optimal_ordering=True)
    return [int(place) for place in leaves_list(tree)]


def confused(found: Findings, most: int = CLOSE_UP) -> list[int]:
    """The classes of the worst pairs, in the order of the matrix."""
    names: dict[str, None] = {}
    for row in found.confusions.to_dict("records"):
        pair = dict.fromkeys((str(row["truth"]), str(row["answer"])))
        if len(names | pair) > most:
            break
        names |= pair
    return [place for place in order(found.counts) if found.labels[place] in names]


def confusion(found: Findings, places: Sequence[int] | None = None) -> Spec:
    """The matrix: right answers blue, wrong ones red, the darker the larger share of the truth.

    Args:
        places: the classes shown, in this order; all of them without it.
    """
    places = order(found.counts) if places is None else places
    names = [str(found.labels[place]) for place in places]
    named = len(names) <= NAMED
    side = max(len(names) * (22 if named else 8), 150)
    axis = {"grid": False, "ticks": False, "domain": False, "labelLimit": 110, "labelPadding": 5}
    small = axis | {"labelFontSize": 7, "labelOverlap": False, "labelPadding": 2}
    down = axis if named else small
    across = (
        {"labelAngle": -90 if len(names) > 2 else 0} | axis | ({} if named else {"labels": False})
    )
    scale = {"domain": names, "paddingInner": 0.06, "paddingOuter": 0}
    cells: Spec = {
        "mark": {"type": "rect"},
        "encoding": {
            "fill": {
                "condition": {"test": "datum.truth === datum.answer", "value": ACCENT},
                "value": BAD,
            },
            "fillOpacity": {
                "field": "share",
                "type": "quantitative",
                "scale": {"type": "sqrt", "domain": UNIT, "range": [0.15, 1]},
                "legend": None,
            },
            "tooltip": [
                field("truth", kind="nominal"),
                field("answer", kind="nominal"),
                field("images", kind="quantitative"),
                field("share", "share of the truth", "quantitative", ".1%"),
            ],
        },
    }
    written: Spec = {
        "mark": {"type": "text", "fontSize": 10},
        "encoding": {
            "text": {"field": "images", "type": "quantitative"},
            "color": {"condition": {"test": "datum.share > 0.3", "value": "#ffffff"}, "value": INK},
        },
    }
    return specification(
        _cells(found, places),
        side,
        layer=[cells, written] if len(names) <= COUNTED else [cells],
        encoding={
            "x": field("answer", "answer", "ordinal") | {"scale": scale, "axis": across},
            "y": field("truth", "truth", "ordinal") | {"scale": scale, "axis": down},
        },
    )


def _cells(found: Findings, places: Sequence[int]) -> list[dict[str, Any]]:
    totals = np.maximum(found.counts.sum(axis=1), 1)
    return [
        {
            "truth": str(found.labels[row]),
            "answer": str(found.labels[column]),
            "images": int(found.counts[row, column]),
            "share": round(float(found.counts[row, column] / totals[row]), 4),
        }
        for row in places
        for column in places
        if found.counts[row, column]
    ]
