"""What is left when a walk dies, on a real server with real workers: nothing that runs, no run that
says Running for ever; the next walk goes on."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

import toy_road
from prefect_server import Prefect

# Steps of 0.2 s: longer than any test, so that only its death can end it.
ENDLESS = 5000
pytestmark = pytest.mark.slow


@dataclass
class Walk:
    """A walk of the worker, in a folder of its own."""

    folder: Path
    number: str
    """Of the flow run."""

    def training(self) -> list[psutil.Process]:
        """The processes that train."""
        return [process for process in map(_process, self._numbers()) if process]

    def flow(self) -> psutil.Process:
        """The process of the flow: the parent of the one that supervises the training."""
        parents = self.training()[0].parents()
        [supervisor] = [one for one in parents if "supervise.py" in " ".join(one.cmdline())]
        return parents[parents.index(supervisor) + 1]

    def _numbers(self) -> list[int]:
        room = self.folder / "pids"
        return [int(path.name) for path in room.glob("*")] if room.is_dir() else []


Start = Callable[[str], Walk]


@pytest.fixture(scope="module")
def road(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy_road.make(tmp_path_factory.mktemp("road") / "it")


@pytest.fixture(scope="module")
def prefect(tmp_path_factory: pytest.TempPathFactory, road: Path) -> Iterator[Prefect]:
    prefect = Prefect(tmp_path_factory.mktemp("prefect"), road)
    try:
        prefect.serve()
        yield prefect
    finally:
        prefect.stop()


@pytest.fixture(scope="module")
def start(
    prefect: Prefect, road: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Start]:
    """Starts a walk in a copy of the road, on the worker of a pool."""
    flow = prefect.ask("/flows/", name="retrain")["id"]
    walks: list[Walk] = []

    def start(pool: str) -> Walk:
        folder = toy_road.copied(road, tmp_path_factory.mktemp("walk") / "it")
        toy_road.news(folder, "car", steps=ENDLESS)
        there = {"prefect.deployments.steps.set_working_directory": {"directory": str(folder)}}
        deployment = prefect.ask(
            "/deployments/",
            name=folder.parent.name,
            flow_id=flow,
            entrypoint="walk.py:retrain",
            work_pool_name=pool,
            pull_steps=[there],
        )
        run = prefect.ask(f"/deployments/{deployment['id']}/create_flow_run")
        walks.append(Walk(folder, run["id"]))
        return walks[-1]

    yield start
    for process in [process for walk in walks for process in walk.training()]:
        process.kill()


@pytest.fixture(scope="module")
def deaths(prefect: Prefect, start: Start) -> dict[str, Walk]:
    """Four walks of two workers, each with another end."""
    workers = [_worker(prefect, pool) for pool in ("first", "second")]
    prefect.wait("pools", lambda: len(prefect.ask("/work_pools/filter")) == 2, 240)
    walks = {
        "cancelled": start("second"),
        "flow killed": start("first"),
        "worker stopped": start("first"),
        "machine died": start("second"),
    }
    for walk in walks.values():
        prefect.wait("a training", walk.training, 240)
    prefect.ask(f"/flow_runs/{walks['cancelled'].number}/set_state", state={"type": "CANCELLING"})
    walks["flow killed"].flow().kill()
    for name in ("cancelled", "flow killed"):
        prefect.ended(walks[name].number)
    os.kill(workers[0].pid, signal.SIGTERM)
    flow = walks["machine died"].flow()
    workers[1].kill()
    flow.kill()
    return walks


@pytest.mark.parametrize("death", ["cancelled", "flow killed", "worker stopped", "machine died"])
def test_no_training_outlives_its_walk(
    prefect: Prefect, deaths: dict[str, Walk], death: str
) -> None:
    """Neither DVC nor the shell nor the training below it, also where nothing could be tidied."""
    walk = deaths[death]
    prefect.wait(death, lambda: not walk.training())
    prefect.wait(death, lambda: not _of(walk.folder))


@pytest.mark.parametrize(
    ("death", "state"),
    [
        ("cancelled", "CANCELLED"),
        ("flow killed", "CRASHED"),
        # Nobody tells the server: three heartbeats are missed.
        ("worker stopped", "CRASHED"),
        ("machine died", "CRASHED"),
    ],
)
def test_no_run_is_running_for_ever(
    prefect: Prefect, deaths: dict[str, Walk], death: str, state: str
) -> None:
    """People look at the list of runs, and concurrency limits count them."""
    assert prefect.ended(deaths[death].number, 300)["type"] == state


def test_the_next_walk_goes_on_and_says_whom_it_follows(
    prefect: Prefect, deaths: dict[str, Walk]
) -> None:
    """From the checkpoint; each model is promoted once; the night after has nothing to do."""
    folder = deaths["machine died"].folder
    step = int((folder / "checkpoints" / "car").read_text())
    assert step > 0
    (folder / "slow").write_text(str(step + 2))
    done = toy_road.run(folder, prefect.home, api=prefect.api)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the walk before was cut off: the flow retrain (process " in done.stderr
    assert f"from step {step}" in done.stderr
    assert sorted(toy_road.promotions(folder)) == sorted(toy_road.TASKS)
    quiet = toy_road.run(folder, prefect.home, api=prefect.api)
    assert "Skipped: nothing is stale" in quiet.stderr
    assert sorted(toy_road.promotions(folder)) == sorted(toy_road.TASKS)


def test_a_server_that_is_restarted_in_the_middle_is_not_missed(road: Path, tmp_path: Path) -> None:
    """The walk goes on without, and the new server knows how it ended, every task of it too."""
    folder = toy_road.copied(road, tmp_path / "it")
    toy_road.news(folder, "car", steps=ENDLESS)
    (home := tmp_path / "prefect").mkdir()
    prefect = Prefect(home, folder)
    try:
        server = prefect.serve()
        daemon = prefect.start("walk.py")
        walk = Walk(folder, "")
        [training] = prefect.wait("training", walk.training, 240)
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()
        prefect.serve()
        assert training.is_running() and daemon.poll() is None
        (folder / "slow").write_text("1")
        assert daemon.wait(240) == 0, prefect.log(daemon)
        [run] = prefect.ask("/flow_runs/filter")
        assert run["state"]["type"] == "COMPLETED"
        tasks = prefect.wait("tasks", lambda: _ended_tasks(prefect))
        assert {"train", "commit", "promote-car", "package"} <= set(tasks)
    finally:
        prefect.stop()


def _ended_tasks(prefect: Prefect) -> list[str]:
    """The names of all tasks, once all have ended as they should."""
    found = prefect.ask("/task_runs/filter")
    done = all(task["state"]["type"] == "COMPLETED" for task in found)
    return [task["name"] for task in found] if done else []


def _worker(prefect: Prefect, pool: str) -> "subprocess.Popen[bytes]":
    return prefect.start("-m", "prefect", "worker", "start", "--pool", pool, "--type", "process")


def _process(number: int) -> psutil.Process | None:
    try:
        process = psutil.Process(number)
        return process if process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.NoSuchProcess:
        return None


def _of(folder: Path) -> list[psutil.Process]:
    """Everything that works in a folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if Path(process.cwd()) == folder:
                found.append(process)
        except (psutil.Error, OSError):
            pass
    return found
