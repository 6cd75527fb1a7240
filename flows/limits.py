"""Training takes a place at the GPU: Prefect's limit `roadworthy-gpu`, made where it is missing.

Flows of all machines that share a Prefect server share it. Without a server the machine itself is
the limit, by a lock that dies with its holder.
"""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path

from roadworthy import environment

# Prefect reads its settings when it is imported.
environment.apply()

from prefect.client.orchestration import get_client  # noqa: E402
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate  # noqa: E402
from prefect.client.schemas.filters import (  # noqa: E402
    TaskRunFilter,
    TaskRunFilterName,
    TaskRunFilterState,
    TaskRunFilterStateType,
)
from prefect.client.schemas.objects import ConcurrencyLeaseHolder, StateType  # noqa: E402
from prefect.concurrency.sync import concurrency  # noqa: E402
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound  # noqa: E402
from prefect.runtime import flow_run  # noqa: E402
from prefect.settings import get_current_settings  # noqa: E402

from flows import lock  # noqa: E402

NAME = "roadworthy-gpu"
TRAINING = ("pretrain", "scenes", "train")
"""Stages that fill a GPU."""
LEASE_SECONDS = 120.0
"""A holder that died keeps its place for so long at most."""
POLL_SECONDS = 5.0
FOREVER_MINUTES = 7 * 24 * 60.0

Report = Callable[[str], None]


@contextmanager
def gpu(report: Report) -> Iterator[None]:
    """Hold a place; waits for one, and says for how long already.

    The place is lent: it is renewed while we live. Where the server is away for longer than a
    lease, the work goes on without.
    """
    if get_current_settings().api.url is None:
        with _here(report):
            yield
        return
    ensure(max(gpus(), 1))
    with _place(report):
        yield


def gpus() -> int:
    """How many NVIDIA GPUs may be used here, 0 without."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return len([name for name in visible.split(",") if name.strip() not in ("", "-1")])
    program = shutil.which("nvidia-smi")
    if program is None:
        return 0
    try:
        shown = subprocess.run([program, "-L"], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return 0
    return len([line for line in shown.stdout.splitlines() if line.startswith("GPU ")])


def ensure(places: int) -> None:
    """Make the limit where it is missing; one that is there, or was changed, stays as it is."""
    with get_client(sync_client=True) as client:
        try:
            client.read_global_concurrency_limit_by_name(NAME)
        except ObjectNotFound:
            wanted = GlobalConcurrencyLimitCreate(name=NAME, limit=places)
            with suppress(ObjectAlreadyExists):  # another flow was faster
                client.create_global_concurrency_limit(wanted)


@contextmanager
def _place(report: Report) -> Iterator[None]:
    begun, told = time.monotonic(), -lock.EVERY_SECONDS
    with ExitStack() as held:
        while True:
            try:
                held.enter_context(_taken())
                break
            except TimeoutError:
                waited = time.monotonic() - begun
            if waited - told >= lock.EVERY_SECONDS:
                report(f"waiting for a place of {NAME}, {waited:.0f} s by now: {_others()}")
                told = waited
        yield


def _taken() -> AbstractContextManager[None]:
    return concurrency(
        NAME,
        occupy=1,
        timeout_seconds=POLL_SECONDS,
        lease_duration=LEASE_SECONDS,
        strict=True,
        holder=_me(),
        # A restart of the server is no reason to end a training.
        raise_on_lease_renewal_failure=False,
    )


def _me() -> ConcurrencyLeaseHolder | None:
    number = flow_run.id
    return ConcurrencyLeaseHolder(type="flow_run", id=number) if number else None


def _others() -> str:
    """Who trains now, as far as the server knows."""
    running = TaskRunFilter(
        name=TaskRunFilterName(any_=list(TRAINING)),
        state=TaskRunFilterState(type=TaskRunFilterStateType(any_=[StateType.RUNNING])),
    )
    with get_client(sync_client=True) as client:
        found = client.read_task_runs(task_run_filter=running)
    others = [one for one in found if str(one.flow_run_id) != str(flow_run.id)]
    since = [(one.start_time, one) for one in others if one.start_time is not None]
    if not since:
        return f"a holder that died gives it up after {LEASE_SECONDS:.0f} s at most"
    begun, first = min(since, key=lambda pair: pair[0])
    return f"{first.name} of flow run {first.flow_run_id} runs since {begun:%H:%M:%S} UTC"


@contextmanager
def _here(report: Report) -> Iterator[None]:
    path = Path(tempfile.gettempdir()) / f"{NAME}-{os.getuid()}.lock"
    with lock.alone(lock.me(f"training in {Path.cwd()}"), FOREVER_MINUTES, report, path):
        yield
