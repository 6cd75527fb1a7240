"""The steps of a walk, as Prefect shows and repeats them.

Repeated is what may pass by itself: a lock, a network, a server that is away. Bad data stay bad.
"""

import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

from roadworthy import environment, layout, params
from roadworthy.errors import OvertakenError, RoadworthyError, TrackingError

# Prefect reads its settings when it is imported.
environment.apply()

from prefect import get_run_logger, task  # noqa: E402
from prefect.cache_policies import NO_CACHE  # noqa: E402

from flows import commit, leftovers, limits, lock, news, process, progress, rollout  # noqa: E402
from flows import stage as stages  # noqa: E402
from flows.news import News  # noqa: E402
from flows.stage import Walked  # noqa: E402
from roadworthy.params import Retrain  # noqa: E402

PASSING = ("cannot be reached", "run the command again", "does not answer")
"""What `roadworthy fetch` says of trouble that may pass."""
SHORT, LONG = [5.0, 20.0, 60.0], [30.0, 120.0, 300.0]
"""Seconds between tries, of what costs little and what others have to mend."""


class FetchError(RoadworthyError):
    """New images cannot be had."""


class FetchAwayError(FetchError):
    """The network, or the other side, is not there: try again."""


def _is(*kinds: type[Exception]) -> Callable[[Any, Any, Any], bool]:
    """Whether waiting helps."""

    def passing(_task: Any, _run: Any, state: Any) -> bool:
        error = state.result(raise_on_failure=False)
        return isinstance(error, kinds) and not isinstance(error, OvertakenError)

    return passing


@task(
    name="fetch",
    task_run_name="fetch",
    retries=3,
    retry_delay_seconds=LONG,
    retry_condition_fn=_is(FetchAwayError),
    cache_policy=NO_CACHE,
)
def fetch() -> None:
    """Bring what `sources` names, and say what is newer than its cards."""
    report = get_run_logger().info
    if not any(one.sources for one in params.load().tasks.values()):
        report("no task has `sources:` in params.yaml: nothing to fetch")
        return
    for more in ([], ["--check"]):
        ended = process.run([sys.executable, "-m", "roadworthy", "fetch", *more], report)
        if ended.status != 0:
            away = any(words in ended.last for words in PASSING)
            raise (FetchAwayError if away else FetchError)(f"fetch failed\n{ended.last}")


@task(
    name="look",
    task_run_name="look",
    retries=3,
    retry_delay_seconds=SHORT,
    retry_condition_fn=_is(TrackingError, stages.StageBusyError),
    cache_policy=NO_CACHE,
)
def look(names: Sequence[str], known: Sequence[str], settings: Retrain, package: bool) -> News:
    """What is there to do?"""
    found = news.look(names, known, settings, package)
    get_run_logger().info("%s", found)
    return found


@task(
    retries=3,
    retry_delay_seconds=SHORT,
    retry_condition_fn=_is(stages.StageBusyError, stages.StageAwayError),
    task_run_name="{stage}",
    cache_policy=NO_CACHE,
)
def run_stage(stage: str, tasks: list[str], settings: Retrain) -> Walked:
    """Run one stage for all tasks."""
    log = get_run_logger()
    lock.wait(leftovers.blocking, settings.wait_minutes, log.info)
    shared = settings.gpu if settings.gpu is not None else limits.gpus() > 0
    place = limits.gpu(log.info) if shared and stage in limits.TRAINING else nullcontext()
    with place, progress.shown(stage) as meter:

        def line(text: str) -> None:
            meter.line(text)
            log.info("%s", text)

        return stages.repro(stage, tasks, line)


@task(
    name="commit",
    task_run_name="commit",
    retries=2,
    retry_delay_seconds=5,
    retry_condition_fn=_is(commit.CommitBusyError),
    cache_policy=NO_CACHE,
)
def record(message: str) -> str | None:
    """Commit what the walk changed in git."""
    made = commit.commit(message)
    get_run_logger().info("committed as %s" if made else "nothing to commit%s", made or "")
    return made


@task(
    name="promote",
    task_run_name="promote-{name}",
    retries=3,
    retry_delay_seconds=SHORT,
    retry_condition_fn=_is(TrackingError),
    cache_policy=NO_CACHE,
)
def promote(name: str) -> dict[str, Any]:
    """Let the gate decide about one task."""
    from roadworthy.pipeline.promote import promote as judge

    decision = judge(params.load_plan(layout.PLAN / f"{name}.yaml")).as_dict()
    get_run_logger().info("%s: %s. %s", name, decision["decision"], decision["reason"])
    return decision


@task(
    name="package",
    task_run_name="package",
    retries=2,
    retry_delay_seconds=SHORT,
    retry_condition_fn=_is(TrackingError),
    cache_policy=NO_CACHE,
)
def package(names: list[str]) -> str:
    """Build the Bento of all champions."""
    from roadworthy.pipeline.package import package as build

    result = build(names)
    word = "built" if result.built else "nothing changed since"
    get_run_logger().info("%s %s, with %s", word, result.tag, result.versions)
    return result.tag


@task(name="rollout", task_run_name="rollout", cache_policy=NO_CACHE)
def roll_out(tag: str, settings: Retrain) -> None:
    """Put the Bento into service; not repeated: whether that is safe, only its command knows."""
    log = get_run_logger()
    rollout.roll_out(
        settings.rollout, tag, settings.rollout_minutes, lambda text: log.info("%s", text)
    )
