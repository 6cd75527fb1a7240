"""Charts that draw themselves in a page without a network, and the style of the report."""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from html import escape
from typing import Any

import pandas as pd

from roadworthy import page
from roadworthy.evaluation import charts
from roadworthy.evaluation.charts import Spec
from roadworthy.evaluation.report.words import cut, three

SHADES = {
    charts.INK: "ink",
    charts.MUTED: "muted",
    charts.LINE: "line",
    charts.ACCENT: "accent",
    charts.GOOD: "good",
    charts.WARN: "warn",
    charts.BAD: "bad",
}
STYLE = "".join(
    f'.plot [{part}="{colour}"]{{{part}:var(--{name})}}'
    for colour, name in SHADES.items()
    for part in ("fill", "stroke")
) + (
    """
body{max-width:74rem}.lead{font-size:1.15rem;margin:.5rem 0 1.2rem;max-width:52rem}
p{max-width:52rem}section{scroll-margin-top:.5rem}
nav{margin:1.6rem 0;line-height:1.9}nav a{margin-right:1.1rem;white-space:nowrap}
.against{padding-left:1.2rem;max-width:52rem}.against li{margin:.25rem 0}
.tiles{display:grid;grid-template-columns:repeat(auto-fill,minmax(10.5rem,1fr));gap:.8rem}
.tile{min-width:0;padding:.7rem 1rem;line-height:1.35}
.tile .figure{font-size:1.75rem;margin:.15rem 0;white-space:nowrap}
.chart{margin:1rem 0;min-width:0}.plot{width:100%;min-height:2rem}
.plot svg{display:block;max-width:100%;height:auto;overflow:visible}
.chart>figcaption{font-size:.85rem;color:var(--muted)}
.matrix{max-width:62rem}.few{max-width:34rem}.narrow{max-width:46rem}
.grid{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(19rem,100%),1fr));gap:.4rem 1.6rem}
.grid h3{margin:.6rem 0 0}.grid .chart{margin:.2rem 0}
.scroll{max-height:31rem;overflow:auto;margin:.8rem 0}.scroll .wide{overflow-x:visible}
.scroll th{position:sticky;top:0;background:var(--paper)}
th{font-weight:600;color:var(--muted);font-size:.88rem}td{font-size:.92rem}
.wide,.scroll{margin:.8rem 0}.fit table,.beside table{width:auto}
.beside{display:flex;flex-wrap:wrap;gap:0 2.5rem;align-items:flex-start}
.beside>*{min-width:0;max-width:100%}.beside>.narrow,.beside>.few{flex:1 1 30rem}
td.number{white-space:nowrap}small{color:var(--muted);font-size:.85em}
.beside>.aside{flex:1 1 18rem}.beside h3{margin-top:.6rem}
.chip{font-weight:650;white-space:nowrap}
.slider{border:1px solid var(--line);border-radius:.6rem;padding:.7rem 1rem;margin:1rem 0;max-width:46rem}
.slider label{display:flex;flex-wrap:wrap;gap:.2rem .8rem;align-items:center}
.slider input{flex:1 1 12rem;min-width:0;accent-color:var(--accent)}
.slider dl{display:flex;flex-wrap:wrap;gap:.2rem 1.6rem;margin:.5rem 0 0}
.slider dt{color:var(--muted);font-size:.85rem}.slider dd{margin:0;font-size:1.15rem;font-weight:600;
font-variant-numeric:tabular-nums;min-width:4.2rem}
.pairs{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(10.5rem,100%),1fr));gap:1rem}
.pairs figure{margin:0;min-width:0}.pairs .two{display:flex;gap:.25rem}
.pairs img{width:calc(50% - .125rem);aspect-ratio:1;object-fit:contain;background:var(--soft);
border-radius:.3rem}.pairs .marked img{outline:2px solid var(--bad)}
#vg-tooltip-element{background:var(--paper)!important;color:var(--ink)!important;
border-color:var(--line)!important;font-family:inherit!important;max-width:20rem}
#vg-tooltip-element td.key{color:var(--muted)!important}
.vega-bindings{display:none}
@media(max-width:40rem){.tile .figure{font-size:1.45rem}
.tiles{grid-template-columns:repeat(auto-fill,minmax(8.6rem,1fr))}.tile{padding:.6rem .8rem}
td,th{padding:.3rem .4rem}.large .plot{min-width:40rem}.large{overflow-x:auto}}
@media print{.scroll{max-height:none;overflow:visible}.scroll th{position:static}
.chart,.tile,.slider,.pairs figure,.photos figure,li{break-inside:avoid}nav,.slider input{display:none}
thead{display:table-header-group}.matrix svg{max-height:205mm}
.large .plot{min-width:0}td,th{padding:.15rem .4rem;font-size:9pt}
.grid{grid-template-columns:repeat(2,1fr)}p{orphans:3;widows:3}h2{margin-top:1.6rem}}
"""
)
# One chart after another: with some dozens, the first ones are there at once. On paper the page is
# narrower than most screens, and the browser lays nothing out anew after `beforeprint`.
SCRIPT = """
(async () => {
  const views = new Map(), paper = 690, gap = 26;
  for (const figure of document.querySelectorAll(".chart")) {
    const spec = JSON.parse(figure.querySelector("script").textContent);
    const options = {mode: "vega-lite", renderer: "svg", actions: false};
    try {
      const {view} = await vegaEmbed(figure.querySelector(".plot"), spec, options);
      views.set(figure, view);
    } catch (error) {
      console.error("chart " + figure.dataset.name, error);
    }
  }
  for (const panel of document.querySelectorAll(".slider")) {
    const rows = JSON.parse(panel.querySelector("script").textContent), over = panel.dataset.over;
    const range = panel.querySelector("input"), cells = panel.querySelectorAll("[data-column]");
    range.hidden = false;
    range.addEventListener("input", () => {
      const at = Number(range.value), row = rows.find((one) => one[over] >= at) ?? rows.at(-1);
      panel.querySelector("output").textContent = at.toFixed(3);
      for (const cell of cells) {
        const value = row[cell.dataset.column];
        cell.textContent = value === null ? "–" : value.toFixed(3);
      }
      for (const [figure, view] of views) {
        if (figure.dataset.over === over) view.signal("cut", at).runAsync();
      }
    });
  }
  let widths = [];
  addEventListener("beforeprint", () => {
    widths = [...views].map(([figure, view]) => [view, view.width(), figure]);
    for (const [view, width, figure] of widths) {
      const room = figure.closest(".grid") ? (paper - gap) / 2 : paper;
      view.width(Math.min(width, room)).run();
    }
  });
  addEventListener("afterprint", () => {
    for (const [view, width] of widths) view.width(width).run();
  });
  document.documentElement.dataset.charts = views.size;
})();
"""


