import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from flows.lock import LOCK, LockedError, alone, me

from flows import lock

ROOT = Path(__file__).parents[2]
HOLDER = f"""
import sys, time
sys.path.insert(0, {str(ROOT)!r})
from flows.lock import alone, me
with alone(me("the other", "r1", "http://here/1"), 0, print) as before:
    print("held after", before, flush=True)
    time.sleep(float(sys.argv[1]))
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def other(seconds: float = 60) -> "subprocess.Popen[str]":
    """Another process that holds the lock."""
    command = [sys.executable, "-c", HOLDER, str(seconds)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held after None\n"
    return process


def test_who_waits_too_long_learns_for_whom() -> None:
    """Process, machine, since when, and the page of the run."""
    with other() as process:
        lines: list[str] = []
        words = r"the other \(process \d+ on .*http://here/1\)"
        with pytest.raises(LockedError, match=words), alone(me("we"), 0.01, lines.append):
            raise AssertionError
        assert f"process {process.pid} " in lines[0] and "0 s of at most 1 s" in lines[0]
        process.kill()


def test_who_waits_long_enough_gets_it() -> None:
    """And the one before has left nothing."""
    with other(1.0), alone(me("we"), 1, print) as before:
        assert before is None
        assert json.loads(LOCK.with_suffix(".json").read_text())["pid"] == os.getpid()
    assert not LOCK.with_suffix(".json").exists()


def test_a_killed_holder_holds_nothing_and_is_named() -> None:
    """No file has to be removed by hand; the next one knows whom it follows."""
    with other() as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
    with alone(me("we"), 0, print) as before:
        assert before is not None and (before.pid, before.run_id) == (process.pid, "r1")


def test_an_error_is_an_end_and_an_interruption_is_not() -> None:
    """After an error the run has said itself what happened; after a SIGTERM it may not."""
    with pytest.raises(ValueError, match="it"), alone(me("we"), 0, print):
        raise ValueError("it")
    with pytest.raises(KeyboardInterrupt), alone(me("first"), 0, print) as before:
        assert before is None
        raise KeyboardInterrupt
    with alone(me("second"), 0, print) as before:
        assert before is not None and before.name == "first"


def test_a_note_is_not_believed() -> None:
    """What lies in a file holds nobody up, not even half of it."""
    LOCK.parent.mkdir()
    LOCK.with_suffix(".json").write_text('{"pid": 1, "na')
    with alone(me("we"), 0, print) as before:
        assert before is None


def test_a_number_that_is_used_again_is_another_process() -> None:
    """Containers count from one after each start."""
    assert lock.alive(os.getpid(), before=2e9 * 2)
    assert not lock.alive(os.getpid(), before=1.0)
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    assert not lock.alive(gone.pid, before=2e9 * 2)
