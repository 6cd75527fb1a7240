"""The verbs for what comes after: live traffic, new images, many images; see `cli` for the others."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from roadworthy.layout import PLAN

MOMENTS = ["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d"]


def monitor(
    task: Annotated[str, typer.Option("--task", help="One task; without it, all.")] = "",
    log: Annotated[
        Path | None,
        typer.Option("--log", help="Folder of the prediction log; else that of params.yaml."),
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option("--until", help="End of the window, UTC; else now.", formats=MOMENTS),
    ] = None,
) -> None:
    """Compare the service's latest images and answers with what the champion was validated on."""
    from roadworthy import params
    from roadworthy.pipeline.monitor import run

    settings = params.load()
    for name in [settings.task(task).name] if task else list(settings.tasks):
        run(params.load_plan(PLAN / f"{name}.yaml"), log or settings.log, until)


def ingest(
    task: Annotated[str, typer.Option("--task", help="One task; without it, all.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Take in what was proposed.")] = False,
    without: Annotated[
        str, typer.Option("--without", help="Images to leave out for good: 3f2a9c1b,77be01aa.")
    ] = "",
    no: Annotated[bool, typer.Option("--no", help="Leave all of it out for good.")] = False,
) -> None:
    """Make feedback and the images of the inbox a new version of the data."""
    from roadworthy.pipeline.ingest import run

    run(task, yes, without, no)


def score(
    source: Annotated[
        str,
        typer.Argument(
            help="A folder, a pattern, a list (.txt, .csv, .parquet), s3://bucket/folder."
        ),
    ],
    out: Annotated[
        str, typer.Option("--out", help="Parquet: a folder here or s3://bucket/folder.")
    ],
    task: Annotated[str, typer.Option("--task", help="A task of params.yaml.")] = "car",
    model: Annotated[
        str, typer.Option("--model", help="An alias, a version, or a bundle's folder.")
    ] = "champion",
    again: Annotated[
        bool, typer.Option("--again", help="Throw away what --out holds, and begin anew.")
    ] = False,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Processes; else one for each core.")
    ] = None,
    address: Annotated[
        str | None,
        typer.Option("--address", help="HOST:PORT of a Ray cluster; else Ray starts here."),
    ] = None,
) -> None:
    """Ask a champion about any number of images: one row for each, resumable."""
    from roadworthy.pipeline.score import run

    run(source, out, task, model, again, workers, address)
