"""A Prefect server of a test's own, its workers, and what is asked of it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

from flows import server
from roadworthy import environment
from support import free_port

ROOT = Path(__file__).parents[1]
DEFAULT_SIGNALS = ("env", "--default-signal=INT,QUIT,TERM,HUP")
FINAL = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")


class Prefect:
    """A server, and processes that know it."""

    def __init__(self, home: Path, folder: Path = ROOT) -> None:
        self.home = home
        self.folder = folder
        port = free_port()
        self.api = f"http://127.0.0.1:{port}/api"
        self.environment = {
            **os.environ,
            **environment.SWITCHES,
            **server.LEASES,
            "PREFECT_HOME": str(home),
            "PREFECT_SERVER_API_HOST": "127.0.0.1",
            "PREFECT_SERVER_API_PORT": str(port),
            "PREFECT_API_URL": self.api,
            "PREFECT_RUNNER_POLL_FREQUENCY": "2",
            "PREFECT_WORKER_QUERY_SECONDS": "2",
            "PYTHONPATH": str(ROOT),
            "PWD": str(folder),
        }
        self.daemons: list[subprocess.Popen[bytes]] = []

    def serve(self) -> "subprocess.Popen[bytes]":
        """Start the server; returns when it answers."""
        daemon = self.start("-m", "prefect", "server", "start")
        self.wait("server", lambda: httpx.get(f"{self.api}/health", timeout=5).is_success)
        return daemon

    def start(
        self, *command: str, folder: Path | None = None, more: Mapping[str, str] | None = None
    ) -> "subprocess.Popen[bytes]":
        """Start a Python program that knows the server."""
        with (self.home / f"{len(self.daemons)}.log").open("wb") as log:
            daemon = subprocess.Popen(
                [*DEFAULT_SIGNALS, sys.executable, *command],
                env={**self.environment, **(more or {})},
                cwd=folder or self.folder,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.daemons.append(daemon)
        return daemon

    def stop(self) -> None:
        """Stop what was started; the server last: the others wait for it when it is gone."""
        for daemon in reversed(self.daemons):
            for number in (signal.SIGTERM, signal.SIGKILL):
                with suppress(ProcessLookupError, subprocess.TimeoutExpired):
                    os.killpg(daemon.pid, number)
                    daemon.wait(timeout=8)

    def log(self, daemon: "subprocess.Popen[bytes]") -> str:
        """What it has printed."""
        return (self.home / f"{self.daemons.index(daemon)}.log").read_text(errors="replace")

    def command(self, *arguments: str) -> str:
        """Run `prefect ...`."""
        done = subprocess.run(
            [sys.executable, "-m", "prefect", *arguments],
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def ask(self, path: str, **body: Any) -> Any:
        """POST to the API; SQLite under load is worth another try."""
        for _ in range(10):
            answer = httpx.post(f"{self.api}{path}", json=body, timeout=60)
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                break
            time.sleep(2)
        answer.raise_for_status()
        return answer.json()

    def run(self, number: str) -> dict[str, Any]:
        """A flow run."""
        answer = httpx.get(f"{self.api}/flow_runs/{number}", timeout=60)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    def ended(self, number: str, seconds: float = 120) -> dict[str, Any]:
        """The final state of a flow run, once it has one."""

        def final() -> dict[str, Any] | None:
            state: dict[str, Any] = self.run(number)["state"]
            return state if state["type"] in FINAL else None

        found: dict[str, Any] = self.wait(f"end of {number}", final, seconds)
        return found

    def runs(self, deployment: str, *states: str) -> list[dict[str, Any]]:
        """Flow runs of a deployment that are in one of these states."""
        found: list[dict[str, Any]] = self.ask(
            "/flow_runs/filter",
            deployments={"name": {"any_": [deployment]}},
            flow_runs={"state": {"type": {"any_": list(states)}}},
        )
        return found

    def wait(self, what: str, found: Callable[[], Any], seconds: float = 240) -> Any:
        """Ask until there is an answer that is not empty."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                if result := found():
                    return result
            except httpx.TransportError:
                pass
            time.sleep(0.3)
        logs = "\n".join(path.read_text()[-2500:] for path in sorted(self.home.glob("*.log")))
        raise AssertionError(f"{what}: not within {seconds} s\n{logs}")
