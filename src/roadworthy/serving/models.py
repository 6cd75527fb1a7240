"""`GET /models`: how good each champion is, how it became one, and how it does here and now."""

from collections.abc import Iterable, Sequence
from urllib.parse import urlencode

from fastapi import FastAPI
from prometheus_client.samples import Sample
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from roadworthy.bundle.figures import Bin, Confusion, Figure, Point, read_figures, with_intervals
from roadworthy.serving.champions import Champion
from roadworthy.serving.context import Context
from roadworthy.serving.live import Live, live, read
from roadworthy.serving.store import HISTORY

REPORT = "evaluate/report.html"
"""Where the run of a model has the report of its evaluation."""


class Step(BaseModel):
    """A decision about which version is champion."""

    at: str = Field(description="UTC, ISO 8601")
    decision: str
    version: int | None
    reason: str


class Dated(Step):
    """One entry of `history.json`."""

    task: str


class Links(BaseModel):
    """Where more is told."""

    mlflow: str | None = Field(default=None, description="The run that made the model")
    report: str | None = Field(default=None, description="The report of its evaluation, a download")


class ModelView(BaseModel):
    """All that is shown of one champion."""

    version: int = Field(description="Number in the registry")
    kind: str
    labels: list[str]
    engine: str
    figures: dict[str, Figure] = Field(description="On the test split, each with its interval")
    curve: list[Point] = Field(description="Precision and recall by threshold; of a binary task")
    threshold: float | None
    confusion: Confusion | None = Field(description="Counts by truth (rows) and answer (columns)")
    reliability: list[Bin] = Field(description="Confidence against accuracy, after calibration")
    history: list[Step] = Field(description="As it was when this was packaged, oldest first")
    live: Live
    links: Links


class Models(BaseModel):
    """`/models`."""

    tasks: dict[str, ModelView]


def add_route(app: FastAPI, context: Context) -> None:
    """Let `app` answer `/models`."""
    history = read_history(context.served.champions.values())

    @app.get("/models", summary="Figures, curves, history and live figures of every champion")
    def models() -> Models:
        samples = read(context.metrics.text())
        return Models(
            tasks={
                task: view(task, champion, history, samples, context.settings.mlflow_url)
                for task, champion in context.served.champions.items()
            }
        )


def view(
    task: str,
    champion: Champion,
    history: Sequence[Dated],
    samples: Sequence[Sample],
    mlflow: str = "",
) -> ModelView:
    """What is shown of one champion.

    Args:
        history: of all tasks.
        samples: what the process has counted.
        mlflow: address of MLflow; empty where there is none to link to.
    """
    predictor = champion.predictor
    spec, found = predictor.spec, read_figures(predictor.folder)
    run = predictor.lineage.run_id if predictor.lineage else None
    return ModelView(
        version=champion.version,
        kind=spec.kind,
        labels=list(spec.labels),
        engine=predictor.engine,
        figures=found.figures or with_intervals(spec.metrics),
        curve=list(found.curve),
        threshold=spec.threshold,
        confusion=found.confusion,
        reliability=list(found.reliability),
        history=[Step(**one.model_dump(exclude={"task"})) for one in history if one.task == task],
        live=live(task, champion, samples),
        links=links(mlflow, run),
    )


def read_history(champions: Iterable[Champion]) -> list[Dated]:
    """The promotions that were packaged beside the champions; empty where there are none to read."""
    for folder in dict.fromkeys(champion.predictor.folder.parent for champion in champions):
        try:
            return TypeAdapter(list[Dated]).validate_json((folder / HISTORY).read_bytes())
        except (OSError, ValidationError):
            continue
    return []


def links(mlflow: str, run: str | None) -> Links:
    """Addresses of a run in MLflow.

    Args:
        mlflow: address of its server; empty: no links.
        run: id of the run; None: not known.
    """
    if not mlflow or not run:
        return Links()
    base = mlflow.rstrip("/")
    report = urlencode({"path": REPORT, "run_uuid": run}, safe="/")
    return Links(mlflow=f"{base}/#/runs/{run}", report=f"{base}/get-artifact?{report}")
