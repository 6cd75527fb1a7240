"""promote: judge a model against the champion, on the same test images, now.

No stored score is believed. A tie keeps the champion, and so does whatever goes wrong: then neither
`champion` nor `previous` has moved, the failure is written down, and the error goes on.
"""

import hashlib
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property

from roadworthy import layout, params
from roadworthy.bundle import format as bundle_format
from roadworthy.bundle.format import Lineage
from roadworthy.errors import (
    BundleError,
    DataError,
    OvertakenError,
    RoadworthyError,
    StaleError,
    TrackingError,
)
from roadworthy.gate import pages, rules
from roadworthy.gate.evidence import Evidence, Model, check_question, drive
from roadworthy.gate.rules import Ruling
from roadworthy.params import Promote, TaskPlan
from roadworthy.pipeline import record, train
from roadworthy.pipeline.course import course, model_of
from roadworthy.progress import bar
from roadworthy.tracking import fields, handover, history, lineage, registry, store
from roadworthy.tracking.claim import claim
from roadworthy.tracking.history import Decision, Verdict
from roadworthy.tracking.registry import CHALLENGER, Version
from roadworthy.tracking.runs import RunLog

# How often a champion may change under our hands before we give up.
ATTEMPTS = 5
LONGEST_REASON = 1000
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Judged:
    """A decision and what it rests on."""

    plan: TaskPlan | None
    """None where there is no evidence either."""
    decision: Decision
    evidence: Evidence | None = None
    rulings: Sequence[Ruling] = ()

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
        settings = self.plan.promote if self.plan else Promote()
        page = pages.html(title, d.decision, d.reason, facts, self.rulings, self.evidence, settings)
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
        force: a reason to promote although rules fail, or although the champion cannot be run; it is
            recorded, and marks the version.

    Raises:
        RoadworthyError: it could not be judged, or a figure is missing. The champion stays, and a
            `failed` decision is in the history if the store can be reached. Or it was judged, and
            only the files could not be written; the message says which.
    """
    judged = _settled(plan, run_id, " ".join(force.split())[:LONGEST_REASON])
    decision = judged.decision
    try:
        _write(judged)
    except OSError as error:
        # What happened has happened: a full disk here is not a failed promotion.
        raise RoadworthyError(
            f"{plan.name} is {decision.decision}, and the history has it, but "
            f"{layout.folder(plan.name, 'promote')} cannot be written ({error.strerror})"
        ) from error
    return decision


def _settled(plan: TaskPlan, run_id: str | None, force: str) -> Judged:
    """The decision, carried out; whatever goes wrong is written down."""
    try:
        for _ in range(ATTEMPTS):
            try:
                return _judge(plan, run_id, force)
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
    _check_current(plan)
    road = course(plan)
    handover.recover(task)
    champion = registry.champion(task)
    challenger, origin = _challenger(plan, run_id, champion)
    if champion is not None and champion.digest == challenger.digest:
        return Judged(plan, _decision("unchanged", "It is the champion.", champion, champion))
    # The registered copies are judged: they are what will be served.
    after = model_of(challenger)
    before = _opponent(champion, after, force) if champion else None
    with bar(f"promote {task}") as progress:
        found = drive(road, after, before, progress)
    evidence = replace(
        found,
        verdict=_verdict(task),
        lineage=origin,
        uncommitted=lineage.uncommitted(),
        withdrawn=_withdrawn(task, challenger),
    )
    rulings = rules.judge(evidence, plan.promote)
    failed = [ruling for ruling in rulings if not ruling.passed]
    if not force and any(ruling.missing for ruling in failed):
        raise DataError(f"{challenger.name} cannot be judged: {_shown(failed)}")
    unmet = champion is not None and before is None
    word: Verdict = "forced" if force and (failed or unmet) else "refused" if failed else "promoted"
    decision = replace(
        _decision(word, _reason(rulings, failed, force, unmet), champion, challenger),
        metrics=_metrics(evidence),
        rules=[ruling.as_dict() for ruling in rulings],
        evidence=_evidence(evidence, origin, champion),
        forced=force if word == "forced" else None,
    )
    judged = Judged(plan, decision, evidence, rulings)
    if word == "refused":
        history.append(decision, judged.texts)
    else:
        handover.hand_over(decision, champion, challenger, judged.texts)
    return judged


def _check_current(plan: TaskPlan) -> None:
    """That the rules are those of params.yaml, which is in a commit, not of an older plan.

    Raises:
        StaleError: they are not.
    """
    rules.check(plan.promote)
    now = params.load().task(plan.name)
    if (now.promote, now.evaluate, now.seed) != (plan.promote, plan.evaluate, plan.seed):
        raise StaleError("params.yaml has other rules than the plan: run `dvc repro plan` first")


def _opponent(champion: Version, challenger: Model, force: str) -> Model | None:
    """The champion; None, with `force`, where it cannot be run or answers another question."""
    try:
        found = model_of(champion)
        check_question(found, challenger)
    except (BundleError, DataError) as error:
        if not force:
            raise
        log.warning("%s is not compared with: %s", champion.name, error)
        return None
    return found


def _challenger(
    plan: TaskPlan, run_id: str | None, champion: Version | None
) -> tuple[Version, Lineage]:
    """The registered challenger, with its alias, and where it came from."""
    if run_id is None:
        run, figures = _exported(plan)
    else:
        run = RunLog(plan.name, run_id)
        figures = None
    uri, digest, tested = run.exported()
    origin = run.lineage()
    card = run.card() or _card(plan.name)
    # Under the claim: nobody prunes a version between its being found and its getting the alias.
    with claim(plan.name):
        version = registry.register(
            plan.name,
            uri,
            run.run_id,
            digest,
            tags=registry.lineage_tags(origin),
            metrics=figures or tested,
            card=card,
        )
        if champion is None or champion.digest != digest:
            registry.move(plan.name, CHALLENGER, version)
    return version, origin


def _exported(plan: TaskPlan) -> tuple[RunLog, dict[str, float]]:
    """The run that holds the exported bundle, and the bundle's own figures."""
    folder = layout.needed(plan.name, "export")
    spec, digest = bundle_format.read_spec(folder), bundle_format.digest(folder)
    if spec.task != plan.name:
        raise BundleError(f"{folder} is a bundle of {spec.task!r}, not of {plan.name!r}")
    run = RunLog.of_bundle(plan.name, digest) or record.run_of(plan, train.made(plan))
    run.bundle(folder, _card(plan.name))
    return run, spec.metrics


