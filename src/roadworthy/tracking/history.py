"""The promotion history: who decided what, when and why. Lines are added, never changed.

Each decision is one MLflow run of the experiment `roadworthy-promotions`, in the store of the
registry; its tags carry the whole record, and its files are there for people to read. A decision
that moves aliases is written before they move: until then its run is RUNNING (pending), then it is
FINISHED, or KILLED if it came to nothing. Runs that were deleted in MLflow still count.
"""

import json
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Any, Literal

from mlflow.entities import Run, ViewType

from roadworthy.errors import TrackingError
from roadworthy.tracking import store

EXPERIMENT = "roadworthy-promotions"
RECORD = "roadworthy.decision"
SEQUENCE = "roadworthy.sequence"
ENTRY = "roadworthy.entry"
PAGE = 1000
# Longest tag that every store takes is 5000 characters; some cut longer ones without a word.
LONGEST = 4000
DIGITS = 10
Verdict = Literal["promoted", "forced", "refused", "unchanged", "failed", "rolled_back"]
MOVING = frozenset({"promoted", "forced", "rolled_back"})
"""Verdicts that make another version champion."""


@dataclass(frozen=True)
class Decision:
    """What was decided about a challenger."""

    task: str
    decision: Verdict
    reason: str
    """A sentence for people."""
    from_version: int | None
    """The champion before."""
    to_version: int | None
    """The version that was judged; None when it did not come to that."""
    when: str
    """UTC, ISO 8601."""
    who: str
    digest: str | None = None
    """Of the bundle that was judged."""
    metrics: dict[str, float] = field(default_factory=dict)
    """Measured for this decision: `challenger/accuracy`, `champion/accuracy`, `difference` ..."""
    rules: list[dict[str, Any]] = field(default_factory=list)
    """Of the gate: each one's name, figure, limit, passed and words."""
    evidence: dict[str, str] = field(default_factory=dict)
    """What was judged, and by what: commit, data version, run id ..."""
    forced: str | None = None
    """Why the rules were set aside."""

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Entry:
    """A decision and its run."""

    decision: Decision
    run_id: str
    pending: bool
    """Its aliases may have moved or not."""


def append(decision: Decision, pages: Mapping[str, str] | None = None) -> None:
    """Add one line, about aliases that do not move or have moved.

    Args:
        pages: texts by file name, such as `decision.html`, kept beside `decision.json`.

    Raises:
        TrackingError: the store cannot be reached or refuses.
    """
    settle(begin(decision, pages))


def begin(decision: Decision, pages: Mapping[str, str] | None = None) -> str:
    """Write a decision down before its aliases move; gives the id of its run.

    Whoever moves aliases holds the task's claim, so that no two of these have one number.
    """
    experiment = store.experiment(EXPERIMENT)
    client = store.client()
    moment = int(datetime.fromisoformat(decision.when).timestamp() * 1000)
    with store.asking(f"the decision about {decision.task} could not be recorded"):
        # The record is complete with this one request; what follows is for people.
        run = client.create_run(
            experiment,
            start_time=moment,
            tags={
                **_tags(decision),
                SEQUENCE: f"{_latest(experiment) + 1:0{DIGITS}}",
                ENTRY: uuid.uuid4().hex,
            },
            run_name=f"{decision.task}-{decision.decision}",
        )
        run_id = str(run.info.run_id)
        client.log_dict(run_id, decision.as_dict(), "decision.json")
        for name, text in (pages or {}).items():
            client.log_text(run_id, text, name)
    return run_id


def settle(run_id: str) -> None:
    """The decision was carried out."""
    _end(run_id, "FINISHED")


def void(run_id: str) -> None:
    """The decision came to nothing; it stays on record, and `read` leaves it out."""
    _end(run_id, "KILLED")


def read(task: str | None = None) -> list[Decision]:
    """The decisions that count, oldest first, about `task` or about all.

    Raises:
        TrackingError: the store cannot be reached.
    """
    return [entry.decision for entry in entries(task) if not entry.pending]


def pending(task: str | None = None) -> list[Decision]:
    """Decisions that are being carried out, or were when a process died."""
    return [entry.decision for entry in entries(task) if entry.pending]


def entries(task: str | None = None) -> list[Entry]:
    """All decisions but the void ones, oldest first.

    The order is that of a number which is read when a decision is written, so that no clock of any
    machine can turn cause and effect around.

    Raises:
        TrackingError: the store cannot be reached, or somebody deleted the experiment.
    """
    client = store.client()
    with store.asking("the promotion history cannot be read"):
        experiment = client.get_experiment_by_name(EXPERIMENT)
        if experiment is None:
            return []
        if experiment.lifecycle_stage != "active":
            raise TrackingError(
                f"the promotion history was deleted in MLflow: "
                f"`mlflow experiments restore -x {experiment.experiment_id}` brings it back"
            )
        found: list[Run] = []
        token: str | None = None
        while True:
            page = client.search_runs(
                [experiment.experiment_id],
                f"tags.task = '{task}'" if task else "",
                ViewType.ALL,
                PAGE,
                page_token=token,
            )
            found += page
            token = page.token
            if not token:
                break
    ours = [run for run in found if RECORD in run.data.tags]
    return [_entry(run) for run in _single(ours) if run.info.status != "KILLED"]


def _end(run_id: str, status: str) -> None:
    with store.asking(f"the decision {run_id} cannot be marked {status}"):
        store.client().set_terminated(run_id, status)


def _latest(experiment: str) -> int:
    order = [f"tags.`{SEQUENCE}` DESC"]
    last = store.client().search_runs([experiment], "", ViewType.ALL, 1, order)
    return _sequence(last[0]) if last else 0


def _sequence(run: Run) -> int:
    """0 of records that are older than the numbers."""
    return int(run.data.tags.get(SEQUENCE, 0))


def _order(run: Run) -> tuple[int, int, str]:
    return _sequence(run), run.info.start_time, run.info.run_id


def _single(found: list[Run]) -> list[Run]:
    """In order, without doubles: MLflow repeats a request to a server whose answer was lost."""
    runs: dict[str, Run] = {}
    for run in sorted(found, key=_order):
        entry = run.data.tags.get(ENTRY, run.info.run_id)
        if entry not in runs or runs[entry].info.status == "RUNNING":
            runs[entry] = run
    return list(runs.values())


def _entry(run: Run) -> Entry:
    values = json.loads("".join(_parts(run.data.tags)))
    known = {one.name for one in fields(Decision)}
    decision = Decision(**{key: value for key, value in values.items() if key in known})
    # Where nothing moves, the record alone is the whole decision.
    moving = run.info.status == "RUNNING" and decision.decision in MOVING
    return Entry(decision, run.info.run_id, moving)


def _parts(tags: Mapping[str, str]) -> list[str]:
    """The record in the order of its tags: `roadworthy.decision`, then `.1`, `.2` ..."""
    parts = [tags[RECORD]]
    while (name := f"{RECORD}.{len(parts)}") in tags:
        parts.append(tags[name])
    return parts


def _tags(decision: Decision) -> dict[str, str]:
    text = json.dumps(decision.as_dict(), sort_keys=True)
    parts = [text[start : start + LONGEST] for start in range(0, len(text), LONGEST)]
    return {
        "task": decision.task,
        "decision": decision.decision,
        "from": str(decision.from_version or ""),
        "to": str(decision.to_version or ""),
        "who": decision.who,
        "reason": decision.reason[:LONGEST],
        "mlflow.user": decision.who,
        "mlflow.note.content": decision.reason[:LONGEST],
        **{RECORD + (f".{place}" if place else ""): part for place, part in enumerate(parts)},
    }
