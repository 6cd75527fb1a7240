"""validate: judge the manifest, set bad rows aside, stop the road when the data are not good enough."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from roadworthy.errors import VerdictError
from roadworthy.layout import folder, needed, replacing, write_json
from roadworthy.params import TaskPlan
from roadworthy.pipeline.index import MANIFEST, THUMBNAILS
from roadworthy.progress import bar
from roadworthy.quality import drift, shortcut, suite, triage, verdict_page
from roadworthy.quality.rules import Facts, rules

CLEAN = "clean.parquet"
QUARANTINE = "quarantine.csv"
PAIRS = "near_duplicates.csv"
VERDICT = "verdict.json"
# These three know of the earlier version, so DVC does not hash them.
PAGE = "verdict.html"
CHANGES = "changes.json"
MEMORY = "before.json"


def run(plan: TaskPlan) -> None:
    """Write the verdict, its page, Data Docs, the usable rows, the quarantine and near-duplicates.

    Raises:
        ParamsError: `validate.levels` names a rule that there is not.
        VerdictError: an `error` rule is broken. What was found is then in
            `artifacts/TASK/refused`, and the results of the last good run stay.
    """
    rules(plan.validation)
    index, stage = needed(plan.name, "index"), folder(plan.name, "validate")
    manifest = pd.read_parquet(index / MANIFEST)
    thumbnails = np.load(index / THUMBNAILS, mmap_mode="r")
    with bar(f"validate {plan.name}") as progress:
        sorted_out = triage.triage(manifest, thumbnails, plan, progress)
    now = drift.snapshot(manifest, sorted_out.clean)
    before = drift.earlier(_memory(stage / MEMORY), now["data"])
    facts = Facts(
        plan,
        manifest,
        sorted_out.clean,
        shortcut.find(sorted_out.clean, plan.seed),
        drift.compare(before, now) if before else None,
    )
    refused = stage.with_name("refused")
    with replacing(refused) as out:
        verdict = suite.judge(facts, out / "data_docs")
        _write(out, verdict, facts, sorted_out)
        write_json(out / MEMORY, drift.remember(now, before))
    if not verdict.passed:
        _report(verdict, facts, sorted_out.aside, refused)
        raise VerdictError(_explain(verdict, refused))
    with replacing(stage) as out:
        out.rmdir()
        refused.rename(out)
    _report(verdict, facts, sorted_out.aside, stage)


def _write(out: Path, verdict: suite.Verdict, facts: Facts, found: triage.Triage) -> None:
    found.clean.to_parquet(out / CLEAN, index=False)
    found.aside.to_csv(out / QUARANTINE, index=False)
    found.pairs.to_csv(out / PAIRS, index=False)
    write_json(out / VERDICT, verdict.as_dict())
    write_json(out / CHANGES, _changes(verdict, facts))
    shown = verdict_page.render(verdict, facts, found.aside, found.pairs)
    (out / PAGE).write_text(shown, encoding="utf-8")


def _changes(verdict: suite.Verdict, facts: Facts) -> dict[str, Any]:
    """Against the earlier version; empty where there is none."""
    if facts.drift is None:
        return {}
    short = {k: v for k, v in asdict(facts.drift).items() if k not in ("before", "now")}
    return {**short, "findings": [asdict(finding) for finding in verdict.changes]}


def _memory(path: Path) -> Any:
    """What the last good run kept; None where there is nothing, or nothing that can be read."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _report(verdict: suite.Verdict, facts: Facts, aside: pd.DataFrame, where: Path) -> None:
    """The verdict for a terminal; broken `error` rules are in the error that follows."""
    words = verdict_page.in_words(verdict)
    print(f"validate {verdict.task}: {verdict.usable} of {verdict.images} images; they {words}")
    if verdict.alarm:
        told = verdict_page.shortcut_headline(verdict.shortcut)
        print(f"  SHORTCUT  {told}, without a look at the picture:")
        print(f"            {verdict_page.shortcut_in_words(verdict.shortcut)}")
    for finding in verdict.broken("warn"):
        if finding.name != "shortcut":
            print(f"  warning   {finding.name}: {finding.observed}, wanted {finding.wanted}")
    reasons = aside["reason"].where(aside["readable"].astype(bool), "could not be read")
    for reason, count in reasons.value_counts().items():
        print(f"  aside     {count} {reason}")
    if facts.drift:
        print(f"  changes   {facts.drift.in_words()}")
    print(f"  see       {where / PAGE}")


def _explain(verdict: suite.Verdict, where: Path) -> str:
    lines = [f"the images of task {verdict.task!r} are not good enough to train on:"]
    lines += [f"  {f.name}: {f.observed}, wanted {f.wanted}" for f in verdict.broken("error")]
    lines.append(f"see {where / PAGE} (with pictures) and {where / QUARANTINE};")
    lines.append(f"mend the images, or change validate or tasks.{verdict.task}.validate")
    return "\n".join(lines)
