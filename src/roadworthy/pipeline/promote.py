"""promote: judge a model against the champion, on the same test images, now.

No stored score is believed. A tie keeps the champion, and so does whatever goes wrong: then no
alias has moved, the failure is written down, and the error goes on.
"""

import hashlib
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property

from roadworthy import layout
from roadworthy.bundle import format as bundle_format
from roadworthy.bundle.format import Lineage
from roadworthy.errors import BundleError, OvertakenError, RoadworthyError, TrackingError
from roadworthy.gate import pages, rules
from roadworthy.gate.evidence import Evidence, drive
from roadworthy.gate.rules import Ruling
from roadworthy.params import TaskPlan
from roadworthy.pipeline import record, train
from roadworthy.pipeline.course import course, model_of, registered_by
from roadworthy.progress import bar
from roadworthy.tracking import fields, handover, history, lineage, registry, store
from roadworthy.tracking.history import Decision, Verdict
from roadworthy.tracking.registry import CHALLENGER, Version
from roadworthy.tracking.runs import RunLog

# How often a champion may change under our hands before we give up.
ATTEMPTS = 5
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Judged:
    """A decision and what it rests on."""

    decision: Decision
    evidence: Evidence | None = None
    rulings: Sequence[Ruling] = ()
    metric: str = ""

    @cached_property
    def texts(self) -> dict[str, str]:
        """The pages, by file name."""
        d = self.decision
        title = f"{d.task}: {d.decision}"
        facts = {
            "champion before": _numbered(d.from_version),
            "judged": _numbered(d.to_version),
            "when": d.when,
            "who": d.who,
            **d.evidence,
        }
        page = pages.html(
            title, d.decision, d.reason, facts, self.rulings, self.evidence, self.metric
        )
        return {
            "decision.md": pages.markdown(title, d.reason, facts, self.rulings),
            "decision.html": page,
        }


def promote(plan: TaskPlan, run_id: str | None = None, force: str = "") -> Decision:
    """Judge the exported bundle, or that of a run, and make it champion if it passes every rule.

    The decision goes to `artifacts/TASK/promote/` and to the history. When another promotion was
    faster, the challenger is judged again, against the new champion.

    Args:
        run_id: an MLflow run; its model is judged instead of the exported bundle.
        force: a reason to promote although rules fail; it is recorded, and marks the version.

    Raises:
        RoadworthyError: it could not be judged. No alias has moved, and a `failed` decision is in
            the history if the store can be reached.
    """
    try:
        for _ in range(ATTEMPTS):
            try:
                return _written(_judge(plan, run_id, force))
            except OvertakenError as overtaken:
                log.warning("%s: judging again", overtaken)
        raise TrackingError(f"the champion of {plan.name} changed {ATTEMPTS} times: try again")
    except BaseException as error:
        _record_failure(plan.name, error)
        if isinstance(error, RoadworthyError) or not isinstance(error, Exception):
            raise
        raise RoadworthyError(
            f"the promotion of {plan.name} failed ({type(error).__name__}): {store.one_line(error)}"
        ) from error


def _judge(plan: TaskPlan, run_id: str | None, force: str) -> Judged:
    task = plan.name
    rules.check(plan.promote)
    road = course(plan)
    handover.recover(task)
    champion = registry.champion(task)
    challenger, origin = _challenger(plan, run_id)
    if champion is not None and champion.digest == challenger.digest:
        return Judged(_decision("unchanged", "It is the champion.", champion, champion))
    registry.move(task, CHALLENGER, challenger)
    with bar(f"promote {task}") as progress:
        # The registered copies are judged: they are what will be served.
        before = model_of(champion) if champion else None
        found = drive(road, model_of(challenger), before, progress)
    evidence = replace(
        found,
        verdict=_verdict(task),
        lineage=origin,
        uncommitted=lineage.uncommitted(),
        withdrawn=handover.withdrawn(task).get(challenger.number),
    )
    rulings = rules.judge(evidence, plan.promote)
    failed = [ruling for ruling in rulings if not ruling.passed]
    word: Verdict = "promoted" if not failed else "forced" if force else "refused"
    decision = replace(
        _decision(word, _reason(rulings, failed, force), champion, challenger),
        metrics=_metrics(evidence),
        rules=[ruling.as_dict() for ruling in rulings],
        evidence=_evidence(evidence, origin, champion),
        forced=force if word == "forced" else None,
    )
    judged = Judged(decision, evidence, rulings, plan.promote.metric)
    if word == "refused":
        history.append(decision, judged.texts)
    else:
        handover.hand_over(decision, champion, challenger, judged.texts)
    return judged


