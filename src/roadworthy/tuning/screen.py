"""What a search found, on the terminal."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from roadworthy.tuning import page
from roadworthy.tuning.search import Trial

SHOWN = 10


def show(
    task: str,
    metric: str,
    trials: Sequence[Trial],
    best: Trial | None,
    importances: Mapping[str, float],
    where: Path,
) -> None:
    """Print the best trials, what matters, and what to paste into `params.yaml`."""
    console = Console()
    if best is None:
        console.print(f"no trial of {task} has reached its end yet; see {where}")
        return
    console.print(_table(metric, trials))
    rest = len(trials) - SHOWN
    if rest > 0:
        console.print(f"[dim]{rest} more in {where.with_name('trials.csv')}[/dim]")
    if importances:
        shares = ", ".join(f"{name} {share:.0%}" for name, share in importances.items())
        console.print(f"\nwhat matters: {shares}", highlight=False)
    console.print("\nthe best, for params.yaml:")
    console.print(escape(page.snippet(task, best)), highlight=False, soft_wrap=True)
    console.print(f"next: look at {where}", soft_wrap=True)
    console.print(f"      put it into params.yaml, then `dvc repro export@{task}`", soft_wrap=True)


def _table(metric: str, trials: Sequence[Trial]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    names = list(dict.fromkeys(name for trial in trials for name in trial.values))
    for heading in ("trial", metric, "epochs", *(name.replace(".", ".\n") for name in names)):
        table.add_column(heading, justify="right", overflow="fold", vertical="bottom")
    table.add_column("", no_wrap=True)
    sign = -1 if metric.endswith("accuracy") else 1
    done = [t for t in trials if t.value is not None and t.state != "running"]
    done.sort(key=lambda t: (t.state != "complete", sign * (t.value or 0.0)))
    for place, t in enumerate(done[:SHOWN]):
        cells = [str(t.number), f"{t.value:.4g}", str(t.epochs)]
        cells += [escape(page.text(t.values.get(name, ""))) for name in names]
        note = "present" if t.note.startswith("present") else ""
        words = ", ".join(filter(None, (note, t.state if t.state != "complete" else "")))
        table.add_row(*cells, words, style="bold" if place == 0 else "")
    return table
