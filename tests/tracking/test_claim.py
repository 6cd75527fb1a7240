"""The claim: one at a time, from several processes, and nobody's death keeps it."""

import os
import signal
import subprocess
import sys
import textwrap
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from mlflow import MlflowClient

from roadworthy.errors import TrackingError
from roadworthy.tracking import claim as module
from roadworthy.tracking import process, registry, store
from roadworthy.tracking.claim import OWNER, PREFIX, SINCE, TOKEN, claim

PROCESSES, TIMES = 3, 8
# Reads, waits, writes: two at once would lose a count.
COUNTING = """
    import sys, time
    from pathlib import Path
    from roadworthy.tracking.claim import claim
    path = Path(sys.argv[1])
    for _ in range(int(sys.argv[2])):
        with claim("car"):
            value = int(path.read_text())
            time.sleep(0.01)
            path.write_text(str(value + 1))
"""
HOLDING = """
    import sys, time
    from roadworthy.tracking.claim import claim
    with claim("car"):
        print("held", flush=True)
        time.sleep(600)
"""


def started(code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *arguments],
        env=dict(os.environ),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def claims() -> list[str]:
    return [model.name for model in store.client().search_registered_models()]


def left_behind(token: str, owner: str, age: timedelta) -> None:
    """A claim as another process made it."""
    since = (datetime.now(UTC) - age).isoformat()
    store.client().create_registered_model(
        f"{PREFIX}car", {TOKEN: token, OWNER: owner, "roadworthy.who": "ada", SINCE: since}
    )


def a_dead_process() -> str:
    return f"{process._here()}/999999999/0"


@pytest.mark.slow
def test_processes_that_count_never_lose_one(any_store: str, tmp_path: Path) -> None:
    """Protects what is done under the claim: no two processes are ever in there together."""
    (tmp_path / "count").write_text("0")
    running = [started(COUNTING, str(tmp_path / "count"), str(TIMES)) for _ in range(PROCESSES)]
    ends = [one.communicate(timeout=120) for one in running]
    assert [one.returncode for one in running] == [0] * PROCESSES, ends
    assert (tmp_path / "count").read_text() == str(PROCESSES * TIMES)
    assert claims() == []


@pytest.mark.slow
def test_a_killed_holder_is_followed_at_once(any_store: str, tmp_path: Path) -> None:
    """Protects promotions from waiting for a process that was killed, also when several wait."""
    holder = started(HOLDING)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(TrackingError, match="car is being changed by"), claim("car", 0.2):
        pass
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    (tmp_path / "count").write_text("0")
    running = [started(COUNTING, str(tmp_path / "count"), "2") for _ in range(PROCESSES)]
    ends = [one.communicate(timeout=120) for one in running]
    assert [one.returncode for one in running] == [0] * PROCESSES, ends
    assert (tmp_path / "count").read_text() == str(PROCESSES * 2)


def test_it_comes_and_goes(any_store: str) -> None:
    """Protects the registry's page: nothing stays behind, and no task's claim holds up another's."""
    with claim("car") as held:
        held.check()
        assert claims() == [f"{PREFIX}car"]
        assert registry.versions("car") == []
        with claim("police", 0):
            pass
        with (
            pytest.raises(TrackingError, match=f"by .* \\({process.me()}\\) since 20"),
            claim("car", 0),
        ):
            pass
        held.check()
    assert claims() == []
    with pytest.raises(KeyError), claim("car"):
        raise KeyError
    assert claims() == []


def test_a_dead_holder_is_broken_once(any_store: str) -> None:
    """Protects the next holder from a waiter that judged the dead one, and acts late."""
    left_behind("aa", a_dead_process(), timedelta())
    client, name = store.client(), f"{PREFIX}car"
    seen = module._holder(client, name)
    assert seen is not None
    with claim("car", 0) as held:
        assert not module._break(client, name, seen)
        held.check()
    assert claims() == [f"{name}-aa"]


def test_what_was_broken_long_ago_is_swept(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Protects the registry's page from the remains of every crash there ever was."""
    left_behind("aa", a_dead_process(), timedelta())
    monkeypatch.setattr(module, "KEPT_SECONDS", -60)
    with claim("car", 0):
        assert claims() == [f"{PREFIX}car"]


def test_age_alone_is_not_believed(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Protects a holder on a machine whose clock is wrong: others watch it before they break it."""
    elsewhere = "other-machine/1/2/3"
    left_behind("aa", elsewhere, timedelta(hours=1))
    with pytest.raises(TrackingError, match=elsewhere), claim("car", 0.1):
        pass
    monkeypatch.setattr(module, "WATCH_SECONDS", 0.1)
    with claim("car", 5):
        pass


def test_a_young_claim_of_another_machine_is_waited_for(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Protects a promotion elsewhere, of whose process nothing can be known from here."""
    left_behind("aa", "other-machine/1/2/3", timedelta(seconds=30))
    monkeypatch.setattr(module, "WATCH_SECONDS", 0.0)
    with pytest.raises(TrackingError, match="other-machine"), claim("car", 0.2):
        pass


def test_a_holder_that_lost_its_claim_is_told(any_store: str) -> None:
    """Protects aliases from a process that was stopped for so long that another one took over."""
    with claim("car") as held:
        module._bury(store.client(), f"{PREFIX}car", held.token)
        with claim("car", 0) as next_one:
            with pytest.raises(TrackingError, match="another one took over car"):
                held.check()
            next_one.check()


def test_an_answer_that_was_lost_is_no_other_holder(
    any_store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Protects against waiting for oneself, where MLflow repeats a request that had succeeded."""
    real = MlflowClient.create_registered_model

    def twice(self: MlflowClient, *arguments: object) -> None:
        real(self, *arguments)
        real(self, *arguments)

    monkeypatch.setattr(MlflowClient, "create_registered_model", twice)
    with claim("car", 0) as held:
        held.check()
    assert claims() == []
