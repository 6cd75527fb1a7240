"""No sequence of promote, rollback, prune and crash leaves a task without its champion.

Nor with a history that does not replay to the current state. Store and files are real; a crash is
put before or after any write. An example costs about 0.8 s.
"""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from cheap_versions import cheap_version
from postgres import forget, using
from roadworthy.errors import RoadworthyError
from roadworthy.params import Prune
from roadworthy.tracking import handover, history, outdated, process, prune, registry
from roadworthy.tracking.history import Decision
from roadworthy.tracking.replay import replay

VERSIONS = 4
LAST_WRITE = 16
DIED = 9
WRITES = (
    *("create_registered_model", "rename_registered_model", "delete_registered_model"),
    *("create_run", "log_dict", "set_terminated", "delete_run", "delete_tag"),
    *("set_registered_model_alias", "delete_registered_model_alias"),
    *("delete_model_version", "delete_logged_model", "set_model_version_tag"),
)
READS = ("get_registered_model", "search_runs", "search_model_versions", "get_model_version")
HARD = ("_hard_delete_run", "_hard_delete_logged_model")


class Killed(BaseException):
    """The process ends here."""


@dataclass(frozen=True)
class Crash:
    """At which write, whether it reaches the store, and whether anything does after it."""

    at: int
    reaches: bool
    kills: bool


@dataclass(frozen=True)
class Step:
    """Something that somebody does."""

    verb: str
    number: int
    crash: Crash | None


crashes = st.builds(Crash, st.integers(1, LAST_WRITE), st.booleans(), st.booleans())
steps = st.builds(
    Step,
    st.sampled_from(["promote", "promote", "rollback", "rollback to", "prune"]),
    st.integers(1, VERSIONS),
    st.none() | crashes,
)


