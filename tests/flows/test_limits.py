import os
import signal
import subprocess
import textwrap
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from flows import limits
from prefect_server import Prefect

ROOT = Path(__file__).parents[2]
TRAINING = textwrap.dedent(f"""
    import sys, time
    sys.path.insert(0, {str(ROOT)!r})
    from flows import limits, lock
    from prefect import flow, get_run_logger, task
    limits.LEASE_SECONDS, limits.POLL_SECONDS, lock.EVERY_SECONDS = 60.0, 1.0, 2.0

    @task(task_run_name="train")
    def train(seconds):
        with limits.gpu(get_run_logger().info):
            print("trains", flush=True)
            time.sleep(seconds)

    @flow(name="retrain")
    def retrain(seconds):
        train(seconds)

    retrain(float(sys.argv[1]))
""")


@pytest.fixture(scope="module")
def prefect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prefect]:
    prefect = Prefect(tmp_path_factory.mktemp("prefect"))
    (prefect.home / "training.py").write_text(TRAINING)
    try:
        prefect.serve()
        yield prefect
    finally:
        prefect.stop()


def train(prefect: Prefect, seconds: float) -> "subprocess.Popen[bytes]":
    return prefect.start(str(prefect.home / "training.py"), str(seconds))


@pytest.mark.slow
def test_one_trains_and_one_waits_and_says_so(prefect: Prefect) -> None:
    """The limit is made, is strict, and what it gave is given back, also after a restart and a kill."""
    first = train(prefect, 600)
    prefect.wait("first", lambda: "trains" in prefect.log(first))
    url = f"{prefect.api}/v2/concurrency_limits/{limits.NAME}"
    assert httpx.get(url).json()["limit"] == 1
    second = train(prefect, 0)
    words = f"waiting for a place of {limits.NAME}, "
    prefect.wait("second", lambda: words in prefect.log(second))
    # The server takes a moment to know of a task.
    prefect.wait("who", lambda: ": train of flow run " in prefect.log(second))
    server = prefect.daemons[0]
    os.killpg(server.pid, signal.SIGKILL)
    server.wait()
    prefect.serve()
    assert httpx.get(url).json()["active_slots"] == 1, "a restart forgets nobody"
    first.kill()
    assert second.wait(240) == 0, prefect.log(second)
    assert "trains" in prefect.log(second)
    prefect.wait("given back", lambda: httpx.get(url).json()["active_slots"] == 0)


@pytest.mark.slow
def test_a_limit_that_people_changed_is_left_alone(
    prefect: Prefect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two places on a machine with two GPUs."""
    httpx.delete(f"{prefect.api}/v2/concurrency_limits/{limits.NAME}")
    prefect.ask("/v2/concurrency_limits/", name=limits.NAME, limit=2)
    script = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); from flows import limits; limits.ensure(1)"
    )
    assert prefect.start("-c", script).wait(120) == 0
    found = httpx.get(f"{prefect.api}/v2/concurrency_limits/{limits.NAME}").json()
    assert found["limit"] == 2


def test_how_many_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the driver says, and no more than this process may see."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,2")
    assert limits.gpus() == 2
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert limits.gpus() == 0
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert limits.gpus() == 0
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'GPU 0: H200 (UUID: x)'\necho 'GPU 1: H200 (UUID: y)'\n")
    program.chmod(0o755)
    assert limits.gpus() == 2
