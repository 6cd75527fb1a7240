"""HTML pages that need no network: the frame, the style, tables and pictures inside the page."""

import base64
import io
from html import escape
from typing import TYPE_CHECKING, Any

from PIL import Image

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

STYLE = """
:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;
color:#1f2937;background:#fff}
h1{margin-bottom:0}h2{margin-top:2.2rem;border-bottom:1px solid #e5e7eb;padding-bottom:.3rem}
.figure{font-size:2.6rem;font-weight:650}.muted{color:#6b7280}
.tiles{display:flex;flex-wrap:wrap;gap:1rem}.tile{border:1px solid #e5e7eb;border-radius:.6rem;
padding:.8rem 1.2rem;min-width:9rem}
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%}td,th{padding:.3rem .6rem;
text-align:left;border-bottom:1px solid #e5e7eb}td.number,th.number{text-align:right;
font-variant-numeric:tabular-nums}img{max-width:100%;height:auto;background:#fff}
@media(prefers-color-scheme:dark){body{color:#e5e7eb;background:#111827}.tile,h2,td,th{
border-color:#374151}.muted{color:#9ca3af}}
"""


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


def table(rows: "pd.DataFrame") -> str:
    """The rows, numbers to the right."""
    from pandas.api.types import is_numeric_dtype

    numeric = [is_numeric_dtype(kind) for kind in rows.dtypes]
    head = "".join(map(_cell, ["th"] * len(numeric), rows.columns, numeric))
    lines = (
        "<tr>" + "".join(map(_cell, ["td"] * len(numeric), row, numeric)) + "</tr>"
        for row in rows.itertuples(index=False)
    )
    return f'<div class="wide"><table><tr>{head}</tr>{"".join(lines)}</table></div>'


def picture(image: "Figure | Image.Image", words: str) -> str:
    """An image that is part of the page; `words` say what it shows."""
    source = base64.b64encode(png(image)).decode()
    return f'<img alt="{escape(words)}" src="data:image/png;base64,{source}">'


def png(picture: "Figure | Image.Image") -> bytes:
    """The picture as PNG, the same bytes for the same picture."""
    buffer = io.BytesIO()
    if isinstance(picture, Image.Image):
        picture.save(buffer, "PNG")
    else:
        picture.savefig(buffer, format="png", dpi=130, metadata={"Software": None})
    return buffer.getvalue()


def _cell(tag: str, value: Any, number: bool) -> str:
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    kind = ' class="number"' if number else ""
    return f"<{tag}{kind}>{escape(text)}</{tag}>"
