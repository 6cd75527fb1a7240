"""`verdict.html`: whether a task's images can be used, why, and the pictures that say so."""

from html import escape

import pandas as pd

from roadworthy.page import bars, page, table, tile
from roadworthy.quality import verdict_pictures, verdict_plots
from roadworthy.quality.drift import MEASURED, Drift
from roadworthy.quality.rules import Facts
from roadworthy.quality.shortcut import Shortcut
from roadworthy.quality.suite import Finding, Verdict

STYLE = (
    """
body{max-width:74rem}.lead{font-size:1.15rem;margin:.3rem 0 1.4rem}
.alarm{border:2px solid var(--bad);border-radius:.6rem;padding:.9rem 1.2rem;margin:1.4rem 0}
.alarm h2{margin:0 0 .4rem;border:0;padding:0;color:var(--bad)}
nav{margin:1.4rem 0}nav a{margin-right:1.1rem;white-space:nowrap}
.level{font-weight:650;white-space:nowrap}.bars{max-width:52rem}
"""
    + verdict_plots.STYLE
    + verdict_pictures.STYLE
)
# What can be done about a shortcut, by the feature that gives the label away.
SHAPE = "Collect every class in the same shapes and sizes, or hide the shape with input.fit: crop."
ENCODING = "Save the images of every class with one format, one size and one quality."
COLOUR = (
    "Collect every class before the same backgrounds and in the same light, or cut borders off."
)
ADVICE = {
    **dict.fromkeys(("width", "height", "aspect"), SHAPE),
    **dict.fromkeys(("format", "file size"), ENCODING),
    **dict.fromkeys(("mean colour", "border colour"), COLOUR),
}
DOCS = "data_docs/index.html"
# The section that shows what a rule is about; all others are on the page, in `Findings` alone.
ASIDE, TORN, NEAR, EXTREMES = "Set aside", "One picture, two labels", "Near-duplicates", "Extremes"
CLASSES, EARLIER = "Classes", "Earlier version"
SHOWN = {
    **dict.fromkeys(("readable share", "labelled share"), ASIDE),
    **dict.fromkeys(
        ("classes", "images in the smallest class", "imbalance", "source mix"), CLASSES
    ),
    "exact copies under another label": TORN,
    "near-duplicates": NEAR,
    **dict.fromkeys(("aspect", "usual mode", "not too dark", "not too bright"), EXTREMES),
    **dict.fromkeys(("not blurry", "not flat"), EXTREMES),
}


def render(verdict: Verdict, facts: Facts, aside: pd.DataFrame, pairs: pd.DataFrame) -> str:
    """The page.

    Args:
        facts: paths in them are relative to the current folder; pictures are decoded here.
        aside: the quarantine, with a reason.
        pairs: near-duplicates: columns first, second (paths), mirrored.
    """
    sections = _sections(verdict, facts, aside, pairs)
    links = " ".join(f'<a href="#{_anchor(name)}">{escape(name)}</a>' for name in sections)
    body = "".join(
        f'<section><h2 id="{_anchor(name)}">{escape(name)}</h2>{content}</section>'
        for name, content in sections.items()
    )
    head = _headline(verdict) + (_alarm(verdict.shortcut, facts) if verdict.alarm else "")
    tiles = f'<div class="tiles">{_tiles(verdict, facts)}</div><nav>{links}</nav>'
    return page(f"{verdict.task}: verdict", f"{head}{tiles}{body}{_footer()}", STYLE)


def in_words(verdict: Verdict) -> str:
    """Whether the images can be used."""
    errors, warnings = (len(verdict.broken(level)) for level in ("error", "warn"))
    if errors:
        return f"cannot be used: {_count(errors, 'rule is', 'rules are')} broken"
    if verdict.alarm:
        others = f" and {_count(warnings - 1, 'more warning')}" if warnings > 1 else ""
        return f"can be used, but a shortcut gives the label away{others}"
    return f"can be used, with {_count(warnings, 'warning')}" if warnings else "can be used"


