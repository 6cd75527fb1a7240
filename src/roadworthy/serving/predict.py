"""`POST /predict`: from images to answers. Decoding is done in worker threads, answering in batches."""

import asyncio
from collections.abc import Mapping
from typing import Annotated

import anyio.to_thread
import numpy as np
from fastapi import FastAPI, File, Form, UploadFile
from starlette.requests import Request

from roadworthy.bundle.predictor import Prediction, scaled_to
from roadworthy.data import images
from roadworthy.errors import DataError
from roadworthy.models.outputs import to_probabilities
from roadworthy.serving.answers import EXAMPLE, REFUSALS, AllAnswers, Answer, TaskAnswer
from roadworthy.serving.batching import Row
from roadworthy.serving.champions import Champion
from roadworthy.serving.context import Context
from roadworthy.serving.limits import too_large
from roadworthy.serving.noting import note
from roadworthy.serving.record import Facts, facts
from roadworthy.serving.refusals import Refusal, request_id
from roadworthy.serving.uploads import Upload, received, unusable

ALL = "all"
USUAL = "car"
"""The task that answers when several are served and none is named."""
SCALED = ("JPEG", "MPO")
"""Formats that are decoded smaller where a smaller one is enough."""

Files = Annotated[list[UploadFile], File(description="One or more images")]
Urls = Annotated[
    list[str], Form(description="Addresses of images, where the service is set to fetch them")
]


def add_route(app: FastAPI, context: Context) -> None:
    """Let `app` answer `/predict`."""

    @app.post(
        "/predict",
        response_model=TaskAnswer | AllAnswers,
        responses={**REFUSALS, 200: {"content": {"application/json": {"example": EXAMPLE}}}},
        summary="Answer images",
    )
    async def answer(
        request: Request,
        file: Files = [],  # noqa: B006 - FastAPI copies it
        url: Urls = [],  # noqa: B006
        task: Annotated[
            str | None, Form(description="A task of /tasks, or all", examples=[USUAL, ALL])
        ] = None,
        top_k: Annotated[
            int | None, Form(ge=1, description="Only the probabilities of the k likeliest labels")
        ] = None,
        threshold: Annotated[
            float | None,
            Form(ge=0, le=1, description="Of a yes-or-no task, instead of its own in /info"),
        ] = None,
    ) -> TaskAnswer | AllAnswers:
        """Ask one task's champion, or all, about one or more images."""
        asked = choose(context.served.champions, task)
        if threshold is not None:
            _check_threshold(asked)
        uploads = await received(file, url, context)
        name = request_id(request.scope)
        with context.batcher.admit(len(uploads) * len(asked)):
            rows = await asyncio.gather(
                *(_answer(one, asked, context, threshold, name) for one in uploads),
                return_exceptions=True,
            )
        answers = [_or_raise(row) for row in rows]
        results = [
            TaskAnswer(
                task=task_name,
                model_version=champion.version,
                predictions=[
                    _shown(upload, of[task_name], top_k)
                    for upload, of in zip(uploads, answers, strict=True)
                ],
            )
            for task_name, champion in asked.items()
        ]
        return AllAnswers(results=results) if task == ALL else results[0]


def choose(champions: Mapping[str, Champion], task: str | None) -> Mapping[str, Champion]:
    """The champions that `task` asks for.

    Raises:
        Refusal: the task is not served, or none was named and it is not clear which is meant.
    """
    if task == ALL:
        return champions
    names = ", ".join(champions)
    if not task:
        if len(champions) > 1 and USUAL not in champions:
            raise Refusal(
                422, "no_task", "no task was named", f"send -F task= one of: {names}, {ALL}"
            )
        task = USUAL if USUAL in champions else next(iter(champions))
    if task not in champions:
        raise Refusal(
            404, "unknown_task", f"no task is called {task[:60]!r}", f"one of: {names}, {ALL}"
        )
    return {task: champions[task]}


def prepared(
    upload: Upload, champions: Mapping[str, Champion]
) -> tuple[dict[str, np.ndarray], Facts]:
    """The image's pixels as each champion wants them, and what is kept of the image itself.

    Blocking. The file is decoded once per size that the champions want.

    Raises:
        Refusal: it is too large or no usable image.
    """
    specs = {task: champion.predictor.spec for task, champion in champions.items()}
    most_bytes = min(spec.max_bytes for spec in specs.values())
    if len(upload.content) > most_bytes:
        raise too_large(most_bytes)
    most_pixels = min(spec.max_pixels for spec in specs.values())
    scales = {task: scaled_to(spec.input) for task, spec in specs.items()}
    pixels: dict[str, np.ndarray] = {}
    decoded = None
    try:
        for scale in sorted(set(scales.values())):
            if decoded is None or decoded.format in SCALED:
                decoded = None  # so that the last one is gone before the next is made
                decoded = images.decode(upload.content, most_pixels, scale)
            for task in (task for task, wanted in scales.items() if wanted == scale):
                pixels[task] = champions[task].predictor.prepare(decoded.image)
    except DataError as error:
        raise unusable(upload.filename, error) from None
    assert decoded is not None, "somebody is asked"
    return pixels, facts(upload.content, decoded)


async def _answer(
    upload: Upload,
    champions: Mapping[str, Champion],
    context: Context,
    threshold: float | None,
    request: str,
) -> dict[str, Prediction]:
    """By task, what its champion says of one image."""
    pixels, kept = await anyio.to_thread.run_sync(
        prepared, upload, champions, limiter=context.decoders
    )
    rows = await asyncio.gather(
        *(context.batcher.ask(champions[task].predictor, pixels[task]) for task in champions)
    )
    answers = {}
    for (task, champion), row in zip(champions.items(), rows, strict=True):
        answers[task] = decided(champion, row, threshold)
        note(context, task, champion, upload, kept, row, answers[task], request)
    return answers


def decided(champion: Champion, row: Row, threshold: float | None = None) -> Prediction:
    """The answer that a champion's raw outputs mean."""
    predictor = champion.predictor
    probabilities = to_probabilities(row.logits[None], predictor.spec.temperature)[0]
    if predictor.spec.threshold is None:
        threshold = None
    return predictor.answer(probabilities, threshold)


def _shown(upload: Upload, answer: Prediction, top_k: int | None) -> Answer:
    likeliest = sorted(answer.probabilities.items(), key=lambda pair: -pair[1])[:top_k]
    return Answer(
        id=upload.id,
        filename=upload.filename,
        label=answer.label,
        probability=answer.probability,
        sure=answer.sure,
        probabilities=dict(likeliest) if top_k else answer.probabilities,
    )


def _check_threshold(asked: Mapping[str, Champion]) -> None:
    if all(champion.predictor.spec.threshold is None for champion in asked.values()):
        raise Refusal(
            422,
            "no_threshold",
            f"{', '.join(asked)} has more than two labels and no threshold",
            "leave threshold out; top_k shows the likeliest labels",
        )


def _or_raise(row: dict[str, Prediction] | BaseException) -> dict[str, Prediction]:
    if isinstance(row, BaseException):
        raise row
    return row
