"""monitor: the service's latest images and answers beside what the champion was validated on."""

import csv
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from roadworthy import params
from roadworthy.bundle.format import SEEN, BundleSpec, digest, read_spec
from roadworthy.data import seen
from roadworthy.errors import DataError, StaleError
from roadworthy.layout import ARTIFACTS, folder, write_json
from roadworthy.monitoring import gauges, page, state
from roadworthy.monitoring.judge import judge
from roadworthy.monitoring.outcome import Asked, Monitored, decide
from roadworthy.monitoring.reference import Reference, read_reference
from roadworthy.params import TaskPlan
from roadworthy.pipeline import asking
from roadworthy.pipeline.traffic import Traffic, answered_last, read_traffic
from roadworthy.tracking import registry, store

__all__ = ["Monitored", "NoChampionError", "Subject", "champion", "due", "judged", "run", "started"]
STAGE = "monitor"
PAGE, FIGURES, GAUGES, LIST = "monitor.html", "monitor.json", "monitor.prom", "ask.csv"
ASK = "ask"


class NoChampionError(StaleError):
    """Nothing of this task is on the road yet, or what was is not kept."""


@dataclass(frozen=True)
class Subject:
    """The bundle whose answers are judged."""

    folder: Path
    digest: str
    version: int | None
    """In the registry."""

    @property
    def spec(self) -> BundleSpec:
        """Its `bundle.json`."""
        return read_spec(self.folder)


def run(
    plan: TaskPlan, log: Path, until: datetime | None = None, *, past: bool = False
) -> Monitored:
    """Judge the latest traffic of one task, leave the page, and say what should happen next.

    Nothing is started: who does so says it with `started`.

    Args:
        log: folder of the prediction log.
        until: the window's end; None: now. Without a time zone it is UTC.
        past: a day that is over: the version that answered last then is judged, not the present
            champion, and nothing is wanted.

    Raises:
        StaleError: there is no log.
        NoChampionError: the task has no champion, or the version that answered is gone.
        BundleError, TrackingError: the champion's bundle cannot be had.
    """
    moment = _aware(until) or datetime.now(UTC)
    if not log.is_dir():
        raise StaleError(
            f"{log} is no folder: start the service with ROADWORTHY_LOG={log}, or name its folder as "
            "`log` in params.yaml"
        )
    subject = champion(plan.name, answered_last(log, plan.name, moment) if past else None)
    return judged(plan, log, moment, subject, past=past)


def judged(
    plan: TaskPlan, log: Path, until: datetime, subject: Subject, *, past: bool = False
) -> Monitored:
    """The same for a bundle that is known."""
    settings, target = plan.monitor, folder(plan.name, STAGE)
    whole = params.load()
    spec, reference = subject.spec, read_reference(subject.folder)
    traffic = read_traffic(log, plan.name, subject.digest, until, settings.window)
    live = traffic.live(spec.labels)
    judgement = judge(reference, live, settings, spec.metrics.get("accuracy"), plan.seed)
    fresh = _fresh_labels(plan.name) if judgement.drifted and not past else 0
    history = state.read(target)
    least, cooldown = whole.retrain.least_new, settings.cooldown_hours
    wants, advice = decide(judgement, fresh, least, history.started, until, cooldown)
    if past:
        wants, advice = "nothing", "That day is over: nothing is started for it."
    asked: tuple[Asked, ...] = ()
    if wants == "labels":
        asked = _ask(plan, traffic, live.probabilities, reference, subject, log)
    found = Monitored(
        task=plan.name,
        version=subject.version,
        digest=subject.digest,
        judgement=judgement,
        since=traffic.since,
        until=until,
        images=len(live),
        asked=asked,
        new_labels=fresh,
        wants=wants,
        advice=advice,
        page=target / PAGE,
    )
    state.append(target, _line(found))
    if all(one.until <= until for one in history.judged):
        told, inbox = state.read(target), whole.ingest.inbox
        shown = page.Seen(reference, live, spec.labels, traffic.refusals, told, inbox)
        _leave(found, page.render(found, shown), target)
    print(f"{plan.name}: {judgement.reason} {advice} See {found.page}")
    return found


def due(found: Monitored) -> bool:
    """Whether what `found` wants is still to be started: a run that is tried again may have done it."""
    mark = state.Started(until=found.until, what=found.wants)
    return found.wants != "nothing" and mark not in state.read(folder(found.task, STAGE)).started


def started(found: Monitored) -> None:
    """What `found` wants was started: for the time that is set it is not wanted again."""
    mark = state.Started(until=found.until, what=found.wants)
    state.append(folder(found.task, STAGE), mark)


def champion(task: str, wanted: str | None = None) -> Subject:
    """The bundle on the road, or the one with the digest `wanted`.

    Raises:
        NoChampionError: there is none.
        BundleError, TrackingError: its files cannot be had.
    """
    store.connect()
    version = registry.by_digest(task, wanted) if wanted else registry.champion(task)
    if version is None:
        raise NoChampionError(
            f"{task} has no champion: `roadworthy promote --task {task}` makes one"
            if not wanted
            else f"{task} has no version with the digest {wanted[:12]}, which answered then"
        )
    here = ARTIFACTS / task / "export"
    fits = here.is_dir() and digest(here) == version.digest
    return Subject(
        here if fits else registry.bundle_folder(version), version.digest, version.number
    )


def _ask(
    plan: TaskPlan,
    traffic: Traffic,
    probabilities: np.ndarray,
    reference: Reference,
    subject: Subject,
    log: Path,
) -> tuple[Asked, ...]:
    made_with = seen.load(subject.folder / SEEN)
    count = plan.monitor.ask
    wanted = asking.most_wanted(
        traffic.records, probabilities, reference, traffic.told, made_with, count, plan.seed
    )
    return asking.ask(folder(plan.name, STAGE) / ASK, wanted, log, traffic.until)


def _fresh_labels(task: str) -> int:
    """0 where the images are not at hand: the verdict is not lost for that."""
    from roadworthy.pipeline.fresh import fresh_labels

    try:
        return fresh_labels(task)
    except DataError as error:
        print(f"{task}: new labels are not counted: {error}")
        return 0


def _line(found: Monitored) -> state.Judged:
    judgement = found.judgement
    return state.Judged(
        until=found.until,
        since=found.since,
        version=found.version,
        digest=found.digest,
        images=found.images,
        enough=judgement.enough,
        drifted=judgement.drifted,
        wants=found.wants,
        new_labels=found.new_labels,
        tests={t.name: None if t.p is None else t.alarm for t in judgement.tests},
    )


def _leave(found: Monitored, html: str, target: Path) -> None:
    """Each file is whole at any moment; the history and the questions beside them are kept."""
    write_json(target / FIGURES, found.as_dict())
    gauges.write(found, target / GAUGES)
    temporary = target / f".{PAGE}.tmp"
    temporary.write_text(html, encoding="utf-8")
    temporary.replace(target / PAGE)
    columns = ("id", "sha256", "answered", "probability", "at", "file")
    with (target / f".{LIST}.tmp").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([getattr(one, name) for name in columns] for one in found.asked)
    (target / f".{LIST}.tmp").replace(target / LIST)


def _aware(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment and moment.tzinfo is None else moment
