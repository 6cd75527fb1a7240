"""How a telling feature lies in each class, as SVG and swatches that follow light and dark."""

from html import escape

import numpy as np
import pandas as pd

from roadworthy.page import bars
from roadworthy.quality.shortcut import FEATURES

BINS, CLASSES, SWATCHES = 48, 8, 40
STYLE = """
.lanes{display:grid;grid-template-columns:minmax(4rem,max-content) 1fr;gap:.15rem .8rem;
align-items:end;font-size:.9rem}.lanes svg{width:100%;height:2.6rem;display:block;
border-bottom:1px solid var(--muted)}.lanes rect{fill:var(--accent)}
.axis{display:flex;justify-content:space-between;font-variant-numeric:tabular-nums}
.swatches{display:flex;height:2.2rem;border-radius:.2rem;overflow:hidden}.swatches span{flex:1}
"""


def show(rows: pd.DataFrame, feature: str) -> str:
    """The feature in the largest classes, one lane per class on one scale.

    Args:
        rows: usable manifest rows.
        feature: a key of `shortcut.FEATURES`.
    """
    kept = list(rows["label"].astype(str).value_counts().index[:CLASSES])
    rows = rows[rows["label"].astype(str).isin(kept)]
    columns = FEATURES[feature]
    if feature == "format":
        return _formats(rows)
    if len(columns) == 3:
        return _colours(rows, columns)
    return _lanes(rows, columns[0])


def _lanes(rows: pd.DataFrame, column: str) -> str:
    """A histogram per class; the outermost hundredth at each end is drawn at the edge."""
    values = rows[column].to_numpy(float)
    low, high = (float(v) for v in np.nanquantile(values, [0.01, 0.99]))
    edges = np.linspace(low, high if high > low else low + 1, BINS + 1)
    lanes = []
    for label, group in rows.groupby(rows["label"].astype(str)):
        inside = np.clip(group[column].to_numpy(float), edges[0], edges[-1])
        lanes += [f"<span>{escape(str(label))}</span>", _svg(np.histogram(inside, edges)[0])]
    ends = "".join(
        f"<span>{_number(v, column)}</span>" for v in np.linspace(edges[0], edges[-1], 5)
    )
    return f'<div class="lanes">{"".join(lanes)}<span></span><div class="axis muted">{ends}</div></div>'


def _svg(counts: np.ndarray) -> str:
    heights = 40 * counts / max(counts.max(), 1)
    rects = "".join(
        f'<rect x="{10 * n}" y="{40 - height:.1f}" width="9" height="{height:.1f}"/>'
        for n, height in enumerate(heights)
        if height
    )
    return f'<svg viewBox="0 0 {10 * BINS} 40" preserveAspectRatio="none">{rects}</svg>'


def _number(value: float, column: str) -> str:
    if column == "bytes":
        return f"{value / 1000:.3g} kB"
    return f"{value:.3g}" if column == "aspect" else f"{value:.0f} px"


def _colours(rows: pd.DataFrame, columns: tuple[str, ...]) -> str:
    """Every class as a band of the colours of some of its images, dark to bright."""
    lanes = []
    for label, group in rows.groupby(rows["label"].astype(str)):
        ordered = group.iloc[group[list(columns)].sum(axis=1).argsort(kind="stable")]
        places = np.linspace(0, len(ordered) - 1, min(SWATCHES, len(ordered))).astype(int)
        colours = (255 * ordered[list(columns)].to_numpy(float)[places]).round().astype(int)
        band = "".join(f'<span style="background:rgb({r},{g},{b})"></span>' for r, g, b in colours)
        lanes += [f"<span>{escape(str(label))}</span>", f'<div class="swatches">{band}</div>']
    return f'<div class="lanes">{"".join(lanes)}</div>'


def _formats(rows: pd.DataFrame) -> str:
    share = pd.crosstab(rows["label"].astype(str), rows["format"].astype(str), normalize="index")
    shares = {
        f"{label}: {kind}": float(value)
        for kind in share.columns
        for label, value in share[kind].items()
    }
    return bars(shares, {name: f"{value:.0%}" for name, value in shares.items()})