def shortcut_in_words(found: Shortcut) -> str:
    """What the shortcut test found, in a sentence or two."""
    best, *others = found.features[:3]
    text = (
        f"size, format and colour name the right label for {_percent(found.accuracy)} of the images; "
        f"{best.feature} alone for {_percent(best.accuracy)} "
        f"({', '.join(f'{one.feature} {_percent(one.accuracy)}' for one in others)}). "
        f"Always saying {found.majority!r} is right for {_percent(found.share)}."
    )
    if found.gain > found.accuracy - found.share + 0.05:
        classes = f"one class in {found.classes} would be {_percent(1 / found.classes)}"
        text += f" With classes counted alike they name {_percent(found.balanced)}; {classes}."
    return text


def shortcut_headline(found: Shortcut) -> str:
    """What gives the label away: one feature, where it does most of it, or all of them."""
    best = found.features[0]
    if best.gain > 0.6 * found.gain:
        return f"{best.feature} gives the label away"
    return "size, format and colour together give the label away"


def _headline(verdict: Verdict) -> str:
    kind = "bad" if not verdict.passed else "warn" if verdict.broken("warn") else "good"
    share = f"{verdict.usable:,} of {_count(verdict.images, 'image')} can be trained on."
    if not verdict.passed:
        share = "The road stops here; the results of the last good run stay in use."
    return (
        f'<h1>{escape(verdict.task)}: the images <span class="{kind}">{in_words(verdict)}</span></h1>'
        f'<p class="lead muted">{share}</p>'
    )


def _alarm(found: Shortcut, facts: Facts) -> str:
    best = found.features[0]
    return (
        f'<div class="alarm"><h2>Shortcut: {escape(shortcut_headline(found))}</h2>'
        f"<p>Without a look at the picture, {escape(shortcut_in_words(found))} "
        "These figures are of images that were not learned from.</p>"
        f"<h3>{escape(best.feature)} in each class</h3>{verdict_plots.show(facts.clean, best.feature)}"
        "<p>A network may learn this instead of what the picture shows, be right on this test set, "
        f"and wrong on images collected in another way. {escape(ADVICE[best.feature])}</p></div>"
    )


def _tiles(verdict: Verdict, facts: Facts) -> str:
    found, kept = verdict.shortcut, facts.clean
    aside = verdict.images - verdict.usable
    clustered = int(kept["cluster"].notna().sum())
    blind = f"guessing: {_percent(found.share)}" if found.rows else "nothing to tell apart"
    return "".join(
        [
            tile("can be used", f"{verdict.usable:,}", f"of {_count(verdict.images, 'image')}"),
            tile("set aside", f"{aside:,}", "none deleted"),
            tile(
                "classes", f"{kept['label'].nunique()}", _count(kept["source"].nunique(), "source")
            ),
            tile("near-duplicates", f"{clustered:,}", _count(kept["cluster"].nunique(), "cluster")),
            tile("right without looking", _percent(found.accuracy), blind),
        ]
    )


def _sections(
    verdict: Verdict, facts: Facts, aside: pd.DataFrame, pairs: pd.DataFrame
) -> dict[str, str]:
    clean = facts.clean
    sections = {
        CLASSES: _classes(clean),
        EARLIER: _changes(facts.drift),
        ASIDE: verdict_pictures.set_aside(aside, clean),
    }
    if len(facts.torn):
        sections[TORN] = verdict_pictures.conflicts(facts.torn)
    if clean["cluster"].notna().any():
        sections[NEAR] = verdict_pictures.clusters(clean, pairs)
    if len(clean):
        sections[EXTREMES] = verdict_pictures.extremes(clean, facts.plan)
        sections["At random"] = verdict_pictures.sheet(clean, facts.plan.seed)
    return {"Findings": _findings(verdict, tuple(sections)), **sections}


