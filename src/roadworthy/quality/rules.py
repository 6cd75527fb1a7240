"""The rules that images must keep: every one is a line of `rules`, and judged, shown and documented by it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import partial

import numpy as np
import pandas as pd

from roadworthy.data.makes import MAKES
from roadworthy.errors import ParamsError
from roadworthy.params import TaskPlan, Validation
from roadworthy.quality.drift import Drift
from roadworthy.quality.shortcut import Shortcut


@dataclass(frozen=True)
class Facts:
    """What is judged: the images of one task, and what was found out about them."""

    plan: TaskPlan
    manifest: pd.DataFrame
    clean: pd.DataFrame
    """Usable rows, with their cluster."""
    shortcut: Shortcut
    drift: Drift | None = None
    """None: there is no earlier version."""

    @property
    def torn(self) -> pd.DataFrame:
        """Rows whose content is filed under several labels."""
        rows = self.manifest[self.manifest["reason"].isna()]
        return rows[rows.groupby("sha256")["label"].transform("nunique") > 1]


@dataclass(frozen=True)
class Figure:
    """A figure over the whole set, and how to say it."""

    value: float
    words: str = ""

    def __str__(self) -> str:
        return self.words or f"{self.value:g}"


@dataclass(frozen=True)
class Rule:
    """An expectation: of a column of the usable images, or of a figure over all of them."""

    name: str
    level: str
    """`error` stops the road, `warn` is shown, `off` is not judged."""
    setting: str
    """Where the threshold is set; "" where it cannot be."""
    measure: str | Callable[[Facts], Figure]
    low: float | None = None
    high: float | None = None
    mostly: float = 1.0
    """Share of the images that must keep it."""
    values: tuple[str, ...] = ()
    """Instead of a range."""
    over_time: bool = False
    """Looks at the earlier version too."""

    @property
    def wanted(self) -> str:
        """The range in words."""
        if self.high == 0:
            return "none"
        ends = [f"at least {self.low:g}"] if self.low is not None else []
        ends += [f"at most {self.high:g}"] if self.high is not None else []
        text = ", ".join(self.values) or " and ".join(ends)
        return text + (f" in {self.mostly:.0%} of images" if self.mostly < 1 else "")


def rules(settings: Validation) -> list[Rule]:
    """Every rule with the level that is set for it.

    Raises:
        ParamsError: `levels` names a rule that there is not.
    """
    known = _table(settings)
    names = [rule.name for rule in known]
    for name in settings.levels:
        if name not in names:
            near = get_close_matches(name, names, n=3, cutoff=0.4) or names
            raise ParamsError(
                f"validate.levels: no rule is called {name!r}; did you mean {' or '.join(near)}?"
            )
    return [replace(rule, level=settings.levels.get(rule.name, rule.level)) for rule in known]


def _table(s: Validation) -> list[Rule]:
    usual, drift = 1 - s.max_suspicious, s.max_drift
    over_time = partial(Rule, level="warn", setting="max_drift", high=drift, over_time=True)
    image = partial(Rule, level="warn", mostly=usual)
    # fmt: off
    return [
        Rule("readable share", "error", "max_unreadable", _readable, low=1 - s.max_unreadable),
        Rule("labelled share", "error", "max_unlabelled", _labelled, low=1 - s.max_unlabelled),
        Rule("known labels", "error", "", _strange_labels, high=0),
        Rule("known makes", "warn", "", _strange_makes, high=0),
        Rule("classes", "error", "", _classes, low=2),
        Rule("images in the smallest class", "error", "min_per_class", _smallest, low=s.min_per_class),
        Rule("imbalance", "error", "max_imbalance", _imbalance, high=s.max_imbalance),
        Rule("exact copies under another label", "error", "max_conflicts", _conflicts, high=s.max_conflicts),
        Rule("near-duplicates", "warn", "max_near_duplicates", _near_duplicates, high=s.max_near_duplicates),
        Rule("shortcut", "warn", "shortcut_margin", _shortcut, high=s.shortcut_margin),
        Rule("source mix", "warn", "max_source_mix", _source_mix, high=s.max_source_mix),
        Rule("height", "error", "min_side", "height", low=s.min_side, mostly=0.98),
        Rule("width", "error", "min_side", "width", low=s.min_side, mostly=0.98),
        image("aspect", setting="max_suspicious", measure="aspect", low=0.2, high=5.0),
        image("usual mode", setting="modes", measure="mode", values=s.modes),
        image("not too dark", setting="dark", measure="brightness", low=s.dark),
        image("not too bright", setting="dark", measure="brightness", high=1 - s.dark),
        image("not blurry", setting="blurry", measure="sharpness", low=s.blurry),
        image("not flat", setting="flat", measure="contrast", low=s.flat),
        over_time("drift of labels", measure=partial(_mixed_otherwise, "label")),
        over_time("drift of sources", measure=partial(_mixed_otherwise, "source")),
        over_time("drift of classes", measure=_other_classes, setting="", high=0),
        over_time("drift of brightness", measure=partial(_moved, "brightness")),
        over_time("drift of contrast", measure=partial(_moved, "contrast")),
        over_time("drift of sharpness", measure=partial(_moved, "sharpness")),
        over_time("drift of aspect", measure=partial(_moved, "aspect")),
        over_time("drift of width", measure=partial(_moved, "width")),
    ]
    # fmt: on


def _readable(facts: Facts) -> Figure:
    fine = facts.manifest["readable"].astype(bool)
    return _share(fine, f"{int((~fine).sum())} unreadable")


def _labelled(facts: Facts) -> Figure:
    """What a `labels.csv` takes out has no label on purpose."""
    taken_out = facts.manifest["readable"].astype(bool) & facts.manifest["reason"].notna()
    fine = facts.manifest["label"].notna() | taken_out
    return _share(fine, f"{int((~fine).sum())} without a label")


def _strange_labels(facts: Facts) -> Figure:
    """Labels outside a closed list; in an open set, labels that are spellings of one another."""
    labels = facts.manifest["label"].dropna().astype(str)
    if facts.plan.label.classes:
        strange = sorted(set(labels) - set(facts.plan.label.classes))
        return _named(strange, "all in label.classes")
    kinds = pd.Series(sorted(set(labels)), dtype="string")
    plain = kinds.str.casefold().str.replace(r"[\W_]+", "", regex=True)
    return _named(list(kinds[plain.duplicated(keep=False)]), "each in one spelling")


def _strange_makes(facts: Facts) -> Figure:
    rule = facts.plan.label
    if rule.classes or "filename" not in rule.source:
        return Figure(0, "labels are not makes read from file names")
    labels = set(facts.manifest["label"].dropna().astype(str))
    strange = sorted(labels - set(MAKES) - set(rule.aliases.values()))
    return _named(strange, "all makes of cars")


def _classes(facts: Facts) -> Figure:
    return Figure(int((_counts(facts) > 0).sum()))


def _smallest(facts: Facts) -> Figure:
    counts = _counts(facts)
    least = int(counts.min()) if len(counts) else 0
    names = list(counts.index[counts == least])
    return Figure(least, f"{least} ({_listed(names)})") if names else Figure(0)


def _imbalance(facts: Facts) -> Figure:
    counts = _counts(facts)
    if not len(counts):
        return Figure(0.0, "no classes")
    ratio = float(counts.max() / max(counts.min(), 1))
    return Figure(ratio, f"{ratio:.3g} ({counts.idxmax()} to {counts.idxmin()})")


def _conflicts(facts: Facts) -> Figure:
    twice = facts.torn["sha256"].nunique()
    share = twice / max(len(facts.manifest), 1)
    return Figure(share, f"{share:.3g} ({twice} picture{'s' * (twice != 1)})")


def _near_duplicates(facts: Facts) -> Figure:
    kept = facts.clean["cluster"]
    share = float(kept.notna().mean()) if len(kept) else 0.0
    words = f"{share:.1%} ({int(kept.notna().sum())} images, clusters: {kept.nunique()})"
    return Figure(share, words)


def _shortcut(facts: Facts) -> Figure:
    found = facts.shortcut
    if not found.rows:
        return Figure(0.0, "nothing to tell apart")
    best = found.features[0]
    words = f"{found.gain:.3g} over guessing, {found.sure:.3g} beyond chance"
    return Figure(found.sure, f"{words} (most by {best.feature}: {best.gain:.3g})")


def _source_mix(facts: Facts) -> Figure:
    counts = pd.crosstab(facts.clean["source"].astype(str), facts.clean["label"].astype(str))
    if len(counts) < 2:
        return Figure(0.0, "one source")
    value = association(counts.to_numpy(float))
    if not value:
        return Figure(value)
    source, label, share = _most_mixed(counts)
    return Figure(value, f"{value:.3g} ({share:.0%} of {label} come from {source})")


def association(counts: np.ndarray) -> float:
    """Cramer's V of a table of counts, 0 to 1, corrected for bias (Bergsma 2013)."""
    counts = counts[counts.sum(axis=1) > 0][:, counts.sum(axis=0) > 0]
    n, (rows, columns) = counts.sum(), counts.shape
    if n < 2 or min(rows, columns) < 2:
        return 0.0
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / n
    phi = float(((counts - expected) ** 2 / expected).sum() / n)
    phi = max(0.0, phi - (rows - 1) * (columns - 1) / (n - 1))
    kinds = min(rows - (rows - 1) ** 2 / (n - 1), columns - (columns - 1) ** 2 / (n - 1))
    return round(min(1.0, float(np.sqrt(phi / (kinds - 1)))), 6) if kinds > 1 else 0.0


