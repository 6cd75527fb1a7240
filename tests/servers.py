"""A server of a test's own that can be killed and started again at the same address."""

import contextlib
import os
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from support import free_port

UP_SECONDS = 120.0


@dataclass
class Server:
    """A program that answers at `address`, in a session of its own."""

    command: list[str]
    address: str
    """Answers 200 when it is up."""
    log: Path
    environment: dict[str, str] = field(default_factory=dict)
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        """Start it where it is not running; returns when it answers."""
        if self.process is None or self.process.poll() is not None:
            with self.log.open("ab") as out:
                self.process = subprocess.Popen(
                    ["env", "--default-signal=INT,QUIT,TERM,HUP", *self.command],
                    env={**os.environ, **self.environment},
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        deadline = time.monotonic() + UP_SECONDS
        while not self.up():
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise AssertionError(f"{self.command} is not up\n{self.log.read_text()[-2000:]}")
            time.sleep(0.2)

    def up(self) -> bool:
        """Whether it answers."""
        try:
            with urllib.request.urlopen(self.address, timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def kill(self) -> None:
        """SIGKILL to it and to all that it has started."""
        if self.process is None or self.process.poll() is not None:
            return
        own = psutil.Process(self.process.pid)
        for process in (own, *own.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait()


def prefect(home: Path) -> Server:
    """Prefect's, with its state in `home`; its API is at `api(server)`."""
    port = free_port()
    home.mkdir(parents=True, exist_ok=True)
    return Server(
        [sys.executable, "-m", "prefect", "server", "start", "--no-ui"],
        f"http://127.0.0.1:{port}/api/health",
        home / "server.log",
        {
            "PREFECT_HOME": str(home),
            "PREFECT_SERVER_API_HOST": "127.0.0.1",
            "PREFECT_SERVER_API_PORT": str(port),
            "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        },
    )


def api(server: Server) -> str:
    """What flows of that server have as `PREFECT_API_URL`."""
    return server.address.removesuffix("/health")


def mlflow(store: str, folder: Path) -> Server:
    """MLflow's over a database; `url(server)` is its tracking address."""
    port = free_port()
    return Server(
        [
            *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1"),
            *("--port", str(port), "--workers", "1", "--backend-store-uri", store),
            *("--default-artifact-root", str(folder / "mlruns")),
        ],
        f"http://127.0.0.1:{port}/health",
        folder.with_name(f"{folder.name}-mlflow.log"),
    )


def url(server: Server) -> str:
    """What programs of that server have as `MLFLOW_TRACKING_URI`."""
    return server.address.removesuffix("/health")
