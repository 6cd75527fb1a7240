"""`POST /inspect`: from uploaded pictures to the cars in them. The search is blocking work."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Annotated

from fastapi import FastAPI, Form
from PIL import Image

from roadworthy.bundle.finder import Finder
from roadworthy.data import images
from roadworthy.errors import DataError
from roadworthy.scene import accuracy
from roadworthy.scene.inspect import Scene, inspect_picture
from roadworthy.serving.answers import INSPECTED, REFUSALS, Inspection
from roadworthy.serving.champions import Champion
from roadworthy.serving.context import Context
from roadworthy.serving.lane import Lane
from roadworthy.serving.limits import too_large
from roadworthy.serving.metrics import Metrics
from roadworthy.serving.predict import Files, Urls
from roadworthy.serving.refusals import Refusal
from roadworthy.serving.uploads import Upload, received, unusable

USUAL_FINDER = "detector"
USUAL_ASKED = ("police", "brand")
MAX_SCENES = 8
"""Files of one request: a search takes longer than an answer."""


@dataclass(frozen=True)
class Searcher:
    """The champion that searches."""

    task: str
    champion: Champion
    finder: Finder


def add_route(app: FastAPI, context: Context) -> None:
    """Let `app` answer `/inspect`."""
    # A search takes as long as many answers.
    lane = Lane()

    @app.post(
        "/inspect",
        response_model=Inspection,
        responses={**REFUSALS, 200: {"content": {"application/json": {"example": INSPECTED}}}},
        summary="Find the cars in images",
    )
    async def answer(
        file: Files = [],  # noqa: B006 - FastAPI copies it
        url: Urls = [],  # noqa: B006
        ask: Annotated[
            list[str] | None,
            Form(
                description="Tasks of /tasks that are asked about each car; without it "
                + " and ".join(USUAL_ASKED),
                examples=[list(USUAL_ASKED)],
            ),
        ] = None,
    ) -> Inspection:
        """Find the cars, and ask other champions about each of them."""
        lane.check()
        champions = context.served.champions
        finder = searcher(champions)
        asked = to_ask(champions, ask)
        uploads = await received(file, url, context, MAX_SCENES)
        usual = USUAL_ASKED if ask is None else ()
        missing = {task: "it is not served" for task in usual if task not in asked}
        return await lane.run(inspect, uploads, finder, asked, context.metrics, missing)


def searcher(champions: Mapping[str, Champion]) -> Searcher:
    """The champion that searches, that of the usual task first.

    Raises:
        Refusal: none of those served can.
    """
    for task in sorted(champions, key=lambda task: task != USUAL_FINDER):
        champion = champions[task]
        if champion.finder is not None:
            return Searcher(task, champion, champion.finder)
    raise Refusal(
        404, "no_finder", "no champion that is served can search", "/tasks tells what is served"
    )


def to_ask(champions: Mapping[str, Champion], names: Sequence[str] | None) -> dict[str, Champion]:
    """Who is asked about each car; without names the usual ones, as far as they are served.

    Raises:
        Refusal: a named task is not served.
    """
    if names is None:
        return {task: champions[task] for task in USUAL_ASKED if task in champions}
    for task in filter(None, names):
        if task not in champions:
            known = ", ".join(champions)
            raise Refusal(
                404, "unknown_task", f"no task is called {task[:60]!r}", f"one of: {known}"
            )
    return {task: champions[task] for task in dict.fromkeys(filter(None, names))}


def inspect(
    uploads: Sequence[Upload],
    by: Searcher,
    asked: Mapping[str, Champion],
    metrics: Metrics,
    missing: Mapping[str, str] | None = None,
) -> Inspection:
    """Inspect every file, one after the other.

    Args:
        missing: tasks that are usually asked and are not, with the reason.

    Raises:
        Refusal: a file is too large or is no usable image.
    """
    scenes = []
    for upload in uploads:
        picture = _opened(upload, by, asked)
        start = perf_counter()
        scene = inspect_picture(picture, by.finder, {t: one.predictor for t, one in asked.items()})
        # The search with all that is asked of what it finds: not to be mixed with a task's own.
        metrics.inference.labels("inspect").observe(perf_counter() - start)
        _count(by, asked, scene, metrics)
        cars = [car.to_json() for car in scene.cars]
        size = {"width": scene.width, "height": scene.height}
        scenes.append({"filename": upload.filename, **size, "cars": cars})
    spec = by.champion.predictor.spec
    steps = [accuracy.finding(spec, by.champion.version)]
    steps += [accuracy.asking(one.predictor.spec, one.version) for one in asked.values()]
    unknown = accuracy.unknown(spec, [one.predictor.spec for one in asked.values()], missing)
    told = [step.to_json() for step in steps]
    return Inspection.model_validate({"steps": told, "unknown": unknown, "scenes": scenes})


def _opened(upload: Upload, by: Searcher, asked: Mapping[str, Champion]) -> Image.Image:
    """One decoded image is in memory at a time."""
    specs = [one.predictor.spec for one in (by.champion, *asked.values())]
    most_bytes = min(spec.max_bytes for spec in specs)
    if len(upload.content) > most_bytes:
        raise too_large(most_bytes)
    try:
        return images.open_image(upload.content, min(spec.max_pixels for spec in specs))
    except DataError as error:
        raise unusable(upload.filename, error) from None


def _count(by: Searcher, asked: Mapping[str, Champion], scene: Scene, metrics: Metrics) -> None:
    """Each box is an answer of the finder, and each answer about it one of who was asked."""
    found = by.champion.predictor.spec.labels[-1]
    for car in scene.cars:
        metrics.answered(by.task, by.champion.version, found, True, car.score)
        for task, one in car.answers.items():
            metrics.answered(task, asked[task].version, one.label, one.sure, one.probability)
