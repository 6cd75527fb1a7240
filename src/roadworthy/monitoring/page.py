"""`monitor.html`: whether live traffic is like the validation images, why, and what to do next."""

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np
from PIL import Image

from roadworthy.monitoring import pictures
from roadworthy.monitoring.evidence import Live, Test
from roadworthy.monitoring.outcome import Asked, Monitored, moment
from roadworthy.monitoring.reference import Reference
from roadworthy.monitoring.state import History
from roadworthy.page import page, photo, photos, tile

SIDE = 160
ASKED = "Images that would teach most"
FOOT = (
    "<p class=muted>The same figures: monitor.json; for Prometheus: monitor.prom; every judgement: "
    "history.jsonl; the images above: ask.csv.</p>"
)
STYLE = (
    """
body{max-width:68rem}.lead{font-size:1.15rem;margin:.5rem 0}
.next{border-left:.4rem solid var(--muted);padding:.4rem 1rem;margin:1rem 0 1.6rem;font-size:1.1rem}
.next.retrain,.next.labels{border-color:var(--warn)}.level{font-weight:650;white-space:nowrap}
.tests tr>:nth-child(n+3){white-space:nowrap;text-align:right;font-variant-numeric:tabular-nums}
code{overflow-wrap:anywhere}
@media(max-width:40rem){.figure{font-size:1.9rem}.tile{min-width:7.5rem;padding:.6rem .8rem}
.tests tr>:nth-child(n+4){display:none}}
"""
    + pictures.STYLE
)
WORDS = {
    "brightness": "0 to 1",
    "red": "0 to 1",
    "green": "0 to 1",
    "blue": "0 to 1",
    "aspect": "width / height",
    "confidence": "0 to 1",
}
KEY = (
    '<p class="key muted"><svg viewBox="0 0 16 8"><rect class="live" width="16" height="8"/></svg> '
    'live <svg viewBox="0 0 16 8"><polyline class="known" points="0,6 8,6 8,2 16,2"/></svg> '
    "validation, when the champion was made</p>"
)


@dataclass(frozen=True)
class Seen:
    """What the page shows beside the outcome."""

    reference: Reference
    live: Live
    labels: tuple[str, ...]
    refusals: Mapping[str, int]
    """By word."""
    history: History
    inbox: Path
    """Where labelled images are put, in a folder for each task."""


def render(found: Monitored, seen: Seen) -> str:
    """The page; asked images are read here, and become small pictures in it."""
    sections = {
        "Tests": _tests(found),
        "So far": _past(seen.history),
        "Images and confidence": _panels(found, seen),
        "Answers": _answers(seen),
        "Refused requests": _refused(seen),
        ASKED: _asked(found, seen.inbox),
    }
    body = _head(found) + _tiles(found, seen)
    body += "".join(
        f"<h2{' id=ask' if name == ASKED else ''}>{name}</h2>{text}"
        for name, text in sections.items()
        if text
    )
    return page(f"{found.task}: live traffic", body + FOOT, STYLE)


def _head(found: Monitored) -> str:
    if found.judgement.drifted:
        kind, words = "bad", "has drifted"
    elif found.judgement.enough:
        kind, words = "good", "is like the validation images"
    else:
        kind, words = "warn", "cannot be judged yet"
    return (
        f'<h1>{escape(found.task)}: live traffic <span class="{kind}">{words}</span></h1>'
        f'<p class="lead muted">{escape(found.judgement.reason)}</p>'
        f'<p class="next {found.wants}"><b>Next:</b> {escape(found.advice)}{_below(found)}</p>'
    )


def _below(found: Monitored) -> str:
    return f' <a href="#ask">{len(found.asked)} images</a>' if found.asked else ""


def _tiles(found: Monitored, seen: Seen) -> str:
    live = seen.live
    judged = len(live.right)
    share = f"{100 * live.right.mean():.3g}%" if judged else "?"
    refused = f"{100 * live.refused / live.requests:.2g}%" if live.requests else "?"
    version = "?" if found.version is None else f"{found.version}"
    if not found.images:
        when = f"up to {moment(found.until)} UTC"
    elif found.since.date() == found.until.date():
        when = f"{moment(found.since)} to {found.until:%H:%M} UTC"
    else:
        when = f"{moment(found.since)} to {moment(found.until)} UTC"
    shown = [
        tile("images", f"{found.images:,}", when),
        tile("champion", version, f"bundle {found.digest[:12]}"),
        tile("right, say people", share, f"of {judged:,} answers"),
        tile("refused", refused, f"of {live.requests:,} requests"),
        tile("alarms", f"{len(found.alarms)}", f"of {_tested(found)} tests"),
    ]
    if found.judgement.drifted:
        shown.append(tile("new labels", f"{found.new_labels:,}", "since the champion"))
    return f'<div class="tiles">{"".join(shown)}</div>'


def _tested(found: Monitored) -> int:
    return sum(test.p is not None for test in found.judgement.tests)


