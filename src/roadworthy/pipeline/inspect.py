"""inspect: find the cars in pictures and videos, and ask other champions about each of them."""

import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import typer

from roadworthy import layout, params
from roadworthy.bundle.finder import Finder
from roadworthy.bundle.format import read_spec
from roadworthy.bundle.predictor import Predictor
from roadworthy.errors import DataError, TrackingError
from roadworthy.params import Search
from roadworthy.progress import bar
from roadworthy.scene import accuracy, results
from roadworthy.scene.crew import Crew
from roadworthy.scene.inspect import Scene
from roadworthy.scene.sources import Source, sources
from roadworthy.scene.work import Entry, Wanted, inspect_file, inspect_film
from roadworthy.tracking import registry
from roadworthy.tracking.registry import Version

USUAL_FINDER = "detector"
USUAL_ASKED = ("police", "brand")
FAILED_SHOWN = 20
CUT_SHORT = "it is damaged or ends early; what could be decoded was inspected"


@dataclass
class Done:
    """What has come out so far."""

    entries: list[Entry] = field(default_factory=list)
    failed: list[dict[str, str]] = field(default_factory=list)
    seen: dict[str, Scene] = field(default_factory=dict)
    """By path; only where they are to be scored."""

    def fail(self, source: Source, error: DataError) -> None:
        """Take down why a source could not be used."""
        self.failed.append({"path": str(source.path), "reason": str(error)})


def run(
    given: Sequence[Path],
    out: Path,
    ask: Sequence[str] | None = None,
    find: str = "",
    every: int | None = None,
    as_json: bool = False,
    pictures: bool = True,
    heat: bool = False,
    score: bool = False,
) -> None:
    """Inspect everything, and write what `scene.results` says into the folder `out`.

    Args:
        given: pictures, videos, folders.
        ask: tasks whose champions are asked; one without a champion is said and left out. None is
            `police` and `brand`, where the project has them.
        find: the task whose champion searches; empty is `detector`, else any that can.
        every: frames of a video from one that is inspected to the next; None is five a second.
        as_json: print one JSON object per source.
        pictures: write pictures and videos with boxes.
        heat: write pictures with the confidence map.
        score: compare with the boxes that lie with the pictures.

    Raises:
        TrackingError: no champion can search.
        DataError: some could not be used; raised after all were tried.
    """
    wanted = Wanted(out, pictures, heat, every)
    todo = sources(given, out)
    crew = gather(ask, find)
    for line in [*map(str, crew.steps), *(f"not known: {text}" for text in crew.unknown)]:
        typer.echo(line, err=as_json)
    done = Done()
    with results.writing(out / results.CARS) as file:
        table = results.CarTable(file, list(crew.askers))
        for entry in _inspected(todo, crew, wanted, table, done, score):
            done.entries.append(entry)
            typer.echo(json.dumps(entry) if as_json else f"{entry['path']}  {_words(entry, crew)}")
            if not entry.get("complete", True):
                typer.echo(f"WARNING: {entry['path']}: {CUT_SHORT}", err=True)
        if not done.entries:
            raise DataError(_told(done, len(todo)))
    layout.write_json(out / results.SCENES, _report(crew, done))
    if score:
        _score(given, out, crew, done)
    typer.echo(f"{len(done.entries)} inspected: {out}", err=True)
    if done.failed:
        raise DataError(_told(done, len(todo)))


def gather(ask: Sequence[str] | None, find: str = "") -> Crew:
    """Load the champions.

    Raises:
        ParamsError: params.yaml has no such task.
        TrackingError: no champion can search.
    """
    tasks = params.load()
    version = _named(tasks.task(find).name) if find else _searching(list(tasks.tasks))
    finder = _finder(registry.bundle_folder(version), tasks.task(version.task).search)
    askers: dict[str, Predictor] = {}
    steps, missing = [accuracy.finding(finder.spec, version.number)], {}
    # An empty name asks nobody: `--ask ""`.
    named = (
        [name for name in USUAL_ASKED if name in tasks.tasks] if ask is None else filter(None, ask)
    )
    for task in dict.fromkeys(tasks.task(name).name for name in named):
        if champion := registry.champion(task):
            askers[task] = Predictor(registry.bundle_folder(champion))
            steps.append(accuracy.asking(askers[task].spec, champion.number))
        else:
            missing[task] = "it has no champion yet"
    specs = [asker.spec for asker in askers.values()]
    return Crew(finder, askers, steps, accuracy.unknown(finder.spec, specs, missing))


