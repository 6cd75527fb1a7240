"""What `validate` and `split` would say of new images beside those that are there; changes nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from roadworthy.data import ledger, manifest, splits
from roadworthy.data.manifest import Manifest
from roadworthy.errors import StaleError
from roadworthy.layout import folder, read_json
from roadworthy.params import TaskPlan
from roadworthy.pipeline import validate
from roadworthy.pipeline.split import LEDGERS
from roadworthy.quality import drift, shortcut, suite, triage
from roadworthy.quality.rules import Facts
from roadworthy.quality.suite import Finding


@dataclass(frozen=True)
class Fate:
    """What would become of a new image."""

    split: str | None
    """None: it would be left out, and `reason` says why."""
    like: str
    """A near-duplicate that the task has already; empty: none."""
    reason: str = ""


@dataclass(frozen=True)
class Rehearsal:
    """What would be said of the task with its new images."""

    fates: Mapping[str, Fate]
    """By path in the data."""
    broken: tuple[Finding, ...]
    """`error` rules that would stop the road."""
    warned: tuple[Finding, ...]
    missing: tuple[str, ...]
    """Labels that would be missing from train, val or test."""

    @property
    def stops(self) -> tuple[str, ...]:
        """Why the road would stop, a line each; empty: it would not."""
        lines = [f"{f.name}: {f.observed}, wanted {f.wanted}" for f in self.broken]
        return (
            *lines,
            *(f"{label} would be missing from train, val or test" for label in self.missing),
        )


def rehearse(plan: TaskPlan, present: Manifest, staged: Path, docs: Path) -> Rehearsal:
    """Judge the present images of a task together with those below `staged`.

    Args:
        staged: laid out as the task's images are, in the same folders.
        docs: where Great Expectations may write.
    """
    new = manifest.build(plan.model_copy(update={"images": staged}))
    rows = pd.concat([present.rows, new.rows], ignore_index=True)
    thumbnails = np.concatenate([present.thumbnails, new.thumbnails])
    found = triage.triage(rows, thumbnails, plan)
    # By far the longest of the judgements.
    asked = plan.validation.levels.get("shortcut") != "off"
    told = shortcut.find(found.clean if asked else found.clean.head(0), plan.seed)
    facts = Facts(plan, rows, found.clean, told, _drift(plan, rows, found))
    verdict = suite.judge(facts, docs)
    places = {path: _place(path, staged, plan) for path in new.rows["path"]}
    drawn = _drawn(plan, found, places)
    counts = pd.crosstab(drawn["label"], drawn["split"]).reindex(
        columns=list(ledger.SPLITS), fill_value=0
    )
    return Rehearsal(
        _fates(found, drawn, places),
        tuple(verdict.broken("error")),
        tuple(verdict.broken("warn")),
        tuple(str(label) for label in counts.index[(counts == 0).any(axis=1)]),
    )


def _place(path: str, staged: Path, plan: TaskPlan) -> str:
    return (plan.images / Path(path).relative_to(staged)).as_posix()


def _drift(plan: TaskPlan, rows: pd.DataFrame, found: triage.Triage) -> drift.Drift | None:
    """Against the version that was validated last."""
    now = drift.snapshot(rows, found.clean)
    try:
        memory = read_json(folder(plan.name, "validate") / validate.MEMORY)
    except (StaleError, ValueError):
        return None
    before = drift.earlier(memory, now["data"])
    return drift.compare(before, now) if before else None


def _drawn(plan: TaskPlan, found: triage.Triage, places: Mapping[str, str]) -> pd.DataFrame:
    """The usable rows under their paths in the data, with their split."""
    rows = found.clean.assign(path=found.clean["path"].replace(dict(places)))
    pairs = found.pairs.replace({"first": dict(places), "second": dict(places)})
    rule = ledger.rule(plan.split, plan.seed)
    known = ledger.load(LEDGERS / f"{plan.name}.csv", rule)
    return rows.assign(split=splits.assign(rows, pairs, plan.split, plan.seed, known))


def _fates(found: triage.Triage, drawn: pd.DataFrame, places: Mapping[str, str]) -> dict[str, Fate]:
    split = dict(zip(drawn["path"], drawn["split"], strict=True))
    aside = dict(zip(found.aside["path"], found.aside["reason"], strict=True))
    like: dict[str, str] = {}
    for one, two in zip(found.pairs["first"], found.pairs["second"], strict=True):
        for new, old in ((one, two), (two, one)):
            if new in places and old not in places:
                like.setdefault(new, old)
    fates = {}
    for path, place in places.items():
        given = split.get(place)
        reason = str(
            aside.get(path, "" if isinstance(given, str) else "a copy of images in two splits")
        )
        fates[place] = Fate(given if isinstance(given, str) else None, like.get(path, ""), reason)
    return fates
