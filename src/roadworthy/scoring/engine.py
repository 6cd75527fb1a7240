"""Ray Data: spreads shards over processes and machines, and starts again what died.

What travels through Ray are the numbers of shards and a few counts. Bytes, pixels and answers stay in
the process that made them, because moving pixels between processes costs more than making them.
"""

import atexit
import json
import logging
import os
import secrets
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from roadworthy.bundle.format import GRAPH, WEIGHTS
from roadworthy.errors import DataError, RoadworthyError
from roadworthy.scoring.places import Place
from roadworthy.scoring.plan import Plan, again
from roadworthy.scoring.worker import Done, Scorer

# Through Ray's memory go numbers; its default is a third of the machine.
STORE_BYTES = 2**27
# The next shard waits at its worker, so that it never waits for the next.
IN_FLIGHT = 2
FOLDER = "rw-ray-"
CONNECT_SECONDS = 10.0
# Ray's C++ core writes to the terminal what concerns its makers.
QUIET = {"RAY_BACKEND_LOG_LEVEL": "fatal"}


@dataclass(frozen=True)
class Job:
    """All that a worker needs to begin."""

    bundle: Path
    files: Mapping[str, bytes] | None
    """Of the bundle, for workers on other machines; None where they see the folder."""
    out: Place
    plan: Plan
    marked: frozenset[int]

    @classmethod
    def of(cls, bundle: Path, out: Place, plan: Plan, elsewhere: bool) -> "Job":
        """What is to be done now, by workers here or on other machines."""
        return cls(bundle, parcel(bundle) if elsewhere else None, out, plan, again(out))


class Actor:
    """A worker: it is made once, then asked shard after shard."""

    def __init__(self, job: Job) -> None:
        folder = job.bundle if job.files is None else _unpacked(job.files)
        self.scorer = Scorer(folder, job.out, job.plan, job.marked)

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[Any]]:
        """Shards as `{item: (N,)}`; what became of them as `{said: [JSON]}`."""
        return {"said": [json.dumps(self._one(int(number))) for number in batch["item"]]}

    def _one(self, number: int) -> dict[str, Any]:
        try:
            return vars(self.scorer.score(number))
        except RoadworthyError as error:
            # As a value: Ray would wrap an error in two pages of its own.
            return {"error": str(error)}


@contextmanager
def started(workers: int | None, address: str | None) -> Iterator[int]:
    """Ray on this machine, or a cluster that runs already; how many workers there is room for.

    Args:
        workers: processes; None takes every core.
        address: of a cluster of which this machine is one: `HOST:6379`, or `auto`.

    Raises:
        DataError: Ray does not start, or the cluster does not answer.
    """
    for name, value in (QUIET if address else QUIET | _alone()).items():
        os.environ.setdefault(name, value)
    import ray

    folder = _folder()
    try:
        try:
            with _unheard():
                _init(workers or cores(), address, folder)
        except (OSError, RuntimeError, ValueError) as error:
            what = f"the Ray cluster {address} does not answer" if address else "Ray does not start"
            raise DataError(f"{what}: {(str(error).splitlines() or [''])[0]}") from error
        room = ray.cluster_resources()  # type: ignore[no-untyped-call]
        yield workers or max(1, int(room.get("CPU", 1)))
    finally:
        ray.shutdown()
        shutil.rmtree(folder, ignore_errors=True)


def _alone() -> dict[str, str]:
    """Ray runs whatever it is sent: it listens on loopback only, and to this process only."""
    return {
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
    }


def _folder() -> str:
    """For Ray's sockets, whose names must be short, and its logs; those of killed runs go."""
    for old in Path(tempfile.gettempdir()).glob(f"{FOLDER}*-*"):
        owner = old.name.removeprefix(FOLDER).split("-")[0]
        if owner.isdecimal() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(old, ignore_errors=True)
    return tempfile.mkdtemp(prefix=f"{FOLDER}{os.getpid()}-")


def _init(workers: int, address: str | None, folder: str) -> None:
    import ray

    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.CRITICAL}
    if address:
        if address != "auto":
            host, _, port = address.rpartition(":")
            # Ray itself would try for minutes.
            socket.create_connection((host, int(port)), CONNECT_SECONDS).close()
        ray.init(address, **quiet)
        return
    ray.init(
        "local",
        num_cpus=workers,
        include_dashboard=False,
        object_store_memory=STORE_BYTES,
        _temp_dir=folder,
        _node_ip_address="127.0.0.1",
        **quiet,
    )


@contextmanager
def _unheard() -> Iterator[None]:
    """Nothing that is written to the terminal from outside Python is seen: Ray greets so."""
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def scored(job: Job, numbers: Sequence[int], workers: int) -> Iterator[Done]:
    """Have shards done; each is told of when it is there, in the order in which they end.

    Raises:
        DataError: it cannot go on; what is written stays.
    """
    import ray
    from ray.data import ActorPoolStrategy, DataContext

    context = DataContext.get_current()
    context.enable_progress_bars = context.print_on_execution_start = False
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    items = ray.data.from_items(list(map(int, numbers)), override_num_blocks=len(numbers))
    done = items.map_batches(
        Actor,
        fn_constructor_args=(job,),
        batch_size=1,
        compute=ActorPoolStrategy(
            size=min(workers, len(numbers)), max_tasks_in_flight_per_actor=IN_FLIGHT
        ),
        num_cpus=1,
    )
    try:
        for row in done.iter_rows():
            said = json.loads(row["said"])
            if "error" in said:
                raise DataError(said["error"])
            yield Done(**said)
    except ray.exceptions.RayError as error:
        raise DataError(_worker_failed(error)) from error


def _worker_failed(error: Exception) -> str:
    cause = getattr(error, "cause", None) or error
    words = (str(cause).strip().splitlines() or [""])[-1]
    return f"a worker failed ({type(cause).__name__}: {words[:200]}); the same command goes on"


def parcel(bundle: Path) -> dict[str, bytes]:
    """The files of a bundle that answering takes, for machines that do not see its folder."""
    spare = {WEIGHTS} if (bundle / GRAPH).is_file() else set()
    return {p.name: p.read_bytes() for p in bundle.iterdir() if p.is_file() and p.name not in spare}


def _unpacked(files: Mapping[str, bytes]) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="rw-bundle-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def cores() -> int:
    """That this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
