"""tune: search for better settings of a task's training. Not a stage of the road.

A trial trains as `train` does, with other settings, and is judged by what it reaches on the
validation images. Nothing of the road is touched: not `artifacts/TASK/train`, not `dvc.lock`, not
the registry. The best settings are printed, for a person to put into `params.yaml`.
"""

import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from filelock import FileLock

from roadworthy.errors import ParamsError
from roadworthy.layout import folder, replacing
from roadworthy.params import TaskPlan, load
from roadworthy.pipeline.tuner import SEARCHES, SOURCE, Tuner
from roadworthy.tracking.runs import RunLog
from roadworthy.tuning import page, screen, space

PAGE, TABLE, BEST = "search.html", "trials.csv", "best.yaml"
POLL_SECONDS = 0.5
log = logging.getLogger(__name__)


def run(task: str, trials: int | None = None, jobs: int | None = None) -> None:
    """Search, and leave a page, a table and the best settings in `artifacts/TASK/tune/`.

    Args:
        trials, jobs: instead of those in `params.yaml`.

    Raises:
        ParamsError: a setting is wrong; nothing was trained.
        StaleError: the stages before training have to be run first.
        TrackingError: the tracking server cannot be reached; nothing was trained.
    """
    plan = load().task(task)
    wanted = {"trials": trials or plan.tune.trials, "jobs": jobs or plan.tune.jobs}
    plan = plan.model_copy(update={"tune": plan.tune.model_copy(update=wanted)})
    tuner = Tuner(plan)
    search = tuner.search
    there = len(search.trials())
    print(
        f"search {search.folder.name}: {there} of {plan.tune.trials} trials are there", flush=True
    )
    if not there and list(SEARCHES.glob(f"{task}-*/search.log"))[1:]:
        print("an earlier search had other settings, images or backbone: this one begins anew")
    settings = plan.as_dict()
    search.begin({name: space.at(settings, name) for name in tuner.entries})
    with _parent(tuner) as record:
        with _helpers(plan, search.folder.name):
            tuner.work()
        # What a helper that died has left over, and others at work in the same search.
        while tuner.search.busy():
            time.sleep(POLL_SECONDS)
            tuner.work()
        tuner.work()
        with FileLock(search.folder / "conclude.lock"):
            _conclude(tuner, record)


def helper(task: str, trials: int, name: str = "") -> None:
    """Take part in the search called `name`, without a word at the end.

    Args:
        name: empty: of the search that another process is about to open.

    Raises:
        SystemExit: whoever started this process has ended.
    """
    plan = load().task(task)
    plan = plan.model_copy(update={"tune": plan.tune.model_copy(update={"trials": trials})})
    parent = os.getppid()
    tuner = Tuner(plan, parent)
    if name and tuner.search.folder.name != name:
        raise ParamsError("params.yaml or the images changed while the search was starting")
    # Its trials are recorded below the run of the search.
    while tuner.search.run_id is None:
        if os.getppid() != parent:
            raise SystemExit("the search that started this process has ended")
        time.sleep(POLL_SECONDS)
    tuner.work()


def _parent(tuner: Tuner) -> RunLog:
    """The run of the search, the same one each time it goes on."""
    name = tuner.search.folder.name
    record = RunLog.start(
        tuner.plan.name,
        params=tuner.plan.as_dict(),
        lineage=tuner.origin,
        rows=tuner.data.rows,
        name=f"tune-{name}",
        resume=tuner.search.run_id,
        sample_every=0,
    )
    record.tags(SOURCE)
    tuner.search.run_id = record.run_id
    return record


@contextmanager
def _helpers(plan: TaskPlan, name: str) -> Iterator[None]:
    """Other processes in the same search; the block waits for them, or takes them along when it fails."""
    started: list[subprocess.Popen[bytes]] = []
    try:
        for number in range(1, plan.tune.jobs):
            output = SEARCHES / name / f"process-{number + 1}.log"
            command = [sys.executable, "-m", __name__, plan.name, str(plan.tune.trials), name]
            with output.open("wb") as file:
                started.append(subprocess.Popen(command, env=_device(number), stderr=file))
        yield
        for child in started:
            if child.wait():
                log.warning(
                    "a process of the search ended with %s: see %s", child.returncode, output
                )
    finally:
        for child in started:
            child.terminate()
        for child in started:
            child.wait()


def _device(number: int) -> dict[str, str]:
    """The environment of a helper: a GPU of its own, where there are several."""
    own = dict(os.environ)
    if torch.cuda.device_count() > 1:
        visible = own.get("CUDA_VISIBLE_DEVICES") or ",".join(
            map(str, range(torch.cuda.device_count()))
        )
        own["CUDA_VISIBLE_DEVICES"] = visible.split(",")[number % torch.cuda.device_count()]
    return own


def _conclude(tuner: Tuner, record: RunLog) -> None:
    """Page, table and best settings, in the folder and in the run, and a summary on the screen."""
    plan, search = tuner.plan, tuner.search
    metric, trials, best = plan.tune.metric, search.trials(), search.best()
    shares = search.importances()
    out = folder(plan.name, "tune")
    with replacing(out) as new:
        shown = page.render(plan.name, metric, trials, best, shares, tuner.entries)
        (new / PAGE).write_text(shown, encoding="utf-8")
        page.frame(trials, metric).to_csv(new / TABLE, index=False)
        if best is not None:
            (new / BEST).write_text(page.snippet(plan.name, best), encoding="utf-8")
    record.artifact(out)
    if best is not None and best.value is not None:
        record.metrics({f"best/{metric}": best.value})
    screen.show(plan.name, metric, trials, best, shares, out / PAGE)


if __name__ == "__main__":
    helper(sys.argv[1], int(sys.argv[2]), *sys.argv[3:])
