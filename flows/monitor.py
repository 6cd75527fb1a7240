"""Live traffic beside what the champions were validated on; what has drifted is told and acted upon.

    python -m flows.monitor --tasks car police

Where training again would help it is started: with a Prefect server by the automation of the
deployment `retrain/on-drift`, which waits for the event; without one by this flow itself. Where
labels are lacking, people are asked for them.
"""

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from roadworthy import environment, layout, params
from roadworthy.errors import RoadworthyError

# Prefect reads its settings when it is imported.
environment.apply()

from prefect import flow, get_run_logger, task  # noqa: E402
from prefect.cache_policies import NO_CACHE  # noqa: E402
from prefect.runtime import flow_run  # noqa: E402

from flows import artifacts, drift, ending  # noqa: E402
from flows.retrain import chosen  # noqa: E402
from roadworthy.monitoring.outcome import Monitored  # noqa: E402

Start = Literal["auto", "event", "here", "no"]


@task(name="monitor", task_run_name="monitor-{name}", cache_policy=NO_CACHE)
def monitor_task(name: str, until: datetime, past: bool = False) -> Monitored | None:
    """Judge one task; None where it has no champion."""
    from roadworthy.pipeline.monitor import NoChampionError, run

    plan = params.load_plan(layout.PLAN / f"{name}.yaml")
    try:
        return run(plan, params.load().log, until, past=past)
    except NoChampionError as error:
        get_run_logger().info("%s: skipped: %s", name, error)
        return None


@flow(name="monitor", flow_run_name="monitor", validate_parameters=True)
def monitor(
    tasks: list[str] | None = None, until: datetime | None = None, start: Start = "auto"
) -> list[Monitored]:
    """Judge the latest traffic of some tasks, and start what it wants.

    One task that cannot be judged keeps no other from it; the flow fails in the end.

    Args:
        tasks: names of params.yaml; None is all of them.
        until: the window's end, UTC where it has no zone; None: when the run was scheduled.
        start: who trains again: `event` (the automation on the server), `here` (this flow), `no`
            (nobody, and nobody is told); `auto`: `event` where a server is set, else `here`.
    """
    names = chosen(tasks, list(params.load().tasks))
    moment = aware(until or flow_run.scheduled_start_time or datetime.now(UTC))
    states = {name: monitor_task(name, moment, return_state=True) for name in names}
    done = {name: state.result(raise_on_failure=False) for name, state in states.items()}
    found = [one for one in done.values() if isinstance(one, Monitored)]
    failed = [one for one in done.values() if isinstance(one, Exception)]
    artifacts.table("monitor", [row(name, one) for name, one in done.items()], "Live traffic.")
    for one in found:
        artifacts.markdown(f"monitor-{one.task}", text(one))
    if start != "no":
        by_event = start == "event" or (start == "auto" and drift.served())
        drift.act(found, "event" if by_event else "here")
    if failed:
        raise failed[0]
    return found


def row(name: str, found: Any) -> dict[str, Any]:
    """What people see of one task."""
    if not isinstance(found, Monitored):
        word = "no champion" if found is None else f"failed: {found}"
        return dict.fromkeys(COLUMNS, "") | {"task": name, "verdict": word}
    drifted, enough = found.judgement.drifted, found.judgement.enough
    verdict = "drifted" if drifted else "as validated" if enough else "too few images"
    alarms = ", ".join(found.alarms)
    values = (name, verdict, alarms, found.images, found.new_labels, found.wants, str(found.page))
    return dict(zip(COLUMNS, values, strict=True))


COLUMNS = ("task", "verdict", "alarms", "images", "new labels", "wants", "page")


def text(found: Monitored) -> str:
    """The judgement as Markdown, with a row for each test."""
    lines = [f"# {found.task}", "", found.judgement.reason, "", f"**{found.advice}**", ""]
    lines += ["| | test | by chance | limit | |", "|---|---|---|---|---|"]
    for test in found.judgement.tests:
        word = "" if test.p is None else "**alarm**" if test.alarm else "quiet"
        p = "" if test.p is None else f"{test.p:.2g}"
        limit = "" if test.p is None else f"{test.limit:.2g}"
        said = test.said.replace("|", "\\|")
        lines.append(f"| {word} | {test.name} | {p} | {limit} | {said} |")
    return "\n".join([*lines, "", f"With pictures: `{found.page.resolve()}`"]) + "\n"


def aware(moment: datetime) -> datetime:
    """With a time zone, which is UTC where there is none."""
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def main(arguments: Sequence[str] | None = None) -> int:
    """Judge once, and print what came of it; 1 when it failed."""
    parser = argparse.ArgumentParser(prog="python -m flows.monitor", description=__doc__)
    parser.add_argument("--tasks", nargs="+", metavar="TASK", help="default: all of params.yaml")
    parser.add_argument(
        "--until", type=datetime.fromisoformat, metavar="TIME", help="ISO 8601; default: now"
    )
    parser.add_argument(
        "--start", choices=("auto", "event", "here", "no"), default="auto", help="who trains again"
    )
    given = parser.parse_args(arguments)
    ending.orderly()
    try:
        # Also asked by the flow; here a typing error does not wait for Prefect to start.
        chosen(given.tasks, list(params.load().tasks))
        found = monitor(given.tasks, given.until, given.start)
    except RoadworthyError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 1
    show([row(one.task, one) for one in found], "monitor")
    return 0


def show(rows: Sequence[dict[str, Any]], title: str) -> None:
    """Print a table."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title)
    names = [name for name in (rows[0] if rows else COLUMNS) if name != "page"]
    for name in names:
        table.add_column(name)
    for values in rows:
        table.add_row(*(str(values[name]) for name in names))
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