def _challenger(plan: TaskPlan, run_id: str | None) -> tuple[Version, Lineage]:
    """The registered challenger and where it came from."""
    if run_id is not None:
        run = RunLog(plan.name, run_id)
        return registered_by(run), run.lineage()
    folder = layout.needed(plan.name, "export")
    spec, digest = bundle_format.read_spec(folder), bundle_format.digest(folder)
    if spec.task != plan.name:
        raise BundleError(f"{folder} is a bundle of {spec.task!r}, not of {plan.name!r}")
    run = RunLog.of_bundle(plan.name, digest) or record.run_of(plan, train.made(plan))
    uri = run.bundle(folder, _card(plan.name))
    origin = run.lineage()
    version = registry.register(
        plan.name,
        uri,
        run.run_id,
        digest,
        tags=registry.lineage_tags(origin),
        metrics=spec.metrics,
        card=run.card() or _card(plan.name),
    )
    return version, origin


def _card(task: str) -> str:
    path = layout.folder(task, "evaluate") / bundle_format.CARD
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _verdict(task: str) -> str:
    passed = layout.read_json(layout.folder(task, "validate") / "verdict.json")["passed"]
    return "passed" if passed is True else "failed"


def _reason(rulings: Sequence[Ruling], failed: Sequence[Ruling], force: str) -> str:
    shown = "; ".join(f"{r.rule}: {r.figure} ({r.limit})" for r in failed)
    if failed and force:
        return f"Forced: {force} (against {shown})."
    if failed:
        return f"{len(failed)} of {len(rulings)} rules failed: {shown}."
    first = rulings[0]
    return f"All {len(rulings)} rules passed; {first.rule}: {first.figure} ({first.limit})."


def _metrics(evidence: Evidence) -> dict[str, float]:
    sides = {"challenger": evidence.challenger, "champion": evidence.champion}
    return {
        f"{who}/{name}": round(value, 6)
        for who, side in sides.items()
        if side is not None
        for name, value in side.figures.items()
        if math.isfinite(value)
    } | {"rows": float(len(evidence.rows))}


def _evidence(evidence: Evidence, origin: Lineage, champion: Version | None) -> dict[str, str]:
    images = "\n".join(sorted(evidence.rows["sha256"]))
    known = {
        "commit": origin.git_commit,
        "data": origin.data_version,
        "run": origin.run_id,
        "champion digest": champion.digest[:16] if champion else None,
        "test images": f"{len(evidence.rows)}, {hashlib.sha256(images.encode()).hexdigest()[:16]}",
    }
    return {name: value for name, value in known.items() if value}


def _decision(
    verdict: Verdict, reason: str, old: Version | None, new: Version | None, task: str = ""
) -> Decision:
    return Decision(
        task=new.task if new else task,
        decision=verdict,
        reason=reason,
        from_version=old.number if old else None,
        to_version=new.number if new else None,
        when=datetime.now(UTC).isoformat(timespec="milliseconds"),
        who=fields.user(),
        digest=new.digest if new else None,
    )


def _record_failure(task: str, error: BaseException) -> None:
    """Write a `failed` decision here, and into the history where the store can be reached."""
    reason = f"{type(error).__name__}: {store.one_line(error)}"
    champion = None
    try:
        champion = registry.champion(task)
        history.append(_decision("failed", reason, champion, None, task))
    except TrackingError as unreachable:
        log.error("the failure is not in the promotion history: %s", unreachable)
    _written(Judged(_decision("failed", reason, champion, None, task)))


def _written(judged: Judged) -> Decision:
    with layout.replacing(layout.folder(judged.decision.task, "promote")) as out:
        layout.write_json(out / "decision.json", judged.decision.as_dict())
        for name, text in judged.texts.items():
            (out / name).write_text(text, encoding="utf-8")
    return judged.decision


def _numbered(version: int | None) -> str:
    return str(version) if version else "none"
