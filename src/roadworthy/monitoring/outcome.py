"""What a look at live traffic came to, and what should happen next."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from roadworthy.monitoring.evidence import Judgement
from roadworthy.monitoring.state import Started

Wants = Literal["nothing", "retrain", "labels"]
REFUSED = "refused"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """An image whose label would teach much."""

    id: str
    """Of the answer: `/feedback` takes it."""
    sha256: str
    answered: str
    probability: float
    at: str
    """When it was answered; UTC, ISO 8601."""
    file: Path | None
    """Beside its `labels.csv`; None where the service keeps no images."""


@dataclass(frozen=True, kw_only=True)
class Monitored:
    """A judged window of one task's traffic."""

    task: str
    version: int | None
    """Of the champion that answered, in the registry."""
    digest: str
    """Of its bundle."""
    judgement: Judgement
    since: datetime
    until: datetime
    """Of the images that were looked at."""
    images: int
    asked: tuple[Asked, ...]
    """Best first; only where labels are wanted."""
    new_labels: int
    """Labelled images that the champion was not made with."""
    wants: Wants
    advice: str
    """What to do next, for people."""
    page: Path

    @property
    def alarms(self) -> tuple[str, ...]:
        """Names of the tests that raised one."""
        return tuple(test.name for test in self.judgement.tests if test.alarm)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        plain = asdict(self) | {"alarms": self.alarms, "page": str(self.page)}
        plain |= {"since": self.since.isoformat(), "until": self.until.isoformat()}
        plain["asked"] = [
            asdict(one) | {"file": str(one.file) if one.file else None} for one in self.asked
        ]
        return plain


def decide(
    judgement: Judgement,
    new_labels: int,
    least_new: int,
    started: Sequence[Started],
    until: datetime,
    cooldown_hours: float,
) -> tuple[Wants, str]:
    """What should happen next, and why, for people.

    Labels that were asked for do not keep a walk from starting once they have come.

    Args:
        new_labels: labelled images that the champion was not made with.
        least_new: of these, how many are worth a walk.
        started: what was started before.
        until: the moment that is judged.
        cooldown_hours: in which nothing is started again.
    """
    if not judgement.drifted:
        return "nothing", "Nothing needs to be done." if judgement.enough else "Wait for more."
    if [test.name for test in judgement.tests if test.alarm] == [REFUSED]:
        return "nothing", (
            "Look at why requests are refused: what is not answered cannot be learned from."
        )
    wants: Wants = "retrain" if new_labels >= least_new else "labels"
    same = ("retrain",) if wants == "retrain" else ("retrain", "labels")
    recent = [one for one in started if one.what in same and one.until < until]
    last = max(recent, key=lambda one: one.until, default=None)
    if last and until < (again := last.until + timedelta(hours=cooldown_hours)):
        word = "Training was started" if last.what == "retrain" else "Labels were asked for"
        return "nothing", f"{word} {moment(last.until)}; not again before {moment(again)}."
    if wants == "retrain":
        return wants, f"Train again: {new_labels} labelled images are new since the champion."
    missing = f"{new_labels} labelled images are new, {least_new} are wanted for training."
    return wants, f"Labels are wanted: {missing}"


def moment(when: datetime) -> str:
    """As people read it, to the minute."""
    return f"{when:%Y-%m-%d %H:%M}"
