"""promote: judge the exported bundle against the champion, on the same test images, now.

No stored score is believed. A tie keeps the champion, and so does whatever goes wrong: then every
alias is put back where it was, the failure is written down, and the error goes on.
"""

import hashlib
import json
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
from filelock import FileLock, Timeout
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score

from roadworthy import layout
from roadworthy.bundle import format as bundle_format
from roadworthy.bundle.predictor import Predictor
from roadworthy.errors import BundleError, DataError, ParamsError, RoadworthyError, TrackingError
from roadworthy.evaluation.compare import Comparison, compare
from roadworthy.params import Promote, TaskPlan
from roadworthy.tracking import fields, history, lineage, registry, store
from roadworthy.tracking.history import Decision, Verdict
from roadworthy.tracking.registry import CHALLENGER, CHAMPION, PREVIOUS, Version
from roadworthy.tracking.runs import RunLog

LOCKS = Path(".cache")
FIGURES = ("accuracy", "balanced_accuracy", "macro_f1")
IMAGES_AT_ONCE = 256
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Measured:
    """How one bundle did on the test images."""

    correct: np.ndarray
    """Bool, one per row."""
    figures: dict[str, float]


def promote(plan: TaskPlan) -> Decision:
    """Register the exported bundle as challenger, and make it champion if it has earned that.

    Without a champion it must reach `promote.floors`; otherwise it must be better, on the same
    rows, by more than `promote.margin`. The decision goes to `artifacts/TASK/promote/` and to the
    history.

    Raises:
        RoadworthyError: it could not be judged. No alias has moved, and a `failed` decision is in
            the history if the store can be reached.
    """
    with _alone(plan.name):
        try:
            decision = _judge(plan)
        except BaseException as error:
            _record_failure(plan.name, error)
            if isinstance(error, RoadworthyError) or not isinstance(error, Exception):
                raise
            raise RoadworthyError(
                f"the promotion of {plan.name} failed ({type(error).__name__}): "
                f"{store.one_line(error)}"
            ) from error
        _write(decision)
        return decision


def measure(folder: Path, rows: pd.DataFrame) -> Measured:
    """Answer the image files of `rows` (columns path and label) with the bundle in `folder`.

    Raises:
        DataError: an image cannot be used.
    """
    predictor = Predictor(folder)
    answers: list[str] = []
    paths = rows["path"].tolist()
    for start in range(0, len(paths), IMAGES_AT_ONCE):
        pixels = np.stack(
            [_prepared(predictor, path) for path in paths[start : start + IMAGES_AT_ONCE]]
        )
        answers += [predictor.answer(row).label for row in predictor.probabilities(pixels)]
    given, labels = np.array(answers, dtype=str), rows["label"].to_numpy(dtype=str)
    with warnings.catch_warnings():
        # An answer that is no label of the test rows is simply wrong.
        warnings.filterwarnings("ignore", "y_pred contains classes not in y_true", UserWarning)
        figures = {
            "accuracy": float(accuracy_score(labels, given)),
            "balanced_accuracy": float(balanced_accuracy_score(labels, given)),
            "macro_f1": float(f1_score(labels, given, average="macro", zero_division=0)),
        }
    return Measured(given == labels, figures)


def _judge(plan: TaskPlan) -> Decision:
    task = plan.name
    _check(plan.promote, task)
    folder = layout.needed(task, "export")
    rows = _test_rows(task)
    spec, digest = bundle_format.read_spec(folder), bundle_format.digest(folder)
    if spec.task != task:
        raise BundleError(f"{folder} is a bundle of {spec.task!r}, not of {task!r}")
    before = {alias: registry.by_alias(task, alias) for alias in registry.ALIASES}
    champion = before[CHAMPION]
    if champion is not None and champion.digest == digest:
        return _unchanged(before, champion)
    try:
        run = _run(plan, digest)
        uri = run.bundle(folder)
        challenger = registry.register(task, uri, run.run_id, digest, metrics=spec.metrics)
        registry.move(task, CHALLENGER, challenger)
        # The registered copy is judged: it is what will be served.
        decision = _decide(plan.promote, champion, challenger, rows)
        if decision.decision == "promoted":
            _hand_over(decision, champion, challenger)
        else:
            history.append(decision)
    except BaseException:
        _put_back(task, before)
        raise
    return decision


def _decide(
    settings: Promote, champion: Version | None, challenger: Version, rows: pd.DataFrame
) -> Decision:
    new = measure(registry.bundle_folder(challenger), rows)
    if champion is None:
        verdict, reason = _against_floors(settings, new)
        metrics = _named("challenger", new) | {"rows": float(len(rows))}
    else:
        old = measure(registry.bundle_folder(champion), rows)
        difference = compare(old.correct, new.correct)
        verdict, reason = _against_champion(settings, difference)
        metrics = _named("challenger", new) | _named("champion", old) | _figures(difference)
    return _decision(challenger.task, verdict, reason, champion, challenger, metrics)


def _against_floors(settings: Promote, new: Measured) -> tuple[Verdict, str]:
    missed = [
        f"{name} {new.figures[name]:.4f} is under {floor:.4f}"
        for name, floor in settings.floors.items()
        if not new.figures[name] >= floor
    ]
    if missed:
        return "refused", f"There is no champion yet, and {' and '.join(missed)}."
    return "promoted", "The first champion; it reaches every floor."


def _against_champion(settings: Promote, found: Comparison) -> tuple[Verdict, str]:
    numbers = (
        f"accuracy {found.challenger:.4f} against {found.champion:.4f} on {found.rows} images, "
        f"difference {found.difference:+.4f} (95 % interval {found.low:+.4f} to {found.high:+.4f})"
    )
    if found.wins > found.losses and found.difference > settings.margin:
        return "promoted", f"Better: {numbers}."
    word = "A tie" if found.wins == found.losses else "Not better"
    return "refused", f"{word} by more than {settings.margin:g}: {numbers}."


