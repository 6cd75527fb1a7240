"""Judge the traffic of days that were missed, one after the other; what is judged already is skipped.

    python -m flows.backfill --since 2026-11-01 --until 2026-11-08

Nothing is started and nobody is told: those days are over. Stopped half way, it goes on where it was.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta

from roadworthy import environment, layout, params
from roadworthy.errors import ParamsError, RoadworthyError

# Prefect reads its settings when it is imported.
environment.apply()

from prefect import flow, get_run_logger  # noqa: E402

from flows import artifacts, ending  # noqa: E402
from flows.monitor import monitor_task, row, show  # noqa: E402
from flows.retrain import chosen  # noqa: E402
from roadworthy.monitoring import state  # noqa: E402
from roadworthy.monitoring.outcome import Monitored  # noqa: E402


@flow(name="backfill", flow_run_name="backfill", validate_parameters=True)
def backfill(since: date, until: date, tasks: list[str] | None = None) -> list[Monitored]:
    """Judge the days from `since` to `until`, both included, each at its end (UTC).

    Each day is judged by the bundle of the version that answered last on it.

    Args:
        since: the first day.
        until: the last day; days that are not over are left out.
        tasks: names of params.yaml; None is all of them.
    """
    names = chosen(tasks, list(params.load().tasks))
    found: list[Monitored] = []
    for end in ends(since, until, datetime.now(UTC)):
        for name in names:
            if known(name, end):
                get_run_logger().info("%s: %s is in the history", name, end - timedelta(days=1))
            elif (one := monitor_task(name, end, past=True)) is not None:
                found.append(one)
    rows = [{"day": day_of(one), **row(one.task, one)} for one in found]
    artifacts.table("backfill", rows, f"{since} to {until}")
    return found


def ends(since: date, until: date, now: datetime) -> Iterator[datetime]:
    """The end of each day that is over, UTC.

    Raises:
        ParamsError: `until` is before `since`.
    """
    if until < since:
        raise ParamsError(f"until ({until}) is before since ({since}): turn them around")
    end = datetime.combine(since, time(), UTC) + timedelta(days=1)
    while end <= min(now, datetime.combine(until, time(), UTC) + timedelta(days=1)):
        yield end
        end += timedelta(days=1)


def known(task: str, end: datetime) -> bool:
    """Whether the day that ends then was judged, at whatever hour."""
    judged = state.read(layout.folder(task, "monitor")).judged
    return any(end - timedelta(days=1) < one.until <= end for one in judged)


def day_of(found: Monitored) -> str:
    """The day whose end was judged."""
    return f"{found.until - timedelta(days=1):%Y-%m-%d}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Judge what is missing, and print it; 1 when it failed."""
    parser = argparse.ArgumentParser(prog="python -m flows.backfill", description=__doc__)
    parser.add_argument("--tasks", nargs="+", metavar="TASK", help="default: all of params.yaml")
    parser.add_argument("--since", type=date.fromisoformat, required=True, metavar="DAY")
    parser.add_argument("--until", type=date.fromisoformat, required=True, metavar="DAY")
    given = parser.parse_args(arguments)
    ending.orderly()
    try:
        # Also asked by the flow; here a typing error does not wait for Prefect to start.
        chosen(given.tasks, list(params.load().tasks))
        list(ends(given.since, given.until, datetime.now(UTC)))
        found = backfill(given.since, given.until, given.tasks)
    except RoadworthyError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 1
    if not found:
        print("nothing was missing")
        return 0
    show([{"day": day_of(one), **row(one.task, one)} for one in found], "backfill")
    return 0


if __name__ == "__main__":
    sys.exit(main())
