"""`GET /info` and `/tasks`: what is served, where it came from, and what it takes."""

from fastapi import FastAPI

from roadworthy import __version__
from roadworthy.serving.answers import Info, TaskInfo, TaskSummary
from roadworthy.serving.champions import Champion
from roadworthy.serving.context import Context
from roadworthy.serving.inspect import MAX_SCENES


def add_route(app: FastAPI, context: Context) -> None:
    """Let `app` answer `/info` and `/tasks`."""

    @app.get("/info", summary="Versions, labels, figures, lineage, limits")
    async def info() -> Info:
        settings = context.settings
        return Info(
            version=__version__,
            limits={
                "max_bytes": context.max_bytes,
                "max_files": settings.files,
                "max_scenes": min(MAX_SCENES, settings.files),
                "urls": settings.urls,
                "feedback": context.log is not None,
            },
            tasks={task: describe(task, one) for task, one in context.served.champions.items()},
        )

    @app.get("/tasks", summary="What can be asked")
    async def tasks() -> list[TaskSummary]:
        return [
            TaskSummary.model_validate(describe(task, champion).model_dump())
            for task, champion in context.served.champions.items()
        ]


def describe(task: str, champion: Champion) -> TaskInfo:
    """What `/info` says about one champion."""
    predictor, spec = champion.predictor, champion.predictor.spec
    return TaskInfo(
        task=task,
        model_version=champion.version,
        kind=spec.kind,
        labels=list(spec.labels),
        searches=champion.finder is not None,
        digest=champion.digest,
        engine=predictor.engine,
        input=spec.input.model_dump(mode="json"),
        threshold=spec.threshold,
        sure=spec.sure,
        temperature=spec.temperature,
        metrics=spec.metrics,
        lineage=predictor.lineage.model_dump(mode="json") if predictor.lineage else None,
        limits={"max_bytes": spec.max_bytes, "max_pixels": spec.max_pixels},
    )
