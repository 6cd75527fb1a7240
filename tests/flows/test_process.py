import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from flows.process import MARK, SUPERVISE, run

ROOT = Path(__file__).parents[2]
# A shell, a Python below it, and one below that which leaves the group: as DVC and torchrun do it.
FAMILY = """
import os, subprocess, sys, time
code = "import os, time; open('deep', 'w').write(str(os.getpid())); time.sleep(600)"
deep = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
open('middle', 'w').write(str(os.getpid()))
print('started', flush=True)
time.sleep(600)
"""
DRIVER = """
import sys
sys.path.insert(0, {root!r})
from flows.process import run
run(["sh", "-c", {command!r}], print)
"""


@pytest.fixture
def family(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A command with a family, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "family.py").write_text(FAMILY)
    return ["sh", "-c", f"{sys.executable} family.py; echo over"]


def test_lines_come_when_they_are_printed_and_the_status_with_them() -> None:
    """Nobody waits for the end to see what happens; the last lines say what went wrong."""
    lines: list[str] = []
    ended = run(["sh", "-c", "echo one; echo two >&2; exit 3"], lines.append)
    assert sorted(lines) == ["one", "two"]
    assert (ended.status, ended.late) == (3, False)
    assert sorted(ended.last.split()) == ["one", "two"]


def test_what_is_started_knows_the_walk() -> None:
    """By that name stragglers are found."""
    lines: list[str] = []
    run(["sh", "-c", f"echo ${MARK}"], lines.append)
    assert lines == [str(Path.cwd())]


def test_a_command_that_takes_too_long_is_stopped(family: list[str]) -> None:
    """All of it."""
    ended = run(family, print, seconds=1.5)
    assert ended.late and ended.status != 0
    assert not [path for path in ("middle", "deep") if _alive(Path(path))]


def test_what_a_rollout_starts_may_stay(tmp_path: Path) -> None:
    """A service that was started in the background outlives the command that started it."""
    note = tmp_path / "pid"
    command = ["sh", "-c", f"sleep 600 & echo $! > {note}"]
    assert run(command, print, leave=True).status == 0
    service = psutil.Process(int(note.read_text()))
    assert service.is_running()
    service.kill()
    assert run(command, print).status == 0
    _until(lambda: not _alive(note))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_outlives_us(family: list[str], number: int) -> None:
    """Neither Ctrl-C, nor the SIGTERM that cancels, nor a kill -9 leaves a training behind."""
    driver = DRIVER.format(root=str(ROOT), command=family[-1])
    process = _start(sys.executable, "-c", driver)
    found = [_process(Path("middle")), _process(Path("deep"))]
    process.send_signal(number)
    assert process.wait(60) != 0
    _until(lambda: not any(one.is_running() for one in found))


def test_a_killed_supervisor_takes_dvc_with_it(tmp_path: Path) -> None:
    """The next walk looks for the rest."""
    note = tmp_path / "pid"
    code = f"import os, time; open({str(note)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    command = [sys.executable, str(SUPERVISE), sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as supervisor:
        child = _process(note)
        supervisor.kill()
        _until(lambda: not child.is_running())


def test_who_will_not_stop_is_killed(tmp_path: Path) -> None:
    """Whoever ignores SIGINT and SIGTERM is not left running."""
    code = textwrap.dedent(f"""
        import sys
        sys.path.insert(0, {str(ROOT)!r})
        from flows import supervise
        supervise.STOPPING = [(n, 0.3) for n, _ in supervise.STOPPING[:-1]] + [supervise.STOPPING[-1]]
        sys.exit(supervise.main(sys.argv[1:]))
    """)
    stubborn = "trap '' INT TERM; echo ready; while :; do sleep 0.2; done"
    with subprocess.Popen(
        [sys.executable, "-c", code, "sh", "-c", stubborn],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as supervisor:
        assert supervisor.stdin and supervisor.stdout
        assert supervisor.stdout.readline() == "ready\n"
        [shell] = psutil.Process(supervisor.pid).children()
        supervisor.stdin.close()
        assert supervisor.wait(60) == 128 + signal.SIGTERM
        assert not shell.is_running()


def _start(*command: str) -> "subprocess.Popen[bytes]":
    # A shell that starts us in the background has made us deaf to Ctrl-C.
    return subprocess.Popen(
        ["env", "--default-signal=INT,QUIT,TERM,HUP", *command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _process(note: Path) -> psutil.Process:
    """The process whose number is in a file, once it is."""
    return psutil.Process(int(_until(lambda: note.is_file() and note.read_text())))


def _alive(note: Path) -> bool:
    return note.is_file() and psutil.pid_exists(int(note.read_text()))


def _until(happened: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if found := happened():
            return found
        time.sleep(0.05)
    raise AssertionError(f"not within a minute, process {os.getpid()}")
