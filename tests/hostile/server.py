"""The real application on a real server, in a process of its own whose memory can be looked at."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

import psutil

from hostile.wire import Answer, ask
from support import free_port

STARTS = 120.0
"""Seconds."""
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    # What is free goes back to the system at once, and what is left can be compared.
    "MALLOC_MMAP_THRESHOLD_": "131072",
}


@dataclass(frozen=True)
class Server:
    """What was started."""

    process: psutil.Process
    port: int
    output: Path
    """What it printed."""

    @property
    def memory(self) -> int:
        """Resident bytes."""
        return int(self.process.memory_info().rss)

    @property
    def peak(self) -> int:
        """Most resident bytes that it ever had."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return 1024 * int(status.partition("VmHWM:")[2].split()[0])

    @property
    def connections(self) -> int:
        """Open sockets of callers."""
        return sum(one.status != psutil.CONN_LISTEN for one in self.process.net_connections("tcp"))

    def get(self, path: str) -> Answer:
        """A usual request."""
        head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        [answer] = ask(self.port, head.encode())
        return answer


@contextmanager
def serving(champions: Path, output: Path, /, **settings: object) -> Iterator[Server]:
    """Start a server, and stop it."""
    port = free_port()
    named = {f"ROADWORTHY_{name.upper()}": str(value) for name, value in settings.items()}
    paths = os.pathsep.join((str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")))
    with output.open("wb") as file:
        child = subprocess.Popen(
            [sys.executable, __file__, str(champions), str(port)],
            stdout=file,
            stderr=subprocess.STDOUT,
            env={**os.environ, **ENVIRONMENT, "PYTHONPATH": paths, **named},
        )
    try:
        server = Server(psutil.Process(child.pid), port, output)
        _wait(server, child)
        yield server
    finally:
        child.terminate()
        try:
            child.wait(30)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _wait(server: Server, child: "subprocess.Popen[bytes]") -> None:
    end = monotonic() + STARTS
    while True:
        try:
            if server.get("/tasks").status == 200:
                return
        except OSError:
            pass
        if child.poll() is not None or monotonic() > end:
            raise RuntimeError(server.output.read_text(errors="replace")[-3000:])
        sleep(0.1)


def packed(folder: Path, bundles: dict[str, Path]) -> Path:
    """A folder of champions, as it is packaged."""
    from roadworthy.bundle.format import digest
    from roadworthy.serving.champions import INDEX

    index = {task: {"version": 1, "digest": digest(path)} for task, path in bundles.items()}
    (folder / INDEX).write_text(json.dumps(index))
    return folder


def main() -> None:
    """Serve until told to stop."""
    import uvicorn

    from roadworthy import environment
    from roadworthy.serving import start

    for name, value in environment.SWITCHES.items():
        os.environ.setdefault(name, value)
    running = start.run(Path(sys.argv[1]))
    # As BentoML does: no access log, since every request is logged by the application.
    uvicorn.run(running.app, port=int(sys.argv[2]), log_level="warning", access_log=False)
    running.stop()


if __name__ == "__main__":
    main()
