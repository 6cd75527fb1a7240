"""What serving needs of a bundle: one graph of the network, and what describes it."""

from pathlib import Path
from typing import Literal

from roadworthy.bundle.format import (
    CARD,
    EXPLAIN,
    FIGURES,
    GRAPH,
    LINEAGE,
    REFERENCE,
    SEARCH,
    SPEC,
    SUPPRESS,
    BundleSpec,
    read_spec,
)
from roadworthy.errors import BundleError

Engine = Literal["auto", "onnx", "int8"]
"""Which graph is packaged; `auto`: the optimised one where the bundle carries one that passed."""
WHERE_THERE = (SEARCH, SUPPRESS, EXPLAIN, REFERENCE, FIGURES, CARD, LINEAGE)


def needed(folder: Path, engine: Engine = "auto") -> list[str]:
    """Names of the files in a bundle that serving it with `engine` takes; never the torch weights.

    Raises:
        BundleError: the bundle is damaged, or has no graph for that engine.
    """
    spec = read_spec(folder)
    graph = _graph(spec, engine)
    if not (folder / graph).is_file():
        raise BundleError(f"{folder / graph} is missing: export {spec.task} again")
    return [SPEC, graph, *(name for name in WHERE_THERE if (folder / name).is_file())]


def _graph(spec: BundleSpec, engine: Engine) -> str:
    if engine == "int8" and not spec.optimised:
        raise BundleError(
            f"{spec.task} has no optimised graph that passed its parity gate: use --engine auto"
        )
    return spec.optimised.graph if spec.optimised and engine != "onnx" else GRAPH
