"""What a run shows in the Prefect UI: tables, texts, pictures, links, and how far a stage is.

To show something is a courtesy: where the server is away it is logged, and the work goes on.
"""

import base64
import io
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from roadworthy import environment

# Prefect reads its settings when it is imported.
environment.apply()

from prefect.artifacts import (  # noqa: E402
    create_link_artifact,
    create_markdown_artifact,
    create_table_artifact,
)
from prefect.logging import get_logger  # noqa: E402

WIDEST = 900
"""Pixels of a picture: it travels inside of the page."""


def key(*words: str) -> str:
    """A key as Prefect wants it: small letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", "-".join(words).lower()).strip("-")


def table(name: str, rows: Sequence[Mapping[str, Any]], description: str = "") -> None:
    """Show rows; a value that is an address in Markdown can be followed."""
    _shown(
        lambda: create_table_artifact(
            table=[dict(row) for row in rows], key=key(name), description=description or None
        )
    )


def markdown(name: str, text: str, description: str = "") -> None:
    """Show a page of Markdown."""
    _shown(lambda: create_markdown_artifact(text, key=key(name), description=description or None))


def link(name: str, address: str, text: str = "", description: str = "") -> None:
    """Show an address."""
    _shown(
        lambda: create_link_artifact(
            address, link_text=text or None, key=key(name), description=description or None
        )
    )


def picture(name: str, path: Path, description: str = "") -> None:
    """Show a picture of this machine, made smaller; where there is none, nothing."""
    if path.is_file():
        markdown(name, f"![{name}]({_embedded(path)})", description)


def _embedded(path: Path) -> str:
    """The picture as an address: the server sees no file of ours, the browser neither."""
    from PIL import Image

    with Image.open(path) as opened:
        image = opened.convert("RGB")
    image.thumbnail((WIDEST, WIDEST * 3))
    out = io.BytesIO()
    image.save(out, "JPEG", quality=75)
    return f"data:image/jpeg;base64,{base64.b64encode(out.getvalue()).decode()}"


def _shown(create: Callable[[], Any]) -> None:
    try:
        create()
    # Prefect's client fails in many ways when its server is away.
    except Exception as error:
        get_logger("roadworthy.artifacts").warning("not shown in Prefect: %s", error)
