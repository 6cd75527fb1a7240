"""`report.html`: everything about one model on one page that needs no network."""

from html import escape

import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from roadworthy import page


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
    body += [page.tile(name, *content) for name, content in tiles.items()]
    body.append("</div>")
    for heading, (picture, words) in pictures.items():
        shown = page.picture(picture, words)
        body.append(f"<h2>{escape(heading)}</h2><p class=muted>{escape(words)}</p>{shown}")
    for heading, rows in tables.items():
        body.append(f"<h2>{escape(heading)}</h2>{page.table(rows)}")
    return page.page(title, "".join(body))
