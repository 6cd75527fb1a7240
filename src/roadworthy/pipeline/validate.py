"""validate: judge the manifest, set bad rows aside, stop the road when the data are not good enough."""

from pathlib import Path

import pandas as pd

from roadworthy.errors import VerdictError
from roadworthy.layout import folder, needed, replacing, write_json
from roadworthy.params import TaskPlan
from roadworthy.pipeline.index import MANIFEST
from roadworthy.quality import suite, triage

CLEAN = "clean.parquet"
QUARANTINE = "quarantine.csv"
VERDICT = "verdict.json"


def run(plan: TaskPlan) -> None:
    """Write the verdict, Data Docs, the usable rows and the quarantine.

    Raises:
        VerdictError: an `error` expectation is broken. What was found is then in
            `artifacts/TASK/refused`, and the results of the last good run stay.
    """
    manifest = pd.read_parquet(needed(plan.name, "index") / MANIFEST)
    clean, aside = triage.triage(manifest, plan)
    figures = triage.summary(manifest, clean, plan)
    stage = folder(plan.name, "validate")
    scratch = stage.with_name("refused")
    with replacing(scratch) as out:
        verdict = suite.judge(plan.name, clean, figures, plan.validation, out / "data_docs")
        clean.to_parquet(out / CLEAN, index=False)
        aside.to_csv(out / QUARANTINE, index=False)
        write_json(out / VERDICT, verdict.as_dict())
    _report(verdict, aside)
    if not verdict.passed:
        raise VerdictError(_explain(verdict, scratch))
    with replacing(stage) as out:
        out.rmdir()
        scratch.rename(out)


def _report(verdict: suite.Verdict, aside: pd.DataFrame) -> None:
    print(f"validate {verdict.task}: {verdict.usable} of {verdict.images} images can be used")
    for reason, count in aside["reason"].value_counts().items():
        print(f"  set aside: {count} {reason}")
    for finding in verdict.broken("warn"):
        print(f"  warning: {finding.name}: {finding.observed}, wanted {finding.wanted}")


def _explain(verdict: suite.Verdict, where: Path) -> str:
    lines = [f"the images of task {verdict.task!r} are not good enough to train on:"]
    lines += [f"  {f.name}: {f.observed}, wanted {f.wanted}" for f in verdict.broken("error")]
    lines.append(f"see {where / QUARANTINE} and {where / 'data_docs' / 'index.html'};")
    lines.append(f"mend the images, or change validate or tasks.{verdict.task}.validate")
    return "\n".join(lines)