def _most_mixed(counts: pd.DataFrame) -> tuple[str, str, float]:
    """Source and label that go together most beyond chance, and that source's share of the label."""
    table = counts.to_numpy(float)
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    row, column = np.unravel_index(
        int(((table - expected) / np.sqrt(expected)).argmax()), table.shape
    )
    share = float(table[row, column] / table[:, column].sum())
    return str(counts.index[int(row)]), str(counts.columns[int(column)]), share


def _mixed_otherwise(name: str, facts: Facts) -> Figure:
    return Figure(facts.drift.shares[name]) if facts.drift else Figure(0.0)


def _moved(name: str, facts: Facts) -> Figure:
    if not facts.drift:
        return Figure(0.0)
    old, now = (f"{s[name]['mean']:.4g}" for s in (facts.drift.before, facts.drift.now))
    return Figure(facts.drift.means[name], f"{facts.drift.means[name]:.3g} (mean {old} to {now})")


def _other_classes(facts: Facts) -> Figure:
    if not facts.drift or not (facts.drift.new or facts.drift.gone):
        return Figure(0, "the same classes")
    said = [
        f"{words} {_listed(list(names))}"
        for words, names in (("new:", facts.drift.new), ("gone:", facts.drift.gone))
        if names
    ]
    return Figure(len(facts.drift.new) + len(facts.drift.gone), "; ".join(said))


def _counts(facts: Facts) -> pd.Series:
    """Usable images per class; a class of the closed list that has none counts too."""
    counts = facts.clean["label"].astype(str).value_counts()
    closed = facts.plan.label.classes
    if closed and facts.plan.validation.small_classes == "refuse":
        return counts.reindex(list(closed), fill_value=0)
    return counts


def _share(fine: pd.Series, words: str) -> Figure:
    share = float(fine.mean()) if len(fine) else 0.0
    return Figure(share, f"{share:.4g} ({words})")


def _named(strange: list[str], otherwise: str) -> Figure:
    return Figure(len(strange), _listed(strange) if strange else otherwise)


def _listed(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