def _hand_over(decision: Decision, champion: Version | None, challenger: Version) -> None:
    """Move the aliases so that there is a champion at every moment in between."""
    if champion is not None:
        registry.move(decision.task, PREVIOUS, champion)
    registry.move(decision.task, CHAMPION, challenger)
    history.append(decision)
    # Last: a challenger that is champion marks a promotion that was cut off before its end.
    registry.move(decision.task, CHALLENGER, None)


def _unchanged(before: Mapping[str, Version | None], champion: Version) -> Decision:
    """The champion was exported again; completes its promotion if that was cut off."""
    if before[CHALLENGER] != champion:
        return _decision(champion.task, "unchanged", "It is the champion.", champion, champion, {})
    reason = "The promotion of this version had been interrupted; it is now complete."
    previous = before[PREVIOUS]
    decision = _decision(champion.task, "promoted", reason, previous, champion, {})
    history.append(decision)
    registry.move(champion.task, CHALLENGER, None)
    return decision


def _put_back(task: str, before: Mapping[str, Version | None]) -> None:
    for alias in (CHAMPION, PREVIOUS, CHALLENGER):
        try:
            registry.move(task, alias, before[alias])
        except TrackingError as error:
            log.error("%s", error)


def _run(plan: TaskPlan, digest: str) -> RunLog:
    """The run that made the bundle; written anew where this store does not know it."""
    if run := RunLog.of_bundle(plan.name, digest):
        return run
    stage = layout.needed(plan.name, "train")
    weights = hashlib.sha256((stage / "model.safetensors").read_bytes()).hexdigest()
    if run := RunLog.find(plan.name, weights):
        return run
    made_from = json.loads((stage / "train.json").read_text(encoding="utf-8"))["backbone"]
    return RunLog.restore(
        plan.name,
        weights=weights,
        params=plan.as_dict(),
        lineage=lineage.collect(lineage.params_hash(plan), made_from),
        history=pd.read_csv(stage / "history.csv"),
    )


def _test_rows(task: str) -> pd.DataFrame:
    path = layout.needed(task, "split") / "split.parquet"
    table = pd.read_parquet(path, columns=["path", "label", "split"])
    rows = table[table["split"] == "test"]
    if rows.empty:
        raise DataError(f"{path} has no test rows: nothing can be judged")
    return rows


def _prepared(predictor: Predictor, path: str) -> np.ndarray:
    try:
        return predictor.prepare(path)
    except DataError as error:
        raise DataError(f"test image {path}: {error}") from None


def _check(settings: Promote, task: str) -> None:
    unknown = sorted(set(settings.floors) - set(FIGURES))
    if unknown:
        raise ParamsError(
            f"{task}: promote.floors names {', '.join(unknown)}; known are {', '.join(FIGURES)}"
        )
    if settings.metric != "accuracy":
        raise ParamsError(
            f"{task}: promote.metric is {settings.metric!r}; two models are compared by accuracy"
        )


def _named(who: str, measured: Measured) -> dict[str, float]:
    return {f"{who}/{name}": value for name, value in measured.figures.items()}


def _figures(found: Comparison) -> dict[str, float]:
    return {
        "difference": found.difference,
        "difference_low": found.low,
        "difference_high": found.high,
        "wins": float(found.wins),
        "losses": float(found.losses),
        "rows": float(found.rows),
    }


def _decision(
    task: str,
    verdict: Verdict,
    reason: str,
    old: Version | None,
    new: Version | None,
    metrics: dict[str, float],
) -> Decision:
    return Decision(
        task=task,
        decision=verdict,
        reason=reason,
        from_version=old.number if old else None,
        to_version=new.number if new else None,
        when=datetime.now(UTC).isoformat(timespec="milliseconds"),
        who=fields.user(),
        digest=new.digest if new else None,
        metrics=metrics,
    )


def _record_failure(task: str, error: BaseException) -> None:
    """Write a `failed` decision here, and into the history where the store can be reached."""
    reason = f"{type(error).__name__}: {store.one_line(error)}"
    champion = None
    try:
        champion = registry.champion(task)
        history.append(_decision(task, "failed", reason, champion, None, {}))
    except TrackingError as unreachable:
        log.error("the failure is not in the promotion history: %s", unreachable)
    _write(_decision(task, "failed", reason, champion, None, {}))


def _write(decision: Decision) -> None:
    with layout.replacing(layout.folder(decision.task, "promote")) as out:
        layout.write_json(out / "decision.json", decision.as_dict())
        (out / "decision.md").write_text(_page(decision), encoding="utf-8")


def _page(decision: Decision) -> str:
    lines = [
        f"# {decision.task}: {decision.decision}",
        "",
        decision.reason,
        "",
        f"- champion before: {decision.from_version or 'none'}",
        f"- judged: {decision.to_version or 'none'}",
        f"- {decision.when}, {decision.who}",
    ]
    if decision.metrics:
        lines += ["", "| measured | value |", "|---|---:|"]
        lines += [f"| {name} | {value:.4f} |" for name, value in decision.metrics.items()]
    return "\n".join(lines) + "\n"


@contextmanager
def _alone(task: str) -> Iterator[None]:
    """One promotion of a task at a time on this machine; a lock of a process that died is void."""
    LOCKS.mkdir(exist_ok=True)
    try:
        with FileLock(LOCKS / f"promote-{task}.lock", timeout=0):
            yield
    except Timeout:
        raise TrackingError(
            f"another promotion of {task} is running on this machine: wait for it"
        ) from None
