"""Small pictures of live traffic beside the reference, as SVG that follows light and dark."""

from collections.abc import Sequence
from html import escape

import numpy as np

from roadworthy.monitoring.reference import QUANTILES, Reference
from roadworthy.monitoring.state import Judged

BINS, LABELS, COLUMNS = 24, 12, 60
WIDTH, HEIGHT, CELL = 240, 64, 14
STYLE = """
.panels{display:grid;grid-template-columns:repeat(auto-fill,minmax(15rem,1fr));gap:1.2rem 1.6rem}
.panel h3{margin:.2rem 0;white-space:nowrap}.panel h3 span{font-weight:400;font-size:.85rem}
.panel svg{width:100%;height:5rem;display:block}
.panel .axis{display:flex;justify-content:space-between;font-size:.78rem;
border-top:1px solid var(--muted);font-variant-numeric:tabular-nums}
.live{fill:var(--accent);opacity:.55}.known{fill:none;stroke:var(--ink);stroke-width:1.6;
vector-effect:non-scaling-stroke}
.key{font-size:.85rem;margin:.2rem 0 1rem}.key svg{width:1.6rem;height:.8rem;vertical-align:middle}
.pairs{display:grid;grid-template-columns:minmax(4rem,max-content) 1fr max-content;gap:.4rem .8rem;
align-items:center}.pairs .rail{position:relative;height:1.1rem;background:var(--soft);
border-radius:.2rem}.pairs .bar{position:absolute;inset:0 auto 0 0;background:var(--accent);
opacity:.55;border-radius:.2rem}.pairs .mark{position:absolute;top:-.12rem;bottom:-.12rem;width:2px;
background:var(--ink)}.pairs .n{font-variant-numeric:tabular-nums;font-size:.85rem}
.past{overflow-x:auto}.past svg{display:block;font:11px system-ui,sans-serif}
.past text{fill:var(--ink)}.past .quiet{fill:var(--good);opacity:.35}.past .alarm{fill:var(--bad)}
.past .none{fill:var(--soft)}.past .begun{fill:var(--accent)}
"""


def histogram(values: np.ndarray, expected: np.ndarray, levels: np.ndarray | None = None) -> str:
    """Shares of live values as bars, those of the reference as a line.

    Args:
        values: live (N,), finite.
        expected: of the reference (M,), or its quantiles.
        levels: of those quantiles; None: they are values.
    """
    both = [np.quantile(part, [0.005, 0.995]) for part in (values, expected)]
    low, high = float(min(p[0] for p in both)), float(max(p[1] for p in both))
    edges = np.linspace(low, high if high > low else low + 1e-6, BINS + 1)
    live = _shares(np.clip(values, edges[0], edges[-1]), edges)
    if levels is None:
        known = _shares(np.clip(expected, edges[0], edges[-1]), edges)
    else:
        known = np.diff(np.interp(edges, expected, levels))
    top = max(live.max(), known.max(), 1e-9)
    step = WIDTH / BINS
    bars = "".join(
        f'<rect x="{step * n:.1f}" y="{HEIGHT * (1 - share / top):.1f}" width="{step - 1:.1f}" '
        f'height="{HEIGHT * share / top:.1f}"/>'
        for n, share in enumerate(live)
        if share
    )
    points = " ".join(
        f"{x:.1f},{HEIGHT * (1 - share / top):.1f}"
        for n, share in enumerate(known)
        for x in (step * n, step * (n + 1))
    )
    marks = "".join(f"<span>{value:.3g}</span>" for value in np.linspace(edges[0], edges[-1], 3))
    return (
        f'<svg viewBox="0 -2 {WIDTH} {HEIGHT + 2}" preserveAspectRatio="none" role="img" '
        f'aria-label="live and reference"><g class="live">{bars}</g>'
        f'<polyline class="known" points="{points}"/></svg>'
        f'<div class="axis muted">{marks}</div>'
    )


def panels(
    reference: Reference, live: dict[str, np.ndarray], alarms: Sequence[str], words: dict[str, str]
) -> str:
    """A histogram of each figure that both sides have.

    Args:
        live: finite values by name, `confidence` among them.
        alarms: names of those that are marked.
        words: what stands behind a name.
    """
    shown = []
    for name, values in live.items():
        expected, levels = _expected(reference, name)
        if expected is None or not len(expected) or not len(values):
            continue
        mark = ' <span class="bad">alarm</span>' if name in alarms else ""
        unit = f' <span class="muted">{escape(words.get(name, ""))}</span>'
        picture = histogram(values, expected, levels)
        shown.append(f'<div class="panel"><h3>{escape(name)}{mark}{unit}</h3>{picture}</div>')
    return f'<div class="panels">{"".join(shown)}</div>' if shown else ""


