"""compare: which of two models is better, and where; both run now on the current test images."""

from pathlib import Path

from rich.console import Console
from rich.table import Table

from roadworthy import layout
from roadworthy.gate import pages
from roadworthy.gate.evidence import drive
from roadworthy.page import page
from roadworthy.params import TaskPlan
from roadworthy.pipeline.course import course, named
from roadworthy.progress import bar

PAGE = "compare.html"


def run(plan: TaskPlan, one: str, other: str) -> Path:
    """Print the figures of both, and write a page with classes, slices and images where they differ.

    Args:
        one: an alias, a version (`3`, `car/3`), a run's id, or `export`.
        other: the same; changes are read from `one` to `other`.

    Returns:
        The page.

    Raises:
        TrackingError: there is no model of that name.
        DataError: a test image cannot be used, or the two do not answer the same question.
    """
    before, after = named(plan.name, one), named(plan.name, other)
    with bar(f"compare {plan.name}") as progress:
        evidence = drive(course(plan), after, before, progress)
    title = f"{plan.name}: {before.name} and {after.name}"
    shown = list(evidence.challenger.figures)
    figures = pages.figures(evidence, shown, plan.promote)
    table = Table(title=title)
    for column in figures.columns:
        table.add_column(str(column))
    for row in figures.itertuples(index=False):
        table.add_row(*(f"{v:.4f}" if isinstance(v, float) else str(v) for v in row))
    Console().print(table)
    with layout.replacing(layout.folder(plan.name, "compare")) as out:
        body = [f"<h1>{title}</h1>", *pages.sides(evidence, shown, plan.promote)]
        (out / PAGE).write_text(page(title, "".join(body), pages.STYLE), encoding="utf-8")
    path = layout.folder(plan.name, "compare") / PAGE
    Console().print(f"images where they differ: {path}")
    return path
