import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from support import free_port

ROOT = Path(__file__).parents[2]
DEFAULT_SIGNALS = ("env", "--default-signal=INT,QUIT,TERM,HUP")
TOY = """
from datetime import timedelta
from prefect import flow

@flow
def toy() -> None:
    print("ran")

if __name__ == "__main__":
    toy.serve(name="often", interval=timedelta(seconds=5))
"""


class Prefect:
    """A server of this test's own, and what is asked of it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        port = free_port()
        self.api = f"http://127.0.0.1:{port}/api"
        self.environment = {
            **os.environ,
            "PREFECT_HOME": str(home),
            "PREFECT_SERVER_API_HOST": "127.0.0.1",
            "PREFECT_SERVER_API_PORT": str(port),
            "PREFECT_API_URL": self.api,
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_RUNNER_POLL_FREQUENCY": "2",
            "PREFECT_WORKER_QUERY_SECONDS": "2",
            "DO_NOT_TRACK": "true",
            "PWD": str(ROOT),
        }
        self.daemons: list[subprocess.Popen[bytes]] = []

    def start(self, *command: str) -> None:
        with (self.home / f"{len(self.daemons)}.log").open("wb") as log:
            self.daemons.append(
                subprocess.Popen(
                    [*DEFAULT_SIGNALS, sys.executable, *command],
                    env=self.environment,
                    cwd=ROOT,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            )

    def stop(self) -> None:
        # The server last: the others wait for it when it is gone.
        for daemon in reversed(self.daemons):
            for number in (signal.SIGTERM, signal.SIGKILL):
                with suppress(ProcessLookupError, subprocess.TimeoutExpired):
                    os.killpg(daemon.pid, number)
                    daemon.wait(timeout=8)

    def command(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "prefect", *arguments],
            env=self.environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=90,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def ask(self, path: str, **body: Any) -> Any:
        answer = httpx.post(f"{self.api}{path}", json=body, timeout=20)
        answer.raise_for_status()
        return answer.json()

    def runs(self, deployment: str, *states: str) -> list[dict[str, Any]]:
        """Flow runs of a deployment that are in one of these states."""
        found: list[dict[str, Any]] = self.ask(
            "/flow_runs/filter",
            deployments={"name": {"any_": [deployment]}},
            flow_runs={"state": {"type": {"any_": list(states)}}},
        )
        return found

    def wait(self, what: str, found: Callable[[], Any], seconds: float = 90) -> Any:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                if result := found():
                    return result
            except httpx.TransportError:
                pass
            time.sleep(0.5)
        logs = "\n".join(path.read_text()[-1500:] for path in sorted(self.home.glob("*.log")))
        raise AssertionError(f"{what}: not within {seconds} s\n{logs}")


@pytest.fixture(scope="module")
def prefect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prefect]:
    prefect = Prefect(tmp_path_factory.mktemp("prefect"))
    try:
        prefect.start("-m", "prefect", "server", "start")
        prefect.wait("server", lambda: httpx.get(f"{prefect.api}/health", timeout=5).is_success)
        yield prefect
    finally:
        prefect.stop()


@pytest.mark.slow
def test_a_schedule_produces_runs_that_run(prefect: Prefect, tmp_path: Path) -> None:
    """With some releases of sqlalchemy all looks fine and no schedule ever starts anything."""
    (tmp_path / "toy.py").write_text(TOY)
    prefect.start(str(tmp_path / "toy.py"))
    [run, *_] = prefect.wait("a completed run", lambda: prefect.runs("often", "COMPLETED"))
    assert run["auto_scheduled"]


@pytest.mark.slow
def test_our_deployments_are_scheduled_and_start_in_this_folder(prefect: Prefect) -> None:
    """prefect.yaml deploys as it is, nights to come are planned, and a worker finds our flow."""
    prefect.command("work-pool", "create", "roadworthy", "--type", "process")
    prefect.command("--no-prompt", "deploy", "--all")
    for name in ("nightly", "weekly"):
        planned = prefect.wait(name, lambda name=name: prefect.runs(name, "SCHEDULED"))
        assert all(run["auto_scheduled"] for run in planned)
    # A task that does not exist: our own flow says so, and nothing is trained.
    prefect.command("deployment", "run", "retrain/nightly", "-p", f"tasks={json.dumps(['nobody'])}")
    prefect.start("-m", "prefect", "worker", "start", "--pool", "roadworthy")
    [run, *_] = prefect.wait("a run by the worker", lambda: prefect.runs("nightly", "FAILED"))
    assert "no task is called 'nobody'" in run["state"]["message"]


def test_prefect_yaml_says_what_it_should() -> None:
    """One walk at a time, in a time zone, and no path of anybody's machine in the file."""
    text = (ROOT / "prefect.yaml").read_text()
    settings = yaml.safe_load(text)
    assert str(ROOT) not in text
    assert {one["name"] for one in settings["deployments"]} == {"nightly", "weekly"}
    for deployment in settings["deployments"]:
        assert (ROOT / deployment["entrypoint"].split(":")[0]).is_file()
        assert deployment["concurrency_limit"] == {"limit": 1, "collision_strategy": "CANCEL_NEW"}
        for schedule in deployment["schedules"]:
            assert schedule["cron"] and schedule["timezone"]
