"""Progress: a bar on a terminal, plain lines elsewhere, with speed and what is left."""

import os
import pty
import subprocess
import sys

import pytest

from roadworthy import progress

PROGRAM = """
import time
from roadworthy.progress import bar
with bar("train car") as show:
    for done in range(1, 41):
        time.sleep(0.05)
        show(done * 10, 400, lambda: f"loss {1 / done:.3f} val/loss 0.5")
"""


def test_without_a_terminal_there_is_one_line_per_interval(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A log must not fill with bars; the last line always comes."""
    clock = iter(range(0, 100_000, 4))
    monkeypatch.setattr(progress.time, "monotonic", lambda: float(next(clock)))
    with progress.bar("train car") as show:
        for done in range(10, 210, 10):
            show(done, 200, f"loss {done}")
    lines = capsys.readouterr().err.splitlines()
    assert 3 < len(lines) < 12
    assert lines[-1].startswith("train car: 200/200 (") and lines[-1].endswith("loss 200")
    assert " left)" in lines[1] and "left" not in lines[-1]


def test_a_note_is_asked_for_only_when_it_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may wait for a GPU."""
    asked = []
    with progress.bar("train car") as show:
        for done in range(1, 1000):
            show(done, 2000, lambda: str(asked.append(1)))
    assert not asked


def test_a_resumed_training_does_not_count_what_was_done_before() -> None:
    """Else its speed would be a fairy tale, and the time left too short."""
    speed = progress._Speed()
    speed.count(100_000)
    assert speed.rate < 1


def test_on_a_terminal_there_is_a_bar() -> None:
    """With images per second, loss and the watched metric, and the time that is left."""
    main, terminal = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120", "LINES": "20"}
    child = subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stderr=terminal, stdout=terminal, env=environment
    )
    os.close(terminal)
    seen = b""
    while True:
        try:
            seen += (part := os.read(main, 65536))
        except OSError:
            break
        if not part:
            break
    assert child.wait() == 0
    os.close(main)
    text = seen.decode(errors="replace")
    for word in ("train car", "400/400", "/s", "loss 0.025", "val/loss"):
        assert word in text
