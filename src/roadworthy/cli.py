"""The command line: thin. Whatever costs more than 0.2 s to import is imported inside its verb."""

import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from roadworthy import __version__, environment
from roadworthy.cli_live import ingest, monitor, score
from roadworthy.cli_service import Port, become, package, serve
from roadworthy.errors import RoadworthyError
from roadworthy.layout import PLAN, STAGES

if TYPE_CHECKING:
    from roadworthy.params import TaskPlan


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
    help="The road from car images to a model in service.",
)

TaskOption = Annotated[str, typer.Option("--task", help="A task of params.yaml.")]
EachTask = Annotated[str, typer.Option("--task", help="One task; without it, all.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object per line.")]


@app.callback(invoke_without_command=True)
def main(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Set the switches of other people's tools before any of them is imported."""
    environment.apply()
    if version:
        typer.echo(__version__)


def _per_task(stage: str) -> None:
    def verb(task: TaskOption) -> None:
        import_module(f"roadworthy.pipeline.{stage}").run(_plan(task))

    verb.__doc__ = f"Run the stage `{stage}` for one task, as `dvc repro {stage}@TASK` does."
    app.command(stage, rich_help_panel="Stages")(verb)


def _shared(stage: str) -> None:
    def verb() -> None:
        import_module(f"roadworthy.pipeline.{stage}").run()

    verb.__doc__ = f"Run the stage `{stage}`, as `dvc repro {stage}` does."
    app.command(stage, rich_help_panel="Stages")(verb)


for _stage in STAGES:
    (_shared if _stage in ("plan", "pretrain") else _per_task)(_stage)


@app.command(rich_help_panel="Models")
def tune(
    task: TaskOption,
    trials: Annotated[
        int | None,
        typer.Option("--trials", min=1, help="In all, those of an earlier search counted in."),
    ] = None,
    jobs: Annotated[
        int | None, typer.Option("--jobs", min=1, help="Processes that search at once.")
    ] = None,
) -> None:
    """Search for better settings of a task's training; go on with a search that was interrupted."""
    from roadworthy.pipeline.tune import run

    run(task, trials, jobs)


@app.command(rich_help_panel="Models")
def backbones(
    pattern: Annotated[
        str, typer.Argument(help="A part of the name, or a pattern such as '*_v2_*'.")
    ] = "",
) -> None:
    """The backbones there are: least and native size, parameters, operations, ImageNet top-1."""
    from roadworthy.pipeline.backbones import run

    run(pattern)


@app.command(rich_help_panel="Data")
def setup(
    accept: Annotated[
        bool, typer.Option("--accept", help="Make what is in data/ the new version.")
    ] = False,
    restore: Annotated[
        bool, typer.Option("--restore", help="Bring the recorded version back into data/.")
    ] = False,
) -> None:
    """Make this checkout ready: the images that data.dvc records, and a page for `dvc plots`."""
    from roadworthy.pipeline.setup import run

    if accept and restore:
        raise typer.BadParameter("--accept and --restore say the opposite: choose one")
    run(accept, restore)


@app.command(rich_help_panel="Data")
def fetch(
    task: Annotated[
        str, typer.Argument(help="A task of params.yaml; without it, all that have sources.")
    ] = "",
    check: Annotated[
        bool, typer.Option("--check", help="Only say whether Kaggle has newer versions.")
    ] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Leave the task's other images out.")
    ] = False,
) -> None:
    """Bring the collections that params.yaml names (`sources:`), as a new version of the data."""
    from roadworthy.pipeline.fetch import run

    run(task, check, replace)


@app.command(rich_help_panel="Data")
def generate(
    folder: Annotated[Path, typer.Argument(help="Where to draw; must not hold anything.")],
    seed: Annotated[int, typer.Option(help="The same seed draws the same bytes.")] = 7,
    scale: Annotated[float, typer.Option(help="1.0 is about 5,000 images.")] = 1.0,
) -> None:
    """Draw the embedded data set."""
    from roadworthy.data.generated import generate as draw
    from roadworthy.progress import bar

    with bar("generate") as progress:
        summary = draw(folder, seed=seed, scale=scale, progress=progress)
    typer.echo(str(summary))


