"""What drift leads to: an event, a notice, and training again; each once for a judgement."""

from collections.abc import Sequence
from typing import Literal

from roadworthy import environment

# Prefect reads its settings when it is imported.
environment.apply()

from prefect.events import emit_event  # noqa: E402
from prefect.settings import get_current_settings  # noqa: E402

from flows import notify  # noqa: E402
from flows.retrain import retrain  # noqa: E402
from roadworthy.layout import folder  # noqa: E402
from roadworthy.monitoring import state  # noqa: E402
from roadworthy.monitoring.outcome import REFUSED, Monitored  # noqa: E402
from roadworthy.pipeline import monitor as stop  # noqa: E402

DETECTED = "roadworthy.drift.detected"


def act(found: Sequence[Monitored], start: Literal["event", "here"]) -> None:
    """Tell of drift, and start what is wanted; what was started for the same moment is not again.

    A kill before the end leaves what was not started to the next run.
    """
    due = [one for one in found if stop.due(one)]
    for one in found:
        if one.judgement.drifted:
            emit(one)
            if one in due or newly_refused(one):
                notify.notify(*notice(one))
    training = [one for one in due if one.wants == "retrain"]
    try:
        if training and start == "here":
            reasons = [f"{one.task}: {one.judgement.reason}" for one in training]
            retrain([one.task for one in training], reason=" ".join(reasons))
    except Exception:
        # Waits as long as a success: what fails now fails again in an hour.
        _remember(due)
        raise
    _remember(due)


def newly_refused(found: Monitored) -> bool:
    """Whether refusals are all that is wrong, and were not the time before: nothing is started then,
    and people are told once."""
    before = [
        one for one in state.read(folder(found.task, stop.STAGE)).judged if one.until < found.until
    ]
    known = bool(before) and before[-1].tests.get(REFUSED) is True
    return found.alarms == (REFUSED,) and not known


def emit(found: Monitored) -> None:
    """The event `roadworthy.drift.detected`, on the resource `roadworthy.task.TASK`.

    Its label `roadworthy.wants` lets an automation choose; the payload tells why.
    """
    emit_event(
        DETECTED,
        resource={
            "prefect.resource.id": f"roadworthy.task.{found.task}",
            "prefect.resource.name": found.task,
            "roadworthy.wants": found.wants,
        },
        payload={
            "task": found.task,
            "reason": found.judgement.reason,
            "wants": found.wants,
            "new_labels": found.new_labels,
            "tests": list(found.alarms),
            "version": found.version,
            "until": found.until.isoformat(),
        },
    )


def notice(found: Monitored) -> tuple[str, str]:
    """Subject and body of what people are told."""
    asked = [one.file for one in found.asked if one.file]
    lines = [found.judgement.reason, found.advice, f"Page: {found.page}"]
    if asked:
        lines.append(f"Images to label, with labels.csv: {asked[0].parent}")
    return f"{found.task}: live traffic has drifted", "\n".join(lines)


def served() -> bool:
    """Whether a Prefect server is set, so that somebody waits for events."""
    return bool(get_current_settings().api.url)


def _remember(begun: Sequence[Monitored]) -> None:
    for one in begun:
        stop.started(one)