def _card(task: str) -> str:
    path = layout.folder(task, "evaluate") / bundle_format.CARD
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _verdict(task: str) -> str:
    # A verdict that failed lies beside the results of the last one that passed.
    if (layout.folder(task, "refused") / "verdict.json").is_file():
        return "failed"
    passed = layout.read_json(layout.folder(task, "validate") / "verdict.json")["passed"]
    return "passed" if passed is True else "failed"


def _withdrawn(task: str, challenger: Version) -> str | None:
    """Why this bundle was once rolled back from, also under another number."""
    numbers = handover.withdrawn(task)
    digests = {
        line.digest: numbers[line.to_version]
        for line in history.read(task)
        if line.to_version in numbers and line.decision in ("promoted", "forced")
    }
    return numbers.get(challenger.number) or digests.get(challenger.digest)


def _reason(rulings: Sequence[Ruling], failed: Sequence[Ruling], force: str, unmet: bool) -> str:
    if force and (failed or unmet):
        against = [_shown(failed)] if failed else []
        against += ["the champion could not be compared with"] if unmet else []
        return f"Forced: {force} (against {'; '.join(against)})."
    if failed:
        return f"{len(failed)} of {len(rulings)} rules failed: {_shown(failed)}."
    first = rulings[0]
    return f"All {len(rulings)} rules passed; {first.rule}: {first.figure} ({first.limit})."


def _shown(rulings: Sequence[Ruling]) -> str:
    return "; ".join(f"{r.rule}: {r.figure} ({r.limit})" for r in rulings)


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
    try:
        _write(Judged(None, _decision("failed", reason, champion, None, task)))
    except OSError as full:
        log.error("the failure is not in artifacts/%s/promote: %s", task, full)


def _write(judged: Judged) -> None:
    with layout.replacing(layout.folder(judged.decision.task, "promote")) as out:
        layout.write_json(out / "decision.json", judged.decision.as_dict())
        for name, text in judged.texts.items():
            (out / name).write_text(text, encoding="utf-8")


def _numbered(version: int | None) -> str:
    return str(version) if version else "none"