@app.command(rich_help_panel="Data")
def add(
    images: Annotated[Path, typer.Argument(help="A folder with your images.")],
    task: TaskOption,
    replace: Annotated[
        bool, typer.Option("--replace", help="Put the task's present images aside first.")
    ] = False,
    labels: Annotated[
        Path | None, typer.Option("--labels", help="A CSV (path,label[,group]) for that folder.")
    ] = None,
    keep_unlabelled: Annotated[
        bool, typer.Option("--keep-unlabelled", help="Copy images without a label as well.")
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """Copy images of your own into a task, as a new version of the data."""
    from roadworthy.pipeline.add import run

    run(images, task, replace, labels, keep_unlabelled, dry_run)


@app.command(rich_help_panel="Data")
def audit(
    task: Annotated[str, typer.Argument(help="A task of params.yaml that has been trained.")],
    apply: Annotated[
        Path | None,
        typer.Option("--apply", help="A CSV with corrected labels, to make a new version of."),
    ] = None,
) -> None:
    """Rank the images of a task by how wrong their label looks, or take corrections in."""
    from roadworthy.pipeline import audit as stage

    if apply is None:
        stage.run(_plan(task))
    else:
        stage.apply(_plan(task), apply)


@app.command(rich_help_panel="Models")
def promote(
    task: EachTask = "",
    run: Annotated[
        str | None, typer.Option("--run", help="Judge the model of this MLflow run instead.")
    ] = None,
    force: Annotated[
        str, typer.Option("--force", help="Why it is promoted although rules fail; is recorded.")
    ] = "",
) -> None:
    """Judge the exported models, and make champion what has earned it."""
    from roadworthy.pipeline.promote import promote as judge

    if (run or force) and not task:
        raise typer.BadParameter("--run and --force are for one task: say which with --task")
    failed = []
    for name in _names(task):
        try:
            decision = judge(_plan(name), run, force)
        except RoadworthyError as error:
            failed.append(f"{name}: {error}")
            continue
        typer.echo(f"{name}: {decision.decision}: {decision.reason}")
    if failed:
        raise RoadworthyError("\n".join(failed))


@app.command(rich_help_panel="Models")
def compare(
    one: Annotated[str, typer.Argument(help="champion, previous, challenger, 3, a run, export.")],
    other: Annotated[str, typer.Argument(help="The same; read as the change from the first.")],
    task: TaskOption,
) -> None:
    """Run two models on the current test images: which is better, and where."""
    from roadworthy.pipeline.compare import run

    run(_plan(task), one, other)


@app.command(rich_help_panel="Models")
def rollback(
    task: TaskOption,
    to: Annotated[
        int | None, typer.Option("--to", help="A former champion; without it, the last one.")
    ] = None,
    reason: Annotated[str, typer.Option("--reason", help="For the history.")] = "",
) -> None:
    """Put an earlier champion back on the road."""
    from roadworthy.pipeline.rollback import run

    run(task, to, reason)


@app.command(rich_help_panel="Models")
def prune(
    task: EachTask = "",
    dry_run: DryRun = False,
) -> None:
    """Remove old runs and versions, as `prune` in params.yaml says; never one with an alias."""
    from roadworthy.pipeline.prune import run

    for name in _names(task):
        run(_plan(name), dry_run)


@app.command(rich_help_panel="Models")
def history(task: EachTask = "") -> None:
    """Who decided what about which model, oldest first."""
    from roadworthy.pipeline.summary import history as show

    show(task or None)


@app.command(rich_help_panel="Models")
def summary() -> None:
    """The champions, their figures, the last decisions, and where to look."""
    from roadworthy.pipeline.summary import run

    run(list(_names("")))


@app.command(rich_help_panel="Models")
def predict(
    images: Annotated[list[Path], typer.Argument(help="Image files.")],
    task: TaskOption,
    as_json: AsJson = False,
) -> None:
    """Ask the champion of a task about images."""
    from roadworthy.pipeline.predict import run

    run(images, task, as_json)


@app.command(rich_help_panel="Models")
def inspect(
    sources: Annotated[list[Path], typer.Argument(help="Images, folders, videos.")],
    out: Annotated[Path, typer.Option("--out", help="Where to write.")] = Path("inspected"),
    ask: Annotated[list[str] | None, typer.Option(help="Tasks; else police, brand.")] = None,
    find: Annotated[str, typer.Option(help="Task that searches; else detector.")] = "",
    every: Annotated[int | None, typer.Option(min=1, help="Frames; else 5 a second.")] = None,
    as_json: AsJson = False,
    pictures: Annotated[bool, typer.Option(help="Draw the boxes.")] = True,
    heat: Annotated[bool, typer.Option("--heat", help="Draw the confidence too.")] = False,
    score: Annotated[bool, typer.Option("--score", help="Compare with boxes.csv.")] = False,
) -> None:
    """Find the cars in images and videos, and ask other champions about each."""
    from roadworthy.pipeline.inspect import run

    run(sources, out, ask, find, every, as_json, pictures, heat, score)


@app.command(rich_help_panel="Models")
def ui(port: Port = 5000) -> None:
    """Open MLflow's pages on the runs and the registry."""
    from roadworthy.tracking import store

    uri = store.connect()
    for name in _names(""):
        typer.echo(f"{name}: {store.ui_url(name)}")
    where = ("--host", "127.0.0.1", "--port", str(port), "--workers", "1")
    become("mlflow", "server", "--backend-store-uri", uri, *where)


for _verb in (package, serve, monitor, ingest, score):
    app.command(rich_help_panel="Service")(_verb)


def _plan(task: str) -> "TaskPlan":
    from roadworthy.params import load_plan

    return load_plan(PLAN / f"{task}.yaml")


def _names(task: str) -> list[str]:
    from roadworthy.params import load

    return [load().task(task).name] if task else list(load().tasks)