def _named(task: str) -> Version:
    champion = registry.champion(task)
    if champion is None:
        raise TrackingError(f"{task} has no champion yet: `make run` trains and promotes one")
    return champion


def _finder(bundle: Path, settings: Search) -> Finder:
    """Also of a bundle that was not made for searching."""
    if read_spec(bundle).search:
        return Finder(bundle)
    from roadworthy.bundle.converted import convert

    with tempfile.TemporaryDirectory(prefix="roadworthy-") as name:
        spec = convert(bundle, Path(name), settings)
        typer.echo(
            f"{spec.task} was not made for searching: its network slides now, its boxes are whole "
            "windows, and how well it searches was never measured",
            err=True,
        )
        return Finder(Path(name))


def _searching(tasks: Sequence[str]) -> Version:
    """The champion that searches, that of the usual task first."""
    unable = []
    for task in sorted(tasks, key=lambda task: task != USUAL_FINDER):
        champion = registry.champion(task)
        if champion and read_spec(registry.bundle_folder(champion)).search:
            return champion
        unable += [champion.name] if champion else []
    cannot = f" ({', '.join(unable)} cannot)" if unable else ""
    raise TrackingError(
        f"no champion can search for cars{cannot}: `make run` trains and promotes one; after an "
        f"older one, `dvc repro export@{USUAL_FINDER}` and `roadworthy promote --task {USUAL_FINDER}`"
    )


def _inspected(
    todo: Sequence[Source],
    crew: Crew,
    wanted: Wanted,
    table: results.CarTable,
    done: Done,
    keep: bool,
) -> Iterator[Entry]:
    pictures = [one for one in todo if not one.is_video]
    if pictures:
        with bar("inspect") as progress:
            for number, one in enumerate(pictures, 1):
                try:
                    entry, scene = inspect_file(one, crew, wanted, table)
                except DataError as error:
                    done.fail(one, error)
                else:
                    if keep:
                        done.seen[one.path.as_posix()] = scene
                    yield entry
                note = f"{len(done.failed)} failed" if done.failed else ""
                progress(number, len(pictures), note)
    for one in todo[len(pictures) :]:
        try:
            with bar(one.path.name) as progress:
                entry = inspect_film(one, crew, wanted, table, progress)
        except DataError as error:
            done.fail(one, error)
        else:
            yield entry


def _words(entry: Entry, crew: Crew) -> str:
    """What was found, for people."""
    if "cars" not in entry:
        return f"{entry['inspected']} of {entry['frames']} frames inspected"
    told = "; ".join(
        ", ".join(
            [f"{crew.name} {car['score']:.2f}"]
            + [f"{task}: {one['label']}" for task, one in car["answers"].items()]
        )
        for car in entry["cars"]
    )
    return told or f"no {crew.name} found"


def _score(given: Sequence[Path], out: Path, crew: Crew, done: Done) -> None:
    from roadworthy.scene.score import compare, draw_score, write_score

    threshold = crew.finder.threshold
    score = compare(given, done.seen, threshold)
    write_score(out, score, draw_score(given, done.seen, threshold))
    typer.echo(f"{score.images} pictures, {score.cars} {crew.name} boxes in {score.with_cars}:")
    for name, one in score.figures.items():
        typer.echo(f"  {name:<18} {one.value:.3f} [{one.low:.3f} {one.high:.3f}]")


def _report(crew: Crew, done: Done) -> dict[str, object]:
    return {
        "steps": [step.to_json() for step in crew.steps],
        "unknown": crew.unknown,
        "threshold": crew.finder.threshold,
        "scenes": done.entries,
        "failed": done.failed,
    }


def _told(done: Done, count: int) -> str:
    lines = [f"{one['path']}: {one['reason']}" for one in done.failed]
    if count == 1:
        return lines[0]
    more = [f"... and {len(lines) - FAILED_SHOWN} more"] if len(lines) > FAILED_SHOWN else []
    # Where nothing could be used, what an earlier inspection wrote is left.
    more = [f"{more[0]}: all in {results.SCENES}"] if more and done.entries else more
    shown = lines[:FAILED_SHOWN] + more
    return "\n".join([f"{len(lines)} of {count} could not be inspected:", *shown])
