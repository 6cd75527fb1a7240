"""The whole road: every stage through DVC, then promote, then package.

    python -m flows.retrain --tasks car police

A stage that fails ends the walk before `promote`, so that the champions stay what they were.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from roadworthy import environment, layout, params
from roadworthy.errors import ParamsError, RoadworthyError

# Prefect reads its settings when it is imported.
environment.apply()

from prefect import flow, get_run_logger, task  # noqa: E402
from prefect.artifacts import create_table_artifact  # noqa: E402
from prefect.cache_policies import NO_CACHE  # noqa: E402

from flows import stage as stages  # noqa: E402


@dataclass(frozen=True)
class Walk:
    """What a walk along the road came to."""

    decisions: list[dict[str, Any]]
    """One for each task, as `promote` made them."""
    bento: str | None
    """Tag of the Bento; None where none was asked for."""


def _busy(_task: Any, _run: Any, state: Any) -> bool:
    """Whether waiting helps: bad data stay bad, but a lock is given back."""
    return isinstance(state.result(raise_on_failure=False), stages.StageBusyError)


@task(
    retries=5,
    retry_delay_seconds=30,
    retry_condition_fn=_busy,
    task_run_name="{stage}",
    cache_policy=NO_CACHE,
)
def run_stage(stage: str, tasks: list[str]) -> None:
    """Run one stage for all tasks."""
    stages.repro(stage, tasks, get_run_logger().info)


@task(name="promote", task_run_name="promote-{name}", cache_policy=NO_CACHE)
def promote_task(name: str) -> dict[str, Any]:
    """Let the gate decide about one task."""
    from roadworthy.pipeline.promote import promote

    decision = promote(params.load_plan(layout.PLAN / f"{name}.yaml")).as_dict()
    get_run_logger().info("%s: %s. %s", name, decision["decision"], decision["reason"])
    return decision


@task(name="package", task_run_name="package", cache_policy=NO_CACHE)
def package_champions(names: list[str]) -> str:
    """Build the Bento of all champions."""
    from roadworthy.pipeline.package import package

    result = package(names)
    word = "built" if result.built else "nothing changed since"
    get_run_logger().info("%s %s, with %s", word, result.tag, result.versions)
    return result.tag


@flow(name="retrain", flow_run_name="retrain", validate_parameters=True)
def retrain(tasks: list[str] | None = None, package: bool = True) -> Walk:
    """Walk the road: train what is stale, judge it, package what is champion.

    Args:
        tasks: names of params.yaml; None is all of them.
        package: build the Bento, which always holds the champions of all tasks.
    """
    known = list(params.load().tasks)
    names = chosen(tasks, known)
    for stage in layout.STAGES:
        run_stage.with_options(name=stage)(stage, names)
    decisions = [promote_task(name) for name in names]
    bento = package_champions(known) if package else None
    create_table_artifact(
        key="decisions",
        table=[row(decision) for decision in decisions],
        description=f"Packaged as `{bento}`." if bento else "Not packaged.",
    )
    return Walk(decisions, bento)


def chosen(tasks: Sequence[str] | None, known: Sequence[str]) -> list[str]:
    """The tasks to walk with.

    Raises:
        ParamsError: one of them is not in params.yaml.
    """
    if unknown := [name for name in tasks or () if name not in known]:
        raise ParamsError(f"no task is called {unknown[0]!r}; params.yaml has {', '.join(known)}")
    return list(tasks or known)


def row(decision: dict[str, Any]) -> dict[str, Any]:
    """What people see of a decision."""
    before, judged = decision["from_version"], decision["to_version"]
    return {
        "task": decision["task"],
        "decision": decision["decision"],
        "champion before": "none" if before is None else before,
        "judged": "none" if judged is None else judged,
        "reason": decision["reason"],
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Walk once, and print what was decided; 1 when it failed."""
    parser = argparse.ArgumentParser(prog="python -m flows.retrain", description=__doc__)
    parser.add_argument("--tasks", nargs="+", metavar="TASK", help="default: all of params.yaml")
    parser.add_argument("--no-package", action="store_true", help="do not build the Bento")
    given = parser.parse_args(arguments)
    try:
        # Also asked by the flow; here a typing error does not wait for Prefect to start.
        chosen(given.tasks, list(params.load().tasks))
        walk = retrain(given.tasks, package=not given.no_package)
    except RoadworthyError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 1
    _show(walk)
    return 0


def _show(walk: Walk) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title="retrain", caption=f"packaged: {walk.bento or 'no'}")
    rows = [row(decision) for decision in walk.decisions]
    for name in rows[0]:
        table.add_column(name)
    for values in rows:
        table.add_row(*map(str, values.values()))
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
