"""`roadworthy backbones`: the classifiers of torchvision, with their sizes and published figures."""

import sys
from fnmatch import fnmatch

from rich.console import Console
from rich.table import Table

from roadworthy.errors import ParamsError
from roadworthy.models import catalogue
from roadworthy.models.catalogue import Facts

# Piped, a table is as wide as it has to be.
WIDE = 120


def run(pattern: str = "") -> None:
    """Print one row per backbone whose name contains `pattern`, or matches it (`*_v2_*`).

    Raises:
        ParamsError: none does.
    """
    wanted = [name for name in catalogue.names() if pattern in name or fnmatch(name, pattern)]
    if not wanted:
        raise ParamsError(f"no backbone is called {pattern!r}: `roadworthy backbones` lists all")
    columns = ("backbone", "least", "native", "M params", "GFLOPs", "top-1 %", "weights")
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for number, heading in enumerate(columns):
        table.add_column(heading, justify="right" if 0 < number < 6 else "left", no_wrap=True)
    for name in wanted:
        table.add_row(*_row(catalogue.facts(name)))
    console = Console(width=None if sys.stdout.isatty() else WIDE, highlight=False)
    console.print(table)
    console.print(
        "least, native: side of the image in pixels. Parameters, operations and ImageNet top-1: as "
        "published with these weights."
    )
    console.print(
        "params.yaml: `backbone: {name: NAME, weights: WEIGHTS}`, `input: {size: backbone}`"
    )


def _row(facts: Facts) -> tuple[str, ...]:
    native = facts.native
    return (
        facts.name,
        str(facts.least),
        str(native.width),
        f"{facts.parameters / 1e6:.1f}",
        f"{facts.gflops:.2f}",
        f"{facts.top1:.1f}",
        native.weights,
    )
