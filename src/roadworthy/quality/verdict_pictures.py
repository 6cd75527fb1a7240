"""The pictures of a verdict: what was set aside, copies, extremes, and what the rest looks like."""

from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image

from roadworthy.data.images import open_image
from roadworthy.errors import DataError
from roadworthy.page import photo, photos, table
from roadworthy.params import TaskPlan

SIDE = 160
"""Longest side of a picture, in pixels."""
A_FEW, REASONS, LISTED, SHEET = 8, 12, 40, 160
STYLE = """
.pairs{display:flex;flex-wrap:wrap;gap:1rem}.pair{padding:.6rem;border:1px solid var(--line);
border-radius:.5rem;break-inside:avoid}.pair .photos{display:flex;flex-wrap:wrap}
.pair figure{width:8.6rem}
"""


def set_aside(aside: pd.DataFrame, clean: pd.DataFrame) -> str:
    """The quarantine by reason: pictures where there is one, the list where there is not.

    Args:
        aside: manifest rows with a reason.
        clean: usable rows, among which the originals of copies are.
    """
    seen = aside["readable"].astype(bool)
    originals = dict(zip(clean["sha256"], clean["path"], strict=True))
    parts = []
    for reason, rows in _largest_first(aside[seen], "reason")[:REASONS]:
        shown = photos(
            _photo(row, [_label(row), _name(row), *_copy_of(row, originals)])
            for row in _few(rows, A_FEW)
        )
        parts.append(f"<h3>{escape(reason)}: {len(rows)}</h3>{shown}{_more(len(rows), A_FEW)}")
    if not seen.all():
        unreadable = aside.loc[~seen, ["path", "bytes", "reason"]]
        listed = table(unreadable.head(LISTED))
        count = len(unreadable)
        parts.append(f"<h3>could not be read: {count}</h3>{listed}{_more(count, LISTED)}")
    return "".join(parts) or "<p>Nothing was set aside.</p>"


def conflicts(torn: pd.DataFrame) -> str:
    """Files of one content under several labels, side by side.

    Args:
        torn: their rows.
    """
    boxes = []
    for _, group in list(torn.sort_values("path").groupby("sha256", sort=False))[:12]:
        first = group.sort_values("path").groupby("label", sort=False).head(3)
        shown = (_photo(row, [_label(row), str(row.path)], True) for row in _few(first, 6))
        boxes.append(_box(shown, f"{len(group)} files" if len(group) > 6 else ""))
    return f'<div class="pairs">{"".join(boxes)}</div>{_more(torn["sha256"].nunique(), 12)}'


def clusters(clean: pd.DataFrame, pairs: pd.DataFrame) -> str:
    """Clusters of near-duplicates, those under several labels first, then the largest.

    Args:
        pairs: columns first, second (paths) and mirrored.
    """
    rows = clean[clean["cluster"].notna()].sort_values("path")
    found = [group for _, group in rows.groupby("cluster")]
    found.sort(key=lambda group: (-group["label"].nunique(), -len(group)))
    boxes = []
    for group in found[:16]:
        torn = group["label"].nunique() > 1
        turned = _turned(group, pairs)
        shown = (
            _photo(row, [_label(row), _name(row), *["mirrored"] * (row.path in turned)], torn)
            for row in _few(group, 6)
        )
        rest = f" {len(group)} images" if len(group) > 6 else ""
        boxes.append(_box(shown, rest))
    return f'<div class="pairs">{"".join(boxes)}</div>{_more(len(found), 16)}'


def extremes(clean: pd.DataFrame, plan: TaskPlan) -> str:
    """The darkest, brightest, blurriest, flattest and oddest shaped; framed: outside the threshold."""
    limits = plan.validation
    shape = clean["aspect"].astype(float).clip(lower=1e-6)
    stretched = shape.where(shape >= 1, 1 / shape)
    usual = clean["mode"].isin(limits.modes)
    return "".join(
        [
            _extreme("Darkest", clean, clean["brightness"], limits.dark, "brightness"),
            _extreme("Brightest", clean, -clean["brightness"], limits.dark - 1, "brightness"),
            _extreme("Blurriest", clean, clean["sharpness"], limits.blurry, "sharpness"),
            _extreme("Flattest", clean, clean["contrast"], limits.flat, "contrast"),
            _extreme("Longest shape", clean, -stretched, -5.0, "aspect"),
            _extreme("Unusual mode", clean[~usual], pd.Series(0.0, clean[~usual].index), 1, "mode"),
        ]
    )