def answers(labels: Sequence[str], live: np.ndarray, known: np.ndarray) -> str:
    """The share of each label in live answers as a bar, in the reference as a mark on it.

    Of many labels those are shown whose share has changed most.

    Args:
        live: shares (C,).
        known: shares (C,).
    """
    order = np.argsort(-np.abs(live - known), kind="stable")[:LABELS]
    longest = max(float(max(live[order].max(), known[order].max())), 1e-9)
    rows = "".join(
        f"<span>{escape(labels[n])}</span><span class=rail>"
        f'<span class=bar style="width:{100 * live[n] / longest:.1f}%"></span>'
        f'<span class=mark style="left:calc({100 * known[n] / longest:.1f}% - 1px)"></span></span>'
        f"<span class=n>{live[n]:.1%} <span class=muted>was {known[n]:.1%}</span></span>"
        for n in order
    )
    more = len(labels) - len(order)
    rest = f"<p class=muted>{more} labels that changed less are not shown.</p>" if more else ""
    return f'<div class="pairs">{rows}</div>{rest}'


def past(judged: Sequence[Judged], begun: set[str]) -> str:
    """A column for each judgement, a row for each test: quiet, alarm, not tested.

    Args:
        judged: oldest first.
        begun: moments (ISO 8601) at which something was started.
    """
    latest = list(judged)[-COLUMNS:]
    names = list(dict.fromkeys(name for one in reversed(latest) for name in one.tests))
    left, step = 92, CELL + 2
    cells = []
    for row, name in enumerate(names):
        cells.append(f'<text x="0" y="{row * step + 11}">{escape(name)}</text>')
        for column, one in enumerate(latest):
            alarm = one.tests.get(name)
            kind = {None: "none", True: "alarm", False: "quiet"}[alarm]
            said = {None: "not tested", True: "alarm", False: "no alarm"}[alarm]
            title = f"{one.until:%Y-%m-%d %H:%M} version {one.version}: {name}, {said}"
            cells.append(
                f'<rect class="{kind}" x="{left + column * step}" y="{row * step}" width="{CELL}" '
                f'height="{CELL}"><title>{escape(title)}</title></rect>'
            )
    below = len(names) * step
    versions = [one.version for one in latest]
    for column, one in enumerate(latest):
        x = left + column * step
        if one.until.isoformat() in begun:
            cells.append(
                f'<circle class="begun" cx="{x + 7}" cy="{below + 7}" r="5">'
                f"<title>started: {escape(one.wants)}</title></circle>"
            )
        if column == 0 or versions[column] != versions[column - 1]:
            cells.append(f'<text x="{x}" y="{below + 28}">{_version(one)}</text>')
    ends = f"{latest[0].until:%Y-%m-%d}" if latest else ""
    if len(latest) > 1:
        ends += f" to {latest[-1].until:%Y-%m-%d}"
    width, height = left + len(latest) * step, below + 50
    cells += [
        f'<text x="0" y="{below + 11}">started</text><text x="0" y="{below + 28}">champion</text>',
        f'<text x="0" y="{below + 46}">{ends}</text>',
    ]
    return f'<div class="past"><svg width="{max(width, 240)}" height="{height}">{"".join(cells)}</svg></div>'


def _version(one: Judged) -> str:
    return f"v{one.version}" if one.version is not None else "?"


def _shares(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    found = np.histogram(values, edges)[0] / max(len(values), 1)
    return np.asarray(found, np.float64)


def _expected(reference: Reference, name: str) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Values of a figure, or its quantiles and their levels."""
    if name == "confidence" and reference.probabilities is not None:
        return reference.probabilities.max(axis=1), None
    if name in reference.statistics:
        return np.asarray(reference.statistics[name], np.float64), None
    quantiles = (reference.profile.get("quantiles") or {}).get(name)
    if quantiles is None or len(quantiles) != len(QUANTILES):
        return None, None
    return np.asarray(quantiles, np.float64), QUANTILES
