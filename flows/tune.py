"""A search for better settings of a task's training, in several workers at once.

    python -m flows.tune car --trials 20 --workers 2

Each worker is a process, and a task in Prefect's pages. The search is on disk: whatever ends this
flow, the next one goes on with it. Nothing of the road is touched.
"""

import argparse
import csv
import os
import re
import sys
import threading
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from roadworthy import environment, params
from roadworthy.errors import RoadworthyError, TrainingError

# Prefect reads its settings when it is imported.
environment.apply()

from prefect import flow, get_run_logger, task  # noqa: E402
from prefect.cache_policies import NO_CACHE  # noqa: E402
from prefect.futures import PrefectFuture  # noqa: E402
from prefect.task_runners import ThreadPoolTaskRunner  # noqa: E402

from flows import artifacts, drift, ending, limits, notify, process, progress  # noqa: E402
from flows.progress import Meter  # noqa: E402
from roadworthy.layout import folder  # noqa: E402

MOST_WORKERS = 64
WORKERS: Any = ThreadPoolTaskRunner(max_workers=MOST_WORKERS)
SHOWN = 20
"""Trials in the table."""
PAGE, TABLE, BEST = "search.html", "trials.csv", "best.yaml"
BEGUN = re.compile(r"^search \S+: (\d+) of \d+ trials are there")
ENDED = re.compile(r"^trial \d+: (complete|pruned)")


class StoppedError(TrainingError):
    """The search was stopped; it goes on where it was."""


class Together:
    """What the workers of one search share: how far it is, and whether it was stopped."""

    def __init__(self, trials: int, meter: Meter) -> None:
        self.trials, self.done = trials, 0
        self.stopped = threading.Event()
        self._meter, self._lock = meter, threading.Lock()

    def line(self, text: str) -> None:
        """One line of a worker's output."""
        with self._lock:
            if found := BEGUN.match(text):
                self.done += int(found[1])
            elif ENDED.match(text):
                self.done += 1
            else:
                return
            self._meter.percent = 100 * min(self.done / self.trials, 1.0)
            self._meter.words = f"{self.done} of {self.trials} trials; {text}"


@task(name="worker", task_run_name="worker-{number}", cache_policy=NO_CACHE)
def worker(number: int, command: list[str], place: bool, together: Together) -> None:
    """Train trials until there are as many as were asked for.

    Args:
        place: wait for a GPU of its own.

    Raises:
        StoppedError: it was stopped.
        TrainingError: it ended with an error; the others are stopped.
    """
    report = get_run_logger().info

    def line(text: str) -> None:
        together.line(text)
        report(text)

    try:
        with limits.gpu(report) if place else nullcontext():
            ended = process.run(command, line, stopped=together.stopped.is_set)
        if together.stopped.is_set():
            raise StoppedError(f"worker {number} was stopped: the search goes on where it was")
        if ended.status != 0:
            raise TrainingError(f"worker {number} ended with {ended.status}\n{ended.last}")
    except BaseException:
        together.stopped.set()
        raise


@flow(
    name="tune",
    flow_run_name="tune-{task}",
    validate_parameters=True,
    task_runner=WORKERS,
)
def tune(task: str, trials: int | None = None, workers: int | None = None) -> Path:
    """Search, and leave page, table and best settings in `artifacts/TASK/tune/`.

    Args:
        task: a name of params.yaml.
        trials, workers: instead of `tune.trials` and `tune.jobs` there.
    """
    settings = params.load().task(task).tune
    wanted, count = trials or settings.trials, min(workers or settings.jobs, MOST_WORKERS)
    gpus = limits.gpus()
    # One place for each, where the places are GPUs; else one for all of them on this machine.
    own = gpus > 1 and drift.served()
    report = get_run_logger().info
    with (
        nullcontext() if own else limits.gpu(report),
        progress.shown(f"tune-{task}") as meter,
    ):
        together = Together(wanted, meter)
        started = [
            worker.submit(number, _command(task, wanted, number, gpus), own, together)
            for number in range(1, count + 1)
        ]
        _wait(started, together)
    _show(task, settings.metric)
    return folder(task, "tune") / PAGE


def _command(task: str, trials: int, number: int, gpus: int) -> list[str]:
    """The first worker opens the search and writes its page; each has a GPU, where there are some."""
    lead = ["roadworthy", "tune", "--task", task, "--trials", str(trials), "--jobs", "1"]
    helper = ["roadworthy.pipeline.tune", task, str(trials)]
    return [*_device(number, gpus), sys.executable, "-m", *(lead if number == 1 else helper)]


def _device(number: int, gpus: int) -> list[str]:
    if gpus < 2:
        return []
    known = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = known.split(",") if known else [str(place) for place in range(gpus)]
    return ["env", f"CUDA_VISIBLE_DEVICES={names[(number - 1) % gpus]}"]


def _wait(started: Sequence[PrefectFuture[None]], together: Together) -> None:
    """Until all have ended; when this is interrupted, or one fails, all are stopped first."""
    try:
        for future in started:
            future.wait()
    except BaseException:
        together.stopped.set()
        raise
    states = [future.state for future in started]
    errors = [s.result(raise_on_failure=False) for s in states if not s.is_completed()]
    # The one that stopped the others tells why.
    for error in sorted(errors, key=lambda error: isinstance(error, StoppedError)):
        raise error


def _show(task: str, metric: str) -> None:
    """The best trials, the lines for params.yaml and the page, in Prefect's pages; and a notice."""
    out = folder(task, "tune")
    with (out / TABLE).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    done = [row for row in rows if row["state"] == "complete"]
    done.sort(key=lambda row: float(row[metric]), reverse=metric.endswith("accuracy"))
    artifacts.table(f"tune-{task}", [*done, *(r for r in rows if r not in done)][:SHOWN], metric)
    artifacts.link(f"tune-{task}-page", (out / PAGE).resolve().as_uri(), PAGE, f"`{out / PAGE}`")
    said = f"{len(rows)} trials, none complete"
    if done:
        best = (out / BEST).read_text(encoding="utf-8")
        said = f"{len(rows)} trials, best {metric} {float(done[0][metric]):.4g}"
        artifacts.markdown(
            f"tune-{task}-best", f"For `params.yaml`:\n\n```yaml\n{best}\n```\n", said
        )
    notify.notify(f"tune: {task} searched", f"{said}\nPage: {(out / PAGE).resolve()}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Search once; 1 when it failed."""
    parser = argparse.ArgumentParser(prog="python -m flows.tune", description=__doc__)
    parser.add_argument("task", help="a name of params.yaml")
    parser.add_argument("--trials", type=int, help="default: tune.trials of params.yaml")
    parser.add_argument("--workers", type=int, help="default: tune.jobs of params.yaml")
    given = parser.parse_args(arguments)
    ending.orderly()
    try:
        params.load().task(given.task)
        page = tune(given.task, given.trials, given.workers)
    except RoadworthyError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 1
    print(f"see {page}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
