"""The routes: `POST /predict` and `/inspect`, `GET /info`, `/tasks`, `/metrics` and a hint at `/`."""

import os
from collections.abc import Mapping
from typing import Annotated, Any

import anyio.to_thread
from fastapi import FastAPI, File, Form, Request, Response, UploadFile
from fastapi.exceptions import RequestValidationError
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.exceptions import HTTPException

from roadworthy import __version__
from roadworthy.serving.answers import (
    EXAMPLE,
    REFUSALS,
    AllAnswers,
    Info,
    TaskAnswer,
    TaskInfo,
    TaskSummary,
)
from roadworthy.serving.champions import Champion
from roadworthy.serving.inspect import MAX_SCENES, add_route
from roadworthy.serving.limits import FORM_BYTES, Limits
from roadworthy.serving.metrics import Metrics
from roadworthy.serving.predict import predict, received
from roadworthy.serving.refusals import Refusal, request_id
from roadworthy.serving.trace import Trace

ALL = "all"
USUAL = "car"
"""The task that answers when several are served and none is named."""
MAX_FILES = 32
FORM_HINT = (
    "send multipart/form-data with one or more parts named file, such as -F file=@street.jpg"
)


def create_app(
    champions: Mapping[str, Champion],
    metrics: Metrics | None = None,
    *,
    workers: int | None = None,
    requests: int = 64,
    upload_seconds: float = 30.0,
) -> FastAPI:
    """The HTTP application over loaded champions.

    Args:
        champions: by task.
        metrics: where to count.
        workers: requests worked on at the same time; None is one per core.
        requests: requests accepted at the same time; more get 429.
        upload_seconds: longest time for sending a body.
    """
    metrics = metrics or Metrics()
    max_bytes = (
        max((c.predictor.spec.max_bytes for c in champions.values()), default=0) + FORM_BYTES
    )
    # Decoded images are large: no more of them at a time than there are cores to work on them.
    limiter = anyio.CapacityLimiter(workers or os.cpu_count() or 1)
    app = FastAPI(
        title="Roadworthy",
        version=__version__,
        description="Ask the champion models about images.",
        # The usual pages load their scripts from a CDN.
        docs_url=None,
        redoc_url=None,
    )
    _explain_errors(app)

    @app.post(
        "/predict",
        response_model=TaskAnswer | AllAnswers,
        responses={**REFUSALS, 200: {"content": {"application/json": {"example": EXAMPLE}}}},
        summary="Answer images",
    )
    async def answer(
        file: Annotated[list[UploadFile], File(description="One or more images")],
        task: Annotated[
            str | None,
            Form(description="A task of /tasks, or all", examples=[USUAL, ALL]),
        ] = None,
    ) -> TaskAnswer | AllAnswers:
        """Ask one task's champion, or all, about one or more images."""
        asked = choose(champions, task)
        uploads = await received(file, MAX_FILES, max_bytes)
        results = await anyio.to_thread.run_sync(
            predict, uploads, asked, metrics, limiter=limiter, abandon_on_cancel=False
        )
        return AllAnswers(results=results) if task == ALL else results[0]

    add_route(app, champions, metrics, limiter, max_bytes)

    @app.get("/info", summary="Versions, labels, figures, lineage, limits")
    async def info() -> Info:
        return Info(
            version=__version__,
            limits={"max_bytes": max_bytes, "max_files": MAX_FILES, "max_scenes": MAX_SCENES},
            tasks={task: describe(task, champion) for task, champion in champions.items()},
        )

    @app.get("/tasks", summary="What can be asked")
    async def tasks() -> list[TaskSummary]:
        return [
            TaskSummary.model_validate(describe(task, champion).model_dump())
            for task, champion in champions.items()
        ]

    @app.get("/metrics", summary="Figures for Prometheus")
    def figures() -> Response:
        return Response(metrics.text(), media_type=CONTENT_TYPE_LATEST)

    @app.get("/", summary="Where to go")
    async def index() -> dict[str, Any]:
        return {
            "service": "roadworthy",
            "tasks": list(champions),
            "try": "curl -F file=@IMAGE -F task=TASK http://HOST:PORT/predict",
            "or": "curl -F file=@IMAGE -F ask=police -F ask=brand http://HOST:PORT/inspect",
            "see": ["/tasks", "/info", "/openapi.json", "/metrics", "/livez", "/readyz"],
        }

    app.add_middleware(Limits, max_bytes=max_bytes, seconds=upload_seconds, requests=requests)
    routes = frozenset(path for route in app.routes if (path := getattr(route, "path", None)))
    app.add_middleware(Trace, metrics=metrics, routes=routes)
    return app


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


def describe(task: str, champion: Champion) -> TaskInfo:
    """What `/info` says about one champion."""
    predictor, spec = champion.predictor, champion.predictor.spec
    return TaskInfo(
        task=task,
        model_version=champion.version,
        kind=spec.kind,
        labels=list(spec.labels),
        searches=champion.finder is not None,
        digest=predictor.digest,
        engine=predictor.engine,
        input=spec.input.model_dump(mode="json"),
        threshold=spec.threshold,
        temperature=spec.temperature,
        metrics=spec.metrics,
        lineage=predictor.lineage.model_dump(mode="json") if predictor.lineage else None,
        limits={"max_bytes": spec.max_bytes, "max_pixels": spec.max_pixels},
    )


def _explain_errors(app: FastAPI) -> None:
    """Give FastAPI's own refusals the shape of ours."""

    @app.exception_handler(Refusal)
    async def refused(request: Request, refusal: Refusal) -> Response:
        return refusal.answer(request_id(request.scope))

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"] if part != "body")
        refusal = Refusal(422, "invalid", f"{place or 'body'}: {first['msg']}", FORM_HINT)
        return refusal.answer(request_id(request.scope))

    @app.exception_handler(HTTPException)
    async def other(request: Request, error: HTTPException) -> Response:
        known = {
            404: ("not_found", "/ lists the addresses"),
            405: ("method", "/openapi.json tells how"),
        }
        word, hint = known.get(error.status_code, ("invalid", FORM_HINT))
        refusal = Refusal(error.status_code, word, str(error.detail), hint)
        return refusal.answer(request_id(request.scope))