def _findings(verdict: Verdict, sections: tuple[str, ...]) -> str:
    """Broken errors, broken warnings, then what passed."""
    every = (*verdict.findings, *verdict.changes)
    ordered = sorted(every, key=lambda f: (f.passed, f.level != "error"))
    lines = "".join(
        f"<tr>{_level(f)}<td>{_rule(f, sections)}</td><td>{escape(f.observed)}</td>"
        f"<td>{escape(f.wanted)}</td><td class=muted>{escape(f.setting)}</td></tr>"
        for f in ordered
    )
    head = (
        "<tr><th></th><th>rule</th><th>found</th><th>wanted</th><th>setting of validate</th></tr>"
    )
    off = ", ".join(verdict.off)
    note = f"<p class=muted>Switched off: {escape(off)}.</p>" if off else ""
    return f'<div class="wide"><table>{head}{lines}</table></div>{note}'


def _rule(finding: Finding, sections: tuple[str, ...]) -> str:
    """The rule's name, leading to where it is shown."""
    section = EARLIER if finding.name.startswith("drift") else SHOWN.get(finding.name, "")
    if section not in sections:
        return escape(finding.name)
    return f'<a href="#{_anchor(section)}">{escape(finding.name)}</a>'


def _anchor(section: str) -> str:
    return section.casefold().replace(",", "").replace(" ", "-")


def _level(finding: Finding) -> str:
    kind, word = ("good", "passed") if finding.passed else ("warn", "warning")
    if not finding.passed and finding.level == "error":
        kind, word = "bad", "error"
    return f'<td class="level {kind}">{word}</td>'


def _classes(clean: pd.DataFrame) -> str:
    labels = clean["label"].astype(str)
    shown = bars({str(k): int(v) for k, v in labels.value_counts().head(60).items()})
    if clean["source"].nunique() < 2:
        return shown
    mix = pd.crosstab(labels, clean["source"].astype(str)).rename_axis(None, axis=1)
    return f"{shown}<h3>Where they come from</h3>{table(mix.reset_index())}"


def _changes(drift: Drift | None) -> str:
    if drift is None:
        return "<p>There is no earlier version to compare with.</p>"
    before, now = drift.before, drift.now
    counts = {name: [v["label"].get(name, 0) for v in (before, now)] for name in _moved(drift)}
    rows: list[tuple[str, ...]] = [
        (f"usable of {name}", f"{old:,}", f"{new:,}", f"{new - old:+,}")
        for name, (old, new) in counts.items()
    ]
    rows += [
        (
            f"mean {name}",
            *(f"{v[name]['mean']:.4g}" for v in (before, now)),
            f"{drift.means[name]:.3g} standard deviations",
        )
        for name in MEASURED
    ]
    rows += [(f"shares of {n}s", "", "", f"{v:.1%} moved") for n, v in drift.shares.items()]
    frame = pd.DataFrame(rows, columns=["", "before", "now", "change"])
    return f"<p>{escape(drift.in_words())}.</p>{table(frame)}"


def _moved(drift: Drift) -> list[str]:
    """The classes whose share changed most."""
    shares = pd.DataFrame({"old": drift.before["label"], "new": drift.now["label"]}).fillna(0)
    shares /= shares.sum().clip(lower=1)
    change = (shares["new"] - shares["old"]).abs().sort_index()
    return list(change.sort_values(ascending=False, kind="stable").index[:12])


def _footer() -> str:
    return (
        f'<h2>More</h2><p>Every file that was set aside, with its reason: <a href="quarantine.csv">'
        f'quarantine.csv</a>. Every near pair: <a href="near_duplicates.csv">near_duplicates.csv</a>. '
        f'The same rules in <a href="{DOCS}">Great Expectations\' Data Docs</a>, which come out '
        "without style where there is no network.</p>"
    )


def _count(number: int, one: str, several: str = "") -> str:
    return f"{number:,} {one if number == 1 else several or one + 's'}"


def _percent(share: float) -> str:
    return f"{100 * share:.3g}%"
