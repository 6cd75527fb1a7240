"""A decision for people: Markdown for a pull request, HTML for those who want to see why."""

import math
from collections.abc import Collection, Mapping, Sequence
from html import escape
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from roadworthy import page
from roadworthy.data import images
from roadworthy.errors import DataError
from roadworthy.evaluation import metrics
from roadworthy.evaluation.bootstrap import Bootstrap
from roadworthy.evaluation.compare import compare
from roadworthy.gate import scenes
from roadworthy.gate.evidence import Evidence
from roadworthy.gate.rules import Ruling, losses
from roadworthy.params import Promote

PHOTOS = 12
SIDE = 160
STYLE = """
.verdict{font-size:1.15rem;border-left:.4rem solid var(--muted);padding:.4rem 1rem;margin:1rem 0}
.verdict.promoted,.verdict.forced{border-color:var(--good)}.verdict.refused{border-color:var(--warn)}
.verdict.failed{border-color:var(--bad)}.rules td:first-child{white-space:nowrap}
"""


def markdown(title: str, reason: str, facts: Mapping[str, str], rulings: Sequence[Ruling]) -> str:
    """The decision with a row per rule, as a comment under a pull request shows it."""
    lines = [f"# {title}", "", reason, ""]
    lines += [f"- {name}: {value}" for name, value in facts.items()]
    if rulings:
        lines += ["", "| | rule | figure | limit |", "|---|---|---|---|"]
        lines += [
            f"| {'pass' if r.passed else '**FAIL**'} | {r.rule} | {_cell(r.figure)} | {_cell(r.limit)} |"
            for r in rulings
        ]
    return "\n".join(lines) + "\n"


def html(
    title: str,
    verdict: str,
    reason: str,
    facts: Mapping[str, str],
    rulings: Sequence[Ruling],
    evidence: Evidence | None,
    settings: Promote,
) -> str:
    """The same with all that stands behind it.

    Args:
        verdict: its one word.
        settings: which figure decides, and how sure it has to be.
    """
    body = [f"<h1>{escape(title)}</h1>"]
    body.append(f'<p class="verdict {escape(verdict)}">{escape(reason)}</p>')
    shown = ", ".join(f"{escape(k)}: {escape(v)}" for k, v in facts.items() if v)
    body.append(f"<p class=muted>{shown}</p>")
    if rulings:
        body.append(f"<h2>Rules</h2>{_rules(rulings)}")
    if evidence is not None:
        body += sides(evidence, [settings.metric], settings)
    return page.page(title, "".join(body), STYLE)


def sides(evidence: Evidence, intervals: Collection[str], settings: Promote) -> list[str]:
    """HTML sections: figures, scenes, classes, slices and weather of both, and where they differ.

    Args:
        intervals: figures that get one.
    """
    parts = {"Figures, on the same images": figures(evidence, intervals, settings)}
    parts["Cars found in the same whole scenes"] = scenes.table(evidence)
    if evidence.champion is not None:
        targets = evidence.challenger.answers.targets
        classes = {label: np.flatnonzero(targets == n) for n, label in enumerate(evidence.labels)}
        parts["Classes, the largest loss first"] = _signed(losses(evidence, classes))
        parts["Slices, the largest loss first"] = _signed(losses(evidence, evidence.parts))
        parts["Under blur, noise and the like"] = _weather(evidence)
    body = [f"<h2>{name}</h2>{page.table(rows)}" for name, rows in parts.items() if len(rows)]
    return body + _differences(evidence)


def figures(evidence: Evidence, intervals: Collection[str], settings: Promote) -> pd.DataFrame:
    """Every figure of both sides, and the change, positive where better.

    Args:
        intervals: figures whose change gets one; it takes seconds.
    """
    new, old = evidence.challenger, evidence.champion
    if old is None:
        rows = [(name, value) for name, value in new.figures.items()]
        return pd.DataFrame(rows, columns=["figure", new.name])
    resampled = Bootstrap(settings.bootstrap, settings.confidence)
    found = []
    for name, after in new.figures.items():
        before = old.figures.get(name, math.nan)
        if not (math.isfinite(before) and math.isfinite(after)):
            found.append((name, before, after, "not to be told from these answers", ""))
            continue
        if name not in intervals:
            moved = after - before if metrics.FIGURES[name].higher else before - after
            found.append((name, before, after, f"{moved:+.4f}", ""))
            continue
        pair = compare(old.answers, new.answers, name, resampled)
        better = "yes" if pair.low > 0 else "no" if pair.high < 0 else "cannot be told"
        words = f"{pair.difference:+.4f} [{pair.low:+.4f} {pair.high:+.4f}]"
        found.append((name, pair.champion, pair.challenger, words, better))
    heading = f"change for the better, {settings.confidence:.0%} interval"
    columns = ["figure", old.name, new.name, heading, "better"]
    return pd.DataFrame(found, columns=columns)


def _rules(rulings: Sequence[Ruling]) -> str:
    lines = [
        f"<tr><td class={'good' if r.passed else 'bad'}>{'✓ pass' if r.passed else '✗ fail'}</td>"
        f"<td><b>{escape(r.rule)}</b><br><span class=muted>{escape(r.words)}</span></td>"
        f"<td>{escape(r.figure)}</td><td>{escape(r.limit)}</td></tr>"
        for r in rulings
    ]
    head = "<tr><th></th><th>rule</th><th>figure</th><th>limit</th></tr>"
    return f'<div class="wide"><table class="rules">{head}{"".join(lines)}</table></div>'


def _signed(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(change=[f"{change:+.3f}" for change in table["change"]])


def _weather(evidence: Evidence) -> pd.DataFrame:
    old = evidence.champion
    if old is None or old.stress.empty or evidence.challenger.stress.empty:
        return pd.DataFrame()
    keys = ["change", "strength"]
    both = old.stress.merge(evidence.challenger.stress, on=keys, suffixes=("_old", "_new"))
    both["shown"] = [
        f"{before:.3f} → {after:.3f}"
        for before, after in zip(both["accuracy_old"], both["accuracy_new"], strict=True)
    ]
    table = (
        both[both["strength"] > 0]
        .pivot(index="change", columns="strength", values="shown")
        .fillna("")
    )
    table.columns = [f"strength {n}" for n in table.columns]
    return table.reset_index().reindex(columns=["change", *table.columns])


def _differences(evidence: Evidence) -> list[str]:
    """Photographs of the images that only one of the two gets right."""
    if evidence.champion is None:
        return []
    old, new = evidence.champion, evidence.challenger
    body = []
    for winner, loser in ((new, old), (old, new)):
        places = np.flatnonzero(winner.answers.correct & ~loser.answers.correct)
        shown = [_photo(evidence, int(place), loser.answers.predicted) for place in places[:PHOTOS]]
        heading = f"Only {escape(winner.name)} gets right: {len(places)} images"
        if shown:
            body.append(f"<h2>{heading}</h2>{page.photos(shown)}")
    return body


def _photo(evidence: Evidence, place: int, wrong: np.ndarray) -> str:
    row = evidence.rows.iloc[place]
    try:
        picture: Image.Image | None = images.open_image(Path(str(row["path"])))
    except (DataError, OSError):
        picture = None
    if picture is not None:
        picture.thumbnail((SIDE, SIDE))
    other = evidence.labels[wrong[place]]
    return page.photo(picture, [f"is {row['label']}", f"not {other}"], str(row["path"]))


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