def _tests(found: Monitored) -> str:
    """Alarms first, then what is quiet, then what could not be tested."""
    ordered = sorted(found.judgement.tests, key=lambda test: (not test.alarm, test.p is None))
    head = "<tr><th></th><th>test</th><th>by chance</th><th>limit</th><th>size</th></tr>"
    lines = "".join(map(_row, ordered))
    note = (
        "<p class=muted>By chance: how often traffic without any drift would differ as much. An alarm "
        "takes a p up to the limit, which allows for the number of tests, and a size that matters.</p>"
    )
    return f'<div class="wide"><table class="tests">{head}{lines}</table></div>{note}'


def _row(test: Test) -> str:
    if test.p is None:
        kind, word, figures = "muted", "– not tested", "<td></td><td></td><td></td>"
    else:
        kind, word = ("bad", "✗ alarm") if test.alarm else ("good", "✓ quiet")
        figures = (
            f"<td>{_chance(test.p)}</td><td class=muted>{_chance(test.limit)}</td>"
            f"<td class=number>{test.effect:.3g}</td>"
        )
    said = test.said.removeprefix("not tested: ")
    return (
        f'<tr><td class="level {kind}">{word}</td><td><b>{escape(test.name)}</b><br>'
        f"<span class=muted>{escape(said)}</span></td>{figures}</tr>"
    )


def _chance(p: float) -> str:
    return "< 0.0001" if p < 0.0001 else f"{p:.2g}"


def _panels(found: Monitored, seen: Seen) -> str:
    live = {name: np.asarray(v, np.float64) for name, v in seen.live.statistics.items()}
    if len(seen.live):
        live["confidence"] = seen.live.probabilities.max(axis=1)
    shown = pictures.panels(seen.reference, live, found.alarms, WORDS)
    return KEY + shown if shown else ""


def _answers(seen: Seen) -> str:
    known, live = seen.reference.probabilities, seen.live.probabilities
    size = len(seen.labels)
    if known is not None and len(known):
        before = np.bincount(known.argmax(axis=1), minlength=size) / len(known)
    else:
        before = np.asarray(seen.reference.profile.get("answers") or [], np.float64)
    if len(before) != size or not len(live):
        return ""
    now = np.bincount(live.argmax(axis=1), minlength=size) / len(live)
    return "<p class=muted>The bar is live, the mark on it validation.</p>" + pictures.answers(
        seen.labels, now, before
    )


def _refused(seen: Seen) -> str:
    if not seen.refusals:
        return ""
    ordered = sorted(seen.refusals.items(), key=lambda pair: -pair[1])
    lines = "".join(
        f"<tr><td>{escape(word)}</td><td class=number>{count:,}</td></tr>"
        for word, count in ordered
    )
    return (
        "<p class=muted>Of all tasks together: what was refused has none. Refusals for other reasons "
        f"than what was sent (a missing key, a busy service) do not count.</p><table>{lines}</table>"
    )


def _asked(found: Monitored, inbox: Path) -> str:
    if not found.asked:
        return ""
    shown = [one for one in found.asked if one.file]
    if not shown:
        return (
            "<p>The service keeps no images (ROADWORTHY_LOG_IMAGES). Whoever has them can send the "
            "right label with these ids to <code>/feedback</code>.</p>" + _ids(found.asked)
        )
    folder = shown[0].file.parent if shown[0].file else Path()
    return (
        f"<p>{len(shown)} images lie in <code>{escape(str(folder))}</code>. Fill in the column "
        f"<code>label</code> of its <code>labels.csv</code> and move the folder to "
        f"<code>{escape(str(inbox / found.task))}/</code>; rows without a label are left out.</p>"
        + photos(_photo(one) for one in shown)
    )


def _photo(one: Asked) -> str:
    caption = [f"{one.answered} {one.probability:.0%}?", one.at[:10]]
    return photo(_thumbnail(one.file), caption, one.file.name if one.file else one.sha256)


def _thumbnail(file: Path | None) -> Image.Image | None:
    """None where it cannot be read; it was decoded once, by the service."""
    if file is None:
        return None
    try:
        with Image.open(file) as image:
            image.draft("RGB", (SIDE, SIDE))
            shown = image.convert("RGB")
    except (OSError, ValueError, Image.DecompressionBombError):
        return None
    shown.thumbnail((SIDE, SIDE))
    return shown


def _ids(asked: tuple[Asked, ...]) -> str:
    lines = "".join(
        f"<tr><td><code>{escape(one.id)}</code></td><td>{escape(one.answered)} "
        f"{one.probability:.0%}</td><td>{escape(one.at[:16].replace('T', ' '))}</td></tr>"
        for one in asked
    )
    head = "<tr><th>id</th><th>answered</th><th>when</th></tr>"
    return f'<div class="wide"><table>{head}{lines}</table></div>'


def _past(history: History) -> str:
    if len(history.judged) < 2:
        return ""
    begun = {mark.until.isoformat() for mark in history.started}
    return pictures.past(history.judged, begun)
