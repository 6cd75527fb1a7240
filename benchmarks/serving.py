"""How fast the service answers: `python -m benchmarks.serving --bundle FOLDER [--seconds 20]`.

Side by side, in rounds: a bare loop that decodes, prepares and infers the same files without any
service; the served bundle as it ships; the same service on eager fp32 torch. Clients and service
share the machine's cores. Then, with `--requests N`, what memory does over that many.
"""

import argparse
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from random import Random

import httpx
import numpy as np
import psutil

from benchmarks.load import Loaded
from benchmarks.reporting import Result
from roadworthy.bundle.predictor import Predictor
from roadworthy.data.generated.scenes import draw_scene
from roadworthy.serving.champions import INDEX
from roadworthy.serving.store import MODEL

FILES = 64
SIZE = (640, 480)
BATCH = 16
SERVICE = "roadworthy.serving.service:Service"
DEFAULT_SIGNALS = ("env", "--default-signal=INT,QUIT,TERM,HUP")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", type=Path, default=Path("artifacts/police/export"))
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--requests", type=int, default=0, help="How long to watch the memory.")
    options = parser.parse_args()
    # So that a benchmark that is stopped stops its service.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        draw(folder / "images")
        store(options.bundle, folder)
        if options.rounds:
            show(speed(options, folder))
        if options.requests:
            show(memory(options, folder))


def draw(folder: Path) -> None:
    """Write the files that are asked about: drawn scenes as JPEG."""
    folder.mkdir()
    for number in range(FILES):
        scene, _ = draw_scene(Random(number), cars=2)
        scene.resize(SIZE).save(folder / f"{number}.jpg", quality=90)


def store(bundle: Path, home: Path) -> None:
    """Make the whole bundle, torch's weights too, the champions of a BentoML home of its own."""
    os.environ["BENTOML_HOME"] = str(home)
    import bentoml

    predictor = Predictor(bundle)
    entry = {predictor.spec.task: {"version": 1, "digest": predictor.digest}}
    with bentoml.models.create(MODEL) as model:
        shutil.copytree(bundle, Path(model.path) / predictor.spec.task)
        (Path(model.path) / INDEX).write_text(json.dumps(entry))


def show(result: Result) -> None:
    """The table for the screen, and for the docs."""
    print(result.text())
    print(result.markdown())


def speed(options: argparse.Namespace, folder: Path) -> Result:
    """Every way in every round, and its median."""
    predictor = Predictor(options.bundle)
    ways: dict[str, Callable[[], Loaded]] = {
        "bare loop": lambda: bare(predictor, folder / "images", options.seconds),
        f"served, {predictor.engine}": lambda: served(options, folder, {}),
        "served, torch fp32": lambda: served(options, folder, {"ROADWORTHY_ENGINE": "torch"}),
    }
    found: dict[str, list[Loaded]] = {name: [] for name in ways}
    for _ in range(options.rounds):
        for name, way in ways.items():
            found[name].append(way())
    base = statistics.median(one.rate for one in found["bare loop"])
    rows = []
    for name, each in found.items():
        rate = statistics.median(one.rate for one in each)
        rows.append(
            {
                "way": name,
                "images/s": round(rate, 1),
                "of the bare loop": round(rate / base, 2),
                "median ms": round(1000 * statistics.median(one.p50 for one in each), 1),
                "p99 ms": round(1000 * statistics.median(one.p99 for one in each), 1),
                "failed": sum(one.failed for one in each),
            }
        )
    height = predictor.spec.input.height
    about = {"clients": options.clients, "px": height, "files": f"{SIZE[0]} x {SIZE[1]} JPEG"}
    return Result("serving", "The service on loopback", rows, about)


def bare(predictor: Predictor, folder: Path, seconds: float) -> Loaded:
    """Decode, prepare and infer in batches, decoding on every core; no service."""
    contents = [path.read_bytes() for path in sorted(folder.iterdir())]
    times: list[float] = []
    answered, start = 0, time.perf_counter()
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        while time.perf_counter() - start < seconds:
            begun = time.perf_counter()
            batch = [contents[(answered + one) % len(contents)] for one in range(BATCH)]
            predictor.probabilities(np.stack(list(threads.map(predictor.prepare, batch))))
            answered += BATCH
            times.append(time.perf_counter() - begun)
    low, high = np.quantile(times, [0.5, 0.99])
    return Loaded(answered, 0, time.perf_counter() - start, float(low), float(high))


def served(options: argparse.Namespace, folder: Path, environment: dict[str, str]) -> Loaded:
    """Start the service, ask it from another process, stop it."""
    with serving(folder, environment) as (port, _):
        asked(options, folder, port, 3.0)
        return asked(options, folder, port, options.seconds)


def asked(options: argparse.Namespace, folder: Path, port: int, seconds: float) -> Loaded:
    """What the clients of another process saw."""
    command = [sys.executable, "-m", "benchmarks.load", str(port), str(folder / "images")]
    command += ["--clients", str(options.clients), "--seconds", str(seconds)]
    command += ["--task", Predictor(options.bundle).spec.task]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return Loaded(**json.loads(done.stdout))


@contextmanager
def serving(folder: Path, environment: dict[str, str]) -> Iterator[tuple[int, psutil.Process]]:
    """The service under BentoML: its port, and its worker process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [*DEFAULT_SIGNALS, sys.executable, "-m", "bentoml", "serve", SERVICE]
    with (folder / "serve.log").open("ab") as log:
        process = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port)],
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, "BENTOML_HOME": str(folder), **environment},
        )
    try:
        _wait(port, process, folder / "serve.log")
        workers = psutil.Process(process.pid).children(recursive=True)
        yield port, max(workers, key=lambda one: one.memory_info().rss)
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


def _wait(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    for _ in range(200):
        try:
            if httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=2).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.3)
        if process.poll() is not None:
            break
    raise SystemExit(f"the service did not start:\n{log.read_text()[-3000:]}")


def memory(options: argparse.Namespace, folder: Path) -> Result:
    """Resident memory of the worker after every tenth of the requests."""
    rows, done = [], 0
    with serving(folder, {}) as (port, worker):
        while done < options.requests:
            part = asked(options, folder, port, options.seconds)
            done += part.requests
            resident = worker.memory_info().rss / 2**20
            rows.append({"requests": done, "MiB": round(resident), "failed": part.failed})
    return Result("serving_memory", "Memory of the worker", rows)


if __name__ == "__main__":
    main()
