"""The whole road: every stage through DVC, then promote, then package, then roll out.

    python -m flows.retrain --tasks car police

A night without news ends at once. A stage that fails ends the walk before `promote`, so that the
champions stay what they were. Whatever ends it, the next walk goes on where this one was.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from roadworthy import environment, params
from roadworthy.errors import ParamsError, RoadworthyError

# Prefect reads its settings when it is imported.
environment.apply()

from prefect import flow, get_run_logger  # noqa: E402
from prefect.client.schemas.objects import State  # noqa: E402
from prefect.runtime import flow_run  # noqa: E402
from prefect.states import Completed  # noqa: E402

from flows import commit, ending, leftovers, lock, news, notify, rollout, shown, steps, zombies  # noqa: E402
from flows.shown import row  # noqa: E402
from flows.stage import Walked  # noqa: E402
from roadworthy.params import Params  # noqa: E402
from roadworthy.tracking import lineage  # noqa: E402


@dataclass(frozen=True)
class Walk:
    """What a walk along the road came to."""

    decisions: list[dict[str, Any]] = field(default_factory=list)
    """One for each task, as `promote` made them."""
    bento: str | None = None
    """Tag of the Bento; None where none was asked for."""
    stages: list[Walked] = field(default_factory=list)
    """What DVC did; empty where nothing was stale."""
    commit: str | None = None
    """The commit that records what the walk changed."""
    rolled_out: bool = False
    """Whether the Bento was put into service."""


@flow(name="retrain", flow_run_name="retrain", validate_parameters=True)
def retrain(
    tasks: list[str] | None = None, package: bool = True, reason: str = ""
) -> "Walk | State[Walk]":
    """Walk the road: train what is stale, judge it, package what is champion, roll it out.

    Args:
        tasks: names of params.yaml; None is all of them.
        package: build the Bento, which always holds the champions of all tasks.
        reason: why, for people; it is in the commit and in the notices.
    """
    report = get_run_logger().info
    settings = params.load()
    names = chosen(tasks, list(settings.tasks))
    zombies.watch(report)
    me = lock.me("the flow retrain", flow_run.id, flow_run.ui_url)
    with _told(reason), lock.alone(me, settings.retrain.wait_minutes, report) as died:
        if died is not None:
            zombies.bury(died, report)
        leftovers.end_stragglers(report)
        lock.wait(leftovers.blocking, settings.retrain.wait_minutes, report)
        leftovers.mend(report)
        walk = _walk(names, settings, package, reason)
    if isinstance(walk, Walk):
        notify.notify(*_said(walk, reason))
    return walk


def _walk(names: list[str], settings: Params, package: bool, reason: str) -> "Walk | State[Walk]":
    known, its = list(settings.tasks), settings.retrain
    if its.fetch:
        steps.fetch()
    found = steps.look(names, known, its, package)
    if not found:
        return Completed(message=f"Skipped: nothing is stale for {', '.join(names)}.", data=Walk())
    if found.stale or found.unjudged or found.uncommitted:
        # Before hours of training, not after them.
        commit.check()
    notify.notify("retrain: started", _lines(reason, str(found)))
    before = commit.head()
    stages = [
        steps.run_stage.with_options(name=stage)(stage, names, its)
        for stage in news.begin(found.stale)
    ]
    shown.show_stages(stages)
    made = steps.record(_message(reason, stages)) if its.commit else None
    decisions = [steps.promote(name) for name in (names if found.stale else found.unjudged)]
    bento = steps.package(known) if package else None
    shown.show_decisions(decisions, bento)
    for decision in decisions:
        shown.show_task(decision["task"])
    if made and before:
        shown.show_metrics(before, get_run_logger().info)
    return Walk(decisions, bento, stages, made, _rolled_out(bento, settings))


def _rolled_out(bento: str | None, settings: Params) -> bool:
    if bento is None or not settings.retrain.rollout or rollout.waiting() is None:
        return False
    steps.roll_out(bento, settings.retrain)
    return True


def _message(reason: str, stages: Sequence[Walked]) -> str:
    """Of the commit: why, which data, which stages ran."""
    ran = [name for stage in stages for name in (*stage.ran, *stage.restored)]
    data = f"data version {lineage.data_version() or 'unknown'}"
    return f"retrain: {reason or 'what was stale'}\n\n{data}\nran: {', '.join(ran) or 'nothing'}"


def _said(walk: Walk, reason: str) -> tuple[str, str]:
    """A notice's subject and body."""
    decided = [f"{one['task']} {one['decision']}" for one in walk.decisions]
    words = [f"{one['task']}: {one['decision']}. {one['reason']}" for one in walk.decisions]
    served = "rolled out" if walk.rolled_out else "not rolled out"
    bento = f"{walk.bento}, {served}" if walk.bento else "not packaged"
    return f"retrain: {', '.join(decided) or bento}", _lines(reason, *words, bento)


@contextmanager
def _told(reason: str) -> Iterator[None]:
    """Tell people when it fails or is stopped."""
    try:
        yield
    except Exception as error:
        notify.notify("retrain: failed", _lines(reason, f"{type(error).__name__}: {error}"))
        raise
    except BaseException:
        notify.notify("retrain: stopped", _lines(reason, "The next walk goes on where it was."))
        raise


def _lines(*lines: str) -> str:
    page = [flow_run.ui_url] if flow_run.ui_url else []
    return "\n".join([*(line for line in lines if line), *page])


def chosen(tasks: Sequence[str] | None, known: Sequence[str]) -> list[str]:
    """The tasks to walk with.

    Raises:
        ParamsError: one of them is not in params.yaml.
    """
    if unknown := [name for name in tasks or () if name not in known]:
        raise ParamsError(f"no task is called {unknown[0]!r}; params.yaml has {', '.join(known)}")
    return list(tasks or known)


def main(arguments: Sequence[str] | None = None) -> int:
    """Walk once, and print what was decided; 1 when it failed."""
    parser = argparse.ArgumentParser(prog="python -m flows.retrain", description=__doc__)
    parser.add_argument("--tasks", nargs="+", metavar="TASK", help="default: all of params.yaml")
    parser.add_argument("--no-package", action="store_true", help="do not build the Bento")
    parser.add_argument("--reason", default="", help="why, for people")
    given = parser.parse_args(arguments)
    ending.orderly()
    try:
        # Also asked by the flow; here a typing error does not wait for Prefect to start.
        chosen(given.tasks, list(params.load().tasks))
        walk = retrain(given.tasks, package=not given.no_package, reason=given.reason)
    except RoadworthyError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 1
    assert isinstance(walk, Walk)
    _show(walk)
    return 0


def _show(walk: Walk) -> None:
    from rich.console import Console
    from rich.table import Table

    if not walk.decisions:
        print(f"nothing was stale; packaged: {walk.bento or 'no'}")
        return
    table = Table(title="retrain", caption=f"packaged: {walk.bento or 'no'}")
    rows = [row(decision) for decision in walk.decisions]
    for name in rows[0]:
        table.add_column(name)
    for values in rows:
        table.add_row(*map(str, values.values()))
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
