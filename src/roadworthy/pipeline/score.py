"""score: ask a model about any number of images, one row for each, on as many processes as there are."""

import os
from dataclasses import dataclass
from pathlib import Path

import typer

from roadworthy.bundle.format import digest, read_spec
from roadworthy.errors import DataError, TrackingError
from roadworthy.progress import bar
from roadworthy.scoring import check, engine, plan, sources
from roadworthy.scoring.check import Summary
from roadworthy.scoring.engine import Job
from roadworthy.scoring.places import Place, is_remote
from roadworthy.scoring.plan import Plan
from roadworthy.scoring.worker import Done


@dataclass(frozen=True)
class Model:
    """Which bundle answers."""

    folder: Path
    task: str
    digest: str
    version: int | None
    """In the registry; None of a bundle that was named by its folder."""


def run(
    source: str,
    out: str,
    task: str = "car",
    model: str = "champion",
    begin_again: bool = False,
    workers: int | None = None,
    address: str | None = None,
) -> Summary:
    """Score what is not scored yet, check that all is there, and say what came out.

    Args:
        source: see `scoring.sources.entries`.
        out: folder of the answers, here or on s3://.
        task: whose model is asked.
        model: an alias or number in the registry, or the folder of a bundle.
        begin_again: what was begun in `out` is thrown away.
        workers: processes; None takes every core.
        address: `HOST:6379` of a Ray cluster of which this machine is one; None starts Ray here.

    Raises:
        DataError: the source or `out` cannot be used, `out` was begun otherwise, or some images could
            not be reached; the same command goes on.
        TrackingError: the model is not there.
    """
    place, chosen = Place(whole(out)), found(task, model)
    workers = workers or (None if address else engine.cores())
    made = begun(place, whole(source), chosen, workers or 1, begin_again)
    plan.untried(place)
    numbers = plan.missing(place, made)
    job = Job.of(chosen.folder, place, made, elsewhere=address is not None)
    done = _score(job, numbers, workers, address) if numbers else []
    place.tidy()
    summary = check.summary(place, made)
    _say(place, made, summary, done)
    if summary.unreached:
        raise DataError(
            f"{summary.unreached} images could not be reached, their rows say so: when the store or "
            "network answers again, the same command tries them once more"
        )
    return summary


def whole(address: str) -> str:
    """A path from the root, or the address as it is; two ways to say the same place become one."""
    if "://" in address and not is_remote(address):
        raise DataError(f"{address} is neither a path nor s3://bucket/folder")
    return address.rstrip("/") if is_remote(address) else os.path.abspath(address)  # noqa: PTH100


def found(task: str, model: str) -> Model:
    """The bundle that is meant, with its files on this machine.

    Raises:
        TrackingError: the registry has no such version.
        BundleError: the folder is no bundle.
    """
    if (folder := Path(model)).is_dir():
        return Model(folder.resolve(), read_spec(folder).task, digest(folder), None)
    from roadworthy.tracking import registry

    version = (
        registry.version(task, int(model)) if model.isdecimal() else registry.by_alias(task, model)
    )
    if version is None:
        raise TrackingError(
            f"{task!r} has no {model}: `make run` trains and promotes one, `--model FOLDER` takes a bundle"
        )
    folder = registry.bundle_folder(version).resolve()
    return Model(folder, task, version.digest, version.number)


def begun(place: Place, source: str, model: Model, workers: int, begin_again: bool) -> Plan:
    """The plan in `place`, made now where there is none.

    Raises:
        DataError: it was begun with something else, or the source cannot be listed.
    """
    old = None
    try:
        old = plan.read_plan(place)
    except DataError:
        if not begin_again or not place.names(plan.FOLDER):
            raise
    if begin_again:
        plan.forget(place)
    elif old:
        if reason := plan.refusal(old, source, model.digest):
            raise DataError(
                f"{place.url} cannot be gone on with: {reason}; or name another --out, or throw it "
                "away with --again"
            )
        return old
    return _planned(place, source, model, workers)


def _planned(place: Place, source: str, model: Model, workers: int) -> Plan:
    count = sources.Count()
    images = plan.write_inputs(place, sources.entries(source, count))
    made = Plan(
        source=source,
        images=images,
        others=count.others,
        repeated=count.repeated,
        shard=plan.shard_size(images, workers),
        task=model.task,
        digest=model.digest,
        version=model.version,
        labels=read_spec(model.folder).labels,
    )
    plan.write_plan(place, made)
    left = {"not named like images": count.others, "named twice": count.repeated}
    said = [f"{number:,} {why}" for why, number in left.items() if number]
    typer.echo(f"{images:,} images{', left out: ' if said else ''}{', '.join(said)}")
    return made


def _score(job: Job, numbers: list[int], workers: int | None, address: str | None) -> list[Done]:
    total = job.plan.images
    done = total - sum(map(job.plan.rows, numbers))
    ended = []
    try:
        with engine.started(workers, address) as room, bar(f"score {job.plan.model}") as report:
            report(done, total)
            for one in engine.scored(job, numbers, room):
                ended.append(one)
                done += one.images
                report(done, total)
    except KeyboardInterrupt:
        typer.echo(f"stopped at {done:,} of {total:,}: the same command goes on", err=True)
        raise
    return ended


def _say(place: Place, made: Plan, summary: Summary, done: list[Done]) -> None:
    typer.echo(
        f"{place.url}: {summary.images:,} rows, {summary.answered:,} answered by {made.model} "
        f"({_counted(summary.labels)})"
    )
    if summary.reasons:
        typer.echo(f"without an answer: {_counted(summary.reasons)}")
    if done:
        images, seconds = sum(one.images for one in done), spent(done)
        typer.echo(f"{images:,} of them now, in {seconds:.0f} s: {images / seconds:.0f} images/s")


def spent(done: list[Done]) -> float:
    """Seconds from the first image to the last, without what starting takes."""
    return max(max(one.ended for one in done) - min(one.began for one in done), 1e-9)


def _counted(kinds: dict[str, int], most: int = 10) -> str:
    shown = [f"{name} {number:,}" for name, number in list(kinds.items())[:most]]
    more = [f"{len(kinds) - most} more"] if len(kinds) > most else []
    return ", ".join(shown + more) or "none"
