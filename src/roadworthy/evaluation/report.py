"""`report.html`: everything about one model on one page that needs no network."""

import base64
import io
from html import escape
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

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


def render(
    title: str,
    tiles: dict[str, tuple[str, str]],
    tables: dict[str, pd.DataFrame],
    pictures: dict[str, tuple[Figure | Image.Image, str]],
) -> str:
    """The page.

    Args:
        tiles: the deciding figures: name to (figure, small print).
        tables: heading to rows.
        pictures: heading to (picture, what it shows).
    """
    body = [f"<h1>{escape(title)}</h1>", '<div class="tiles">']
    body += [_tile(name, *content) for name, content in tiles.items()]
    body.append("</div>")
    for heading, (picture, words) in pictures.items():
        source = base64.b64encode(png(picture)).decode()
        image = f'<img alt="{escape(words)}" src="data:image/png;base64,{source}">'
        body.append(f"<h2>{escape(heading)}</h2><p class=muted>{escape(words)}</p>{image}")
    for heading, table in tables.items():
        body.append(f"<h2>{escape(heading)}</h2>{_table(table)}")
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<link rel="icon" href="data:,"><title>{escape(title)}</title><style>{STYLE}</style>'
    )
    return (
        f'<!doctype html><html lang="en"><head>{head}</head><body>{"".join(body)}</body></html>\n'
    )


def png(picture: Figure | Image.Image) -> bytes:
    """The picture as PNG, the same bytes for the same picture."""
    buffer = io.BytesIO()
    if isinstance(picture, Image.Image):
        picture.save(buffer, "PNG")
    else:
        picture.savefig(buffer, format="png", dpi=130, metadata={"Software": None})
    return buffer.getvalue()


def _tile(name: str, figure: str, small: str) -> str:
    return (
        f'<div class="tile"><div class=muted>{escape(name)}</div>'
        f'<div class="figure">{escape(figure)}</div><div class=muted>{escape(small)}</div></div>'
    )


def _table(table: pd.DataFrame) -> str:
    numeric = [pd.api.types.is_numeric_dtype(kind) for kind in table.dtypes]
    head = "".join(map(_cell, ["th"] * len(numeric), table.columns, numeric))
    rows = (
        "<tr>" + "".join(map(_cell, ["td"] * len(numeric), row, numeric)) + "</tr>"
        for row in table.itertuples(index=False)
    )
    return f'<div class="wide"><table><tr>{head}</tr>{"".join(rows)}</table></div>'


def _cell(tag: str, value: Any, number: bool) -> str:
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    kind = ' class="number"' if number else ""
    return f"<{tag}{kind}>{escape(text)}</{tag}>"
