"""The table at the end of the road, and the promotion history."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from roadworthy.layout import folder
from roadworthy.tracking import history as record
from roadworthy.tracking import registry

NEXT = (
    ("make ui", "compare the runs in MLflow"),
    ("make serve", "ask the champions over HTTP, on http://127.0.0.1:3000"),
    ("make retrain", "walk the road again as a Prefect flow"),
)


def run(tasks: list[str]) -> None:
    """Print one row per task: champion, test accuracy with its interval, last decision, report."""
    table = Table(
        title="Roadworthy", title_style="bold", box=None, padding=(0, 1, 0, 0), header_style="dim"
    )
    for heading in ("task", "champion", "test accuracy", "decision", "where to look"):
        table.add_column(heading, no_wrap=True)
    decisions = {line.task: line for line in record.read()}
    for task in tasks:
        champion = registry.champion(task)
        last = decisions.get(task)
        table.add_row(
            task,
            champion.name if champion else "none",
            escape(_accuracy(champion.metrics)) if champion else "",
            last.decision if last else "",
            str(folder(task, "evaluate")),
        )
    console = Console()
    console.print(table)
    console.print("Next:")
    for command, words in NEXT:
        console.print(f"  [bold]{command:<14}[/bold] {words}")


def _accuracy(figures: dict[str, float]) -> str:
    """The figure with its 95 % interval, as `0.953 [0.921 0.975]`."""
    ends = f"{figures['accuracy_low']:.3f} {figures['accuracy_high']:.3f}"
    return f"{figures['accuracy']:.3f} [{ends}]"


def history(task: str | None) -> None:
    """Print the promotion history, oldest first."""
    table = Table(title="Promotions", box=None, header_style="dim", padding=(0, 1, 0, 0))
    for heading in ("when (UTC)", "who", "task", "decision", "champion"):
        table.add_column(heading, no_wrap=True)
    table.add_column("reason", min_width=24)
    for line in record.read(task):
        table.add_row(
            line.when[:16].replace("T", " "),
            line.who,
            line.task,
            line.decision,
            _moved(line),
            escape(line.reason),
        )
    Console().print(table)


def _moved(line: record.Decision) -> str:
    """The champion, `1 > 2` where it is another one now; what was judged in brackets where not."""
    before = str(line.from_version or "none")
    if line.decision in record.MOVING:
        return f"{before} > {line.to_version}"
    return f"{before} (not {line.to_version})" if line.decision == "refused" else before
