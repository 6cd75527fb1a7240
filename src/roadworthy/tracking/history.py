"""The promotion history: who decided what, when and why. Lines are added, never changed.

Each decision is one finished MLflow run of the experiment `roadworthy-promotions`, in the store of
the registry; its tags carry the whole record, and `decision.json` is there for people to read.
"""

import json
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Literal

from mlflow.entities import Run

from roadworthy.tracking import store

EXPERIMENT = "roadworthy-promotions"
RECORD = "roadworthy.decision"
PAGE = 1000
# Longest tag that every store takes is 5000 characters.
LONGEST = 1000
Verdict = Literal["promoted", "refused", "unchanged", "failed", "rolled_back"]


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

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


def append(decision: Decision) -> None:
    """Add one line.

    Raises:
        TrackingError: the store cannot be reached or refuses.
    """
    experiment = store.experiment(EXPERIMENT)
    client = store.client()
    moment = int(datetime.fromisoformat(decision.when).timestamp() * 1000)
    with store.asking(f"the decision about {decision.task} could not be recorded"):
        # The record is complete with this one request; what follows is for people.
        run = client.create_run(
            experiment,
            start_time=moment,
            tags=_tags(decision),
            run_name=f"{decision.task}-{decision.decision}",
        )
        client.log_dict(run.info.run_id, decision.as_dict(), "decision.json")
        client.set_terminated(run.info.run_id, "FINISHED")


def read(task: str | None = None) -> list[Decision]:
    """The decisions, oldest first, about `task` or about all.

    Raises:
        TrackingError: the store cannot be reached.
    """
    experiment = store.find_experiment(EXPERIMENT)
    if experiment is None:
        return []
    client = store.client()
    condition = f"tags.task = '{task}'" if task else ""
    found: list[Run] = []
    token: str | None = None
    with store.asking("the promotion history cannot be read"):
        while True:
            page = client.search_runs(
                [experiment],
                condition,
                max_results=PAGE,
                order_by=["attributes.start_time ASC"],
                page_token=token,
            )
            found += page
            token = page.token
            if not token:
                break
    return [Decision(**json.loads(run.data.tags[RECORD])) for run in found]


def _tags(decision: Decision) -> dict[str, str]:
    return {
        "task": decision.task,
        "decision": decision.decision,
        "from": str(decision.from_version or ""),
        "to": str(decision.to_version or ""),
        "who": decision.who,
        "reason": decision.reason[:LONGEST],
        "mlflow.user": decision.who,
        "mlflow.note.content": decision.reason[:LONGEST],
        RECORD: json.dumps(decision.as_dict(), sort_keys=True),
    }