@cache
def library() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script of about 0.9 MB, from vl-convert's own copy."""
    import vl_convert

    bundle: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return bundle.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def scripts() -> str:
    """What draws the charts; goes to the end of the body."""
    return f"<script>(() => {{{library()}\n}})();</script><script>{SCRIPT}</script>"


def as_data(value: Any) -> str:
    """JSON in a script element that no text inside can end."""
    text = json.dumps(value, allow_nan=False, ensure_ascii=True, separators=(",", ":"))
    text = text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return f'<script type="application/json">{text}</script>'


def chart(
    name: str, spec: Spec, words: str, fallback: str = "", kind: str = "", over: str = ""
) -> str:
    """A chart with its caption.

    Args:
        name: unique on the page, of letters and dashes.
        fallback: HTML for a reader without JavaScript.
        kind: classes of CSS.
        over: the slider that moves its line.
    """
    aside = fallback or "<p>This chart needs JavaScript.</p>"
    return (
        f'<figure class="chart {kind}" data-name="{escape(name)}" data-over="{escape(over)}">'
        f'<div class="plot" role="img" aria-label="{escape(words)}"></div>{as_data(spec)}'
        f"<noscript>{aside}</noscript><figcaption>{escape(words)}</figcaption></figure>"
    )


def slider(table: pd.DataFrame, over: str, chosen: float, columns: Mapping[str, str]) -> str:
    """A handle from 0 to 1, and the figures of the first row that is not below it.

    Args:
        over: the column that the handle moves along, ascending.
        chosen: where it stands at first; best one of the rows, whose figures are shown then.
        columns: column to the words for it.
    """
    rows = table[[over, *columns]].astype(float)
    values = [
        # The place stays as it is: rounded, the chosen row could end up below where it stands.
        {name: (v if name == over else round(v, 6)) if v == v else None for name, v in row.items()}
        for row in rows.to_dict("records")
    ]
    first = next((row for row in values if (row[over] or 0) >= chosen), values[-1])
    figures = "".join(
        f'<div><dt>{escape(words)}</dt><dd data-column="{escape(name)}">{three(first[name])}</dd></div>'
        for name, words in columns.items()
    )
    return (
        f'<div class="slider" data-over="{escape(over)}"><label>{escape(over)} '
        f"<output>{cut(chosen)}</output>"
        f'<input type="range" hidden min="0" max="1" step="any" value="{chosen}" autocomplete="off">'
        f"</label>"
        f"<dl>{figures}</dl>{as_data(values)}</div>"
    )


def scroll(rows: pd.DataFrame, right: Sequence[str] = ()) -> str:
    """A table that scrolls where it is long; on paper it is whole."""
    return f'<div class="scroll">{page.table(rows, right)}</div>'


def explained(name: str, meaning: str) -> page.Html:
    """A cell with its meaning below the name."""
    return page.Html(f"{escape(name)}<br><small>{escape(meaning)}</small>")
