"""The command line: thin. Whatever costs more than 0.2 s to import is imported inside its verb."""

import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from roadworthy import __version__, environment
from roadworthy.errors import RoadworthyError
from roadworthy.layout import PLAN, STAGES


class _Group(typer.core.TyperGroup):
    """Prints an error of ours as one message, without a traceback, and exits with 1."""

    def invoke(self, ctx: typer.Context) -> object:  # type: ignore[override]
        try:
            return super().invoke(ctx)
        except RoadworthyError as error:
            typer.secho(f"ERROR: {error}", fg=typer.colors.RED, err=True)
            sys.exit(1)


app = typer.Typer(
    cls=_Group,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="The road from car images to a model in service."
)

TaskOption = Annotated[str, typer.Option("--task", help="A task of params.yaml.")]


@app.callback(invoke_without_command=True)
def main(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    environment.apply()
    if version:
        typer.echo(__version__)


def _per_task(stage: str) -> None:
    def verb(task: TaskOption) -> None:
        from roadworthy.params import load_plan

        plan = load_plan(PLAN / f"{task}.yaml")
        import_module(f"roadworthy.pipeline.{stage}").run(plan)

    verb.__doc__ = f"Run the stage `{stage}` for one task, as `dvc repro {stage}@TASK` does."
    app.command(stage, rich_help_panel="Stages")(verb)


def _shared(stage: str) -> None:
    def verb() -> None:
        import_module(f"roadworthy.pipeline.{stage}").run()

    verb.__doc__ = f"Run the stage `{stage}`, as `dvc repro {stage}` does."
    app.command(stage, rich_help_panel="Stages")(verb)


for _stage in STAGES:
    (_shared if _stage in ("plan", "pretrain") else _per_task)(_stage)


@app.command(rich_help_panel="Data")
def generate(
    folder: Annotated[Path, typer.Argument(help="Where to draw; must not hold anything.")],
    seed: Annotated[int, typer.Option(help="The same seed draws the same bytes.")] = 7,
    scale: Annotated[float, typer.Option(help="1.0 is about 4,000 images.")] = 1.0,
) -> None:
    """Draw the embedded data set."""
    from roadworthy.data.generated import generate as draw
    from roadworthy.progress import bar

    with bar("generate") as progress:
        summary = draw(folder, seed=seed, scale=scale, progress=progress)
    typer.echo(str(summary))