class Faults:
    """The client's methods, which count writes, crash where they are told to, and watch."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.crash: Crash | None = None
        self.calls, self.dead = 0, False
        rows = type(outdated.backend())
        for kind, names in ((MlflowClient, WRITES), (rows, HARD)):
            for name in names:
                patch.setattr(kind, name, self.write(getattr(kind, name)))
        for name in READS:
            patch.setattr(MlflowClient, name, self.read(getattr(MlflowClient, name)))

    def read(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            if self.dead:
                raise MlflowException("the store is gone")
            return real(*arguments, **options)

        return call

    def write(self, real: Callable[..., Any]) -> Callable[..., Any]:
        reading = self.read(real)

        def call(*arguments: Any, **options: Any) -> Any:
            self.calls += 1
            here = self.crash is not None and self.calls == self.crash.at
            if here and not self.crash.reaches:
                self.fail()
            had = None if self.dead else registry.aliases("car").get("champion")
            result = reading(*arguments, **options)
            assert had is None or registry.aliases("car").get("champion") in registry.numbers("car")
            if here:
                self.fail()
            return result

        return call

    def fail(self) -> None:
        assert self.crash is not None
        self.dead = self.crash.kills
        raise Killed if self.crash.kills else MlflowException("the answer was lost")

    @contextlib.contextmanager
    def during(self, crash: Crash | None) -> Iterator[None]:
        self.crash, self.calls = crash, 0
        try:
            with contextlib.suppress(RoadworthyError, MlflowException, Killed):
                yield
        finally:
            self.crash, self.dead = None, False


@dataclass(frozen=True)
class World:
    """A project with some versions, which can be had again and again."""

    golden: Path
    mlruns: Path
    address: str

    def fresh(self) -> None:
        forget(self.address)
        shutil.rmtree(self.mlruns, ignore_errors=True)
        shutil.copytree(self.golden, self.mlruns)


@pytest.fixture(scope="module")
def world(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("world")
    mlruns = folder / "mlruns"
    mlruns.mkdir()
    shutil.copyfile(empty_store, mlruns / "mlflow.db")
    address = f"sqlite:///{mlruns / 'mlflow.db'}"
    with pytest.MonkeyPatch.context() as patch, using(address, patch):
        patch.chdir(folder)
        for number in range(1, VERSIONS + 1):
            cheap_version(str(number))
        forget(address)
        shutil.copytree(mlruns, folder / "golden")
        yield World(folder / "golden", mlruns, address)


def do(step: Step) -> None:
    if step.verb == "prune":
        policy = Prune(keep_versions=step.number - 1, keep_runs=0, keep_days=0)
        prune.prune("car", policy, now=datetime.now(UTC) + timedelta(minutes=1))
    elif step.verb == "promote":
        promote(step.number)
    else:
        handover.roll_back("car", step.number if step.verb == "rollback to" else None)


def promote(number: int) -> None:
    handover.recover("car")
    champion, challenger = registry.champion("car"), registry.version("car", number)
    if champion != challenger:
        registry.move("car", "challenger", challenger)
        old, when = champion.number if champion else None, "2026-11-21T07:12:00.000+00:00"
        decision = Decision("car", "promoted", "Better.", old, number, when, "ada")
        handover.hand_over(decision, champion, challenger)


def check_before_recovery(had: int | None) -> None:
    champion, entries = registry.aliases("car").get("champion"), history.entries("car")
    waiting = [entry.decision for entry in entries if entry.pending]
    settled = replay(entry.decision for entry in entries if not entry.pending)
    assert had is None or champion in registry.numbers("car")
    assert len(waiting) <= 1
    ends = {number for one in waiting for number in (one.from_version, one.to_version)}
    assert champion in {settled.champion} | ends


def check_after_recovery() -> None:
    handover.recover("car")
    aliases, state = registry.aliases("car"), replay(history.read("car"))
    assert history.pending("car") == []
    assert aliases.get("champion") == state.champion
    assert aliases.get("previous") == state.previous(registry.numbers("car"))
    assert state.champion is None or aliases.get("challenger") != state.champion
    for alias in ("champion", "previous"):
        if version := registry.by_alias("car", alias):
            registry.bundle_folder(version)  # its files are there, and what was registered


def play(world: World, sequence: list[Step]) -> None:
    world.fresh()
    with pytest.MonkeyPatch.context() as patch:
        # To the next step, this process is one that has died.
        patch.setattr(process, "me", lambda: f"{process._here()}/999999999/0")
        faults = Faults(patch)
        for step in sequence:
            had = registry.aliases("car").get("champion")
            with faults.during(step.crash):
                do(step)
            check_before_recovery(had)
        check_after_recovery()


QUIET = {
    "deadline": None,
    "database": None,
    "derandomize": True,
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
}
sequences = st.lists(steps, min_size=2, max_size=6)


@settings(max_examples=10, **QUIET)
@given(sequence=sequences)
def test_a_task_keeps_its_champion(world: World, sequence: list[Step]) -> None:
    """Protects the road from any order of events; a few of them."""
    play(world, sequence)


@pytest.mark.slow
@settings(max_examples=100, **QUIET)
@given(sequence=sequences)
def test_a_task_keeps_its_champion_through_many(world: World, sequence: list[Step]) -> None:
    """Protects the road from any order of events."""
    play(world, sequence)


@pytest.mark.parametrize("verb", ["promote", "rollback", "prune"])
@pytest.mark.slow
def test_every_single_write_may_be_the_last(world: World, verb: str) -> None:
    """Protects from a crash that the draws above missed: each write, before and after it."""
    for at in range(1, LAST_WRITE):
        for reaches in (False, True):
            crash = Crash(at, reaches, kills=True)
            before = [Step("promote", 1, None), Step("promote", 2, None)]
            play(world, [*before, Step(verb, 3, crash), Step("promote", 4, None)])


@pytest.mark.slow
def test_a_process_that_dies_at_any_write(world: World) -> None:
    """Protects from what no exception can show: a process that is simply not there any more."""
    at = 1
    while self_destruct(world, at) == DIED:
        at += 1
    assert at > 10


@pytest.mark.parametrize(
    ("at", "aliases"),
    [(7, {"champion": 1, "challenger": 2}), (9, {"champion": 2, "previous": 1})],
    ids=["the record is written", "the champion has moved"],
)
def test_a_process_that_dies_in_the_middle(world: World, at: int, aliases: dict[str, int]) -> None:
    """The same at two writes: the record is undone, or finished."""
    assert self_destruct(world, at) == DIED
    assert registry.aliases("car") == aliases


def self_destruct(world: World, at: int) -> int:
    """Promote in a child process that ends at a write; gives the way it ended."""
    world.fresh()
    promote(1)
    forget(world.address)
    child = os.fork()
    if child == 0:
        with pytest.MonkeyPatch.context() as patch:
            faults = Faults(patch)
            faults.fail = lambda: os._exit(DIED)  # type: ignore[method-assign]
            faults.crash = Crash(at, True, True)
            try:
                promote(2)
            except BaseException:
                os._exit(1)
            os._exit(0)
    end = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    check_before_recovery(1)
    check_after_recovery()
    return end
