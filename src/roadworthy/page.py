"""HTML pages that need no network: the frame, the style, tables, bars and pictures inside the page.

Light and dark follow the reader's system; on paper no picture is cut in two.
"""

import base64
import io
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from PIL import Image

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

# The colours are told apart with any kind of colour vision, on white and on dark.
STYLE = """
:root{color-scheme:light dark;--ink:#1f2937;--paper:#fff;--line:#e5e7eb;--muted:#6b7280;
--soft:#f3f4f6;--accent:#2563eb;--good:#15803d;--warn:#b45309;--bad:#b91c1c}
@media(prefers-color-scheme:dark){:root{--ink:#e5e7eb;--paper:#111827;--line:#374151;
--muted:#9ca3af;--soft:#1f2937;--accent:#60a5fa;--good:#4ade80;--warn:#fbbf24;--bad:#f87171}}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;
color:var(--ink);background:var(--paper)}
h1{margin-bottom:0;line-height:1.2}h2{margin-top:2.2rem;border-bottom:1px solid var(--line);
padding-bottom:.3rem}h3{margin:1.4rem 0 .4rem;font-size:1.02rem}a{color:var(--accent)}
.figure{font-size:2.6rem;font-weight:650;line-height:1.25}.muted{color:var(--muted)}
.tiles{display:flex;flex-wrap:wrap;gap:1rem}.tile{border:1px solid var(--line);
border-radius:.6rem;padding:.8rem 1.2rem;min-width:9rem}
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%}td,th{padding:.3rem .6rem;
text-align:left;border-bottom:1px solid var(--line);vertical-align:top}
td.number,th.number{text-align:right;font-variant-numeric:tabular-nums}
img{max-width:100%;height:auto;background:#fff}
.good{color:var(--good)}.warn{color:var(--warn)}.bad{color:var(--bad)}
.photos{display:grid;grid-template-columns:repeat(auto-fill,minmax(8.1rem,1fr));gap:.8rem .7rem}
.photos figure{margin:0;min-width:0}.photos img{display:block;width:100%;height:7rem;
object-fit:contain;background:var(--soft);border-radius:.3rem;outline:1px solid var(--line)}
.photos .none{height:7rem;display:grid;place-items:center;background:var(--soft);color:var(--muted);
font-size:.8rem;border-radius:.3rem}.photos .marked img{outline:3px solid var(--bad)}
figcaption{font-size:.78rem;line-height:1.3;margin-top:.25rem;overflow-wrap:anywhere}
.bars{display:grid;grid-template-columns:minmax(4rem,max-content) 1fr max-content;gap:.25rem .8rem;
align-items:center}.bars .rail{display:block;background:var(--soft);border-radius:.2rem}
.bars .bar{display:block;height:.95rem;background:var(--accent);border-radius:.2rem}
.bars .n{text-align:right;font-variant-numeric:tabular-nums}
@media print{body{margin:0;max-width:none;font-size:11pt}figure,tr,.tile{break-inside:avoid}
h2,h3{break-after:avoid}*{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
"""


@dataclass(frozen=True)
class Html:
    """A cell of a table that is HTML already."""

    text: str


def page(title: str, body: str, style: str = "") -> str:
    """A whole page.

    Args:
        body: HTML, escaped where it must be.
        style: CSS beside the common one.
    """
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<link rel="icon" href="data:,"><title>{escape(title)}</title><style>{STYLE}{style}</style>'
    )
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{body}</body></html>\n'


def tile(name: str, figure: str, small: str) -> str:
    """A deciding figure with its name above and small print below."""
    return (
        f'<div class="tile"><div class=muted>{escape(name)}</div>'
        f'<div class="figure">{escape(figure)}</div><div class=muted>{escape(small)}</div></div>'
    )


def table(rows: "pd.DataFrame", right: Collection[str] = ()) -> str:
    """The rows, numbers to the right.

    Args:
        right: columns of text that stand to the right too, such as percentages.
    """
    from pandas.api.types import is_numeric_dtype

    numeric = [is_numeric_dtype(rows[name].dtype) or name in right for name in rows.columns]
    head = "".join(map(_cell, ["th"] * len(numeric), rows.columns, numeric))
    lines = (
        "<tr>" + "".join(map(_cell, ["td"] * len(numeric), row, numeric)) + "</tr>"
        for row in rows.itertuples(index=False)
    )
    rows_shown = f"<thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody>"
    return f'<div class="wide"><table>{rows_shown}</table></div>'


def bars(counts: Mapping[str, float], words: Mapping[str, str] | None = None) -> str:
    """A bar per name, the longest as long as the page allows.

    Args:
        words: what stands behind each bar; without it, the count.
    """
    longest = max([*counts.values(), 0]) or 1
    lines = (
        f"<span>{escape(name)}</span><span class=rail><span class=bar "
        f'style="width:{100 * count / longest:.1f}%"></span></span>'
        f"<span class=n>{escape(words[name] if words else f'{count:,}')}</span>"
        for name, count in counts.items()
    )
    return f'<div class="bars">{"".join(lines)}</div>'


def picture(image: "Figure | Image.Image", words: str) -> str:
    """An image that is part of the page; `words` say what it shows."""
    source = base64.b64encode(png(image)).decode()
    return f'<img alt="{escape(words)}" src="data:image/png;base64,{source}">'


def photo(
    image: Image.Image | None, caption: Iterable[str], path: str = "", marked: bool = False
) -> str:
    """A photograph as a small JPEG in the page, with lines of text below; goes into `photos`.

    Args:
        image: None where there is nothing to see.
        path: what a reader sees who rests the pointer on it.
        marked: framed in red.
    """
    # A long path breaks after a slash, where there is one.
    text = "<br>".join(escape(line).replace("/", "/<wbr>") for line in caption)
    shown = '<div class="none">no picture</div>'
    if image is not None:
        source = base64.b64encode(jpeg(image)).decode()
        shown = f'<img alt="{escape(path)}" src="data:image/jpeg;base64,{source}">'
    kind = ' class="marked"' if marked else ""
    return f'<figure{kind} title="{escape(path)}">{shown}<figcaption>{text}</figcaption></figure>'


def photos(shown: Iterable[str]) -> str:
    """Photographs side by side, as many in a line as fit."""
    return f'<div class="photos">{"".join(shown)}</div>'


def png(picture: "Figure | Image.Image") -> bytes:
    """The picture as PNG, the same bytes for the same picture."""
    buffer = io.BytesIO()
    if isinstance(picture, Image.Image):
        picture.save(buffer, "PNG")
    else:
        picture.savefig(buffer, format="png", dpi=130, metadata={"Software": None})
    return buffer.getvalue()


def jpeg(image: Image.Image) -> bytes:
    """The photograph as JPEG."""
    buffer = io.BytesIO()
    image.convert("RGB").save(buffer, "JPEG", quality=75)
    return buffer.getvalue()


def _cell(tag: str, value: Any, number: bool) -> str:
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    kind = ' class="number"' if number else ""
    return f"<{tag}{kind}>{value.text if isinstance(value, Html) else escape(text)}</{tag}>"