def sheet(clean: pd.DataFrame, seed: int) -> str:
    """Usable images drawn at random, class by class."""
    counts = clean["label"].astype(str).value_counts()
    each = min(A_FEW, max(3, SHEET // max(len(counts), 1)))
    parts = []
    for label in sorted(counts.index[: SHEET // each]):
        rows = clean[clean["label"].astype(str) == label]
        drawn = rows.sample(min(each, len(rows)), random_state=seed)
        shown = photos(_photo(row, [_name(row), _size(row)]) for row in drawn.itertuples())
        parts.append(f"<h3>{escape(label)}</h3>{shown}")
    return "".join(parts) + _more(len(counts), SHEET // each, "classes")


def thumbnail(path: str) -> Image.Image | None:
    """The picture, at most `SIDE` wide and high; None where it cannot be read (any more)."""
    try:
        image = open_image(Path(path)).convert("RGB")
    except DataError:
        return None
    image.thumbnail((SIDE, SIDE))
    return image


def _extreme(heading: str, rows: pd.DataFrame, order: pd.Series, limit: float, column: str) -> str:
    """The first by `order`; those below `limit` are framed."""
    if not len(rows):
        return ""
    beyond = order < limit
    first = rows.assign(beyond=beyond).loc[order.sort_values(kind="stable").index[:6]]
    shown = (
        _photo(row, [_value(row, column), _label(row), _name(row)], bool(row.beyond))
        for row in first.itertuples()
    )
    count = int(beyond.sum())
    words = f"{heading}: {count} beyond the threshold" if count else heading
    return f"<h3>{words}</h3>{photos(shown)}"


def _value(row: Any, column: str) -> str:
    value = getattr(row, column)
    if column == "aspect":
        return _size(row)
    return f"{column} {value}" if column == "mode" else f"{column} {value:.3g}"


def _photo(row: Any, caption: Iterable[str], marked: bool = False) -> str:
    return photo(thumbnail(row.path), caption, row.path, marked)


def _turned(group: pd.DataFrame, pairs: pd.DataFrame) -> set[str]:
    """Paths that show the mirrored picture of the first path, by way of others where need be."""
    inside = pairs[pairs["first"].isin(group["path"])]
    steps = list(zip(inside["first"], inside["second"], inside["mirrored"], strict=True))
    turned = {str(group["path"].iloc[0]): False}
    for _ in range(len(group)):
        for one, two, mirrored in (*steps, *((b, a, m) for a, b, m in steps)):
            if one in turned and two not in turned:
                turned[two] = turned[one] != bool(mirrored)
    return {path for path, is_turned in turned.items() if is_turned}


def _box(shown: Iterable[str], words: str = "") -> str:
    """Pictures that belong together."""
    inside = list(shown)
    below = f"<div class=muted>{escape(words)}</div>" if words else ""
    return f'<div class="pair">{photos(inside)}{below}</div>'


def _largest_first(rows: pd.DataFrame, column: str) -> list[tuple[str, pd.DataFrame]]:
    groups = [(str(name), group) for name, group in rows.groupby(column)]
    return sorted(groups, key=lambda named: (-len(named[1]), named[0]))


def _few(rows: pd.DataFrame, count: int) -> Iterable[Any]:
    return rows.head(count).itertuples()


def _label(row: Any) -> str:
    return "no label" if pd.isna(row.label) else str(row.label)


def _name(row: Any) -> str:
    return str(row.path).rsplit("/", 1)[-1]


def _copy_of(row: Any, originals: dict[str, str]) -> list[str]:
    original = originals.get(row.sha256)
    return [f"copy of {original.rsplit('/', 1)[-1]}"] if original else []


def _size(row: Any) -> str:
    return f"{row.width:.0f} x {row.height:.0f}"


def _more(count: int, shown: int, what: str = "") -> str:
    """That not everything is on the page, where it is not."""
    if count <= shown:
        return ""
    return f"<p class=muted>{shown} of {count:,} {what} are shown.</p>".replace("  ", " ")
