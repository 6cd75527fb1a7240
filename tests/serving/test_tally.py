"""Requests and refusals on disk: complete, bounded, and none of a request's business."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from roadworthy.serving.champions import Champion
from roadworthy.serving.journal import paths
from roadworthy.serving.metrics import OTHER
from roadworthy.serving.settings import Settings
from roadworthy.serving.tally import NAME, Minute, Tally, read_requests, to_line
from served import app_of

COUNTS = """
import sys, time
from pathlib import Path
from roadworthy.serving.settings import Settings
from roadworthy.serving.tally import Tally
tally = Tally(Settings(log=Path(sys.argv[1])), seconds=0.05)
for _ in range(100):
    tally.count("/predict", "busy")
print("counted", flush=True)
time.sleep(60)
"""


def total(folder: Path) -> Counter[str]:
    """Requests by route, refusals by word."""
    found: Counter[str] = Counter()
    for one in read_requests(folder):
        found.update(one.requests)
        for words in one.refused.values():
            found.update(words)
    return found


def test_closing_writes_what_was_counted(tmp_path: Path) -> None:
    """From all threads, once each."""
    tally = Tally(Settings(log=tmp_path))

    def count() -> None:
        for _ in range(500):
            tally.count("/predict")

    threads = [Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tally.count("/predict", "unusable_image")
    tally.close()
    [one] = read_requests(tmp_path)
    assert one.requests == {"/predict": 2001}
    assert one.refused == {"/predict": {"unusable_image": 1}}
    assert one.since <= one.until and one.until.endswith("+00:00")


def test_words_and_paths_of_callers_do_not_make_it_grow(tmp_path: Path) -> None:
    """Only what we know has a name."""
    tally = Tally(Settings(log=tmp_path))
    for number in range(100):
        tally.count(None, f"word{number}")
    tally.close()
    [one] = read_requests(tmp_path)
    assert one.requests == {OTHER: 100} and one.refused == {OTHER: {OTHER: 100}}


def test_silence_costs_no_line(tmp_path: Path) -> None:
    """A service that nobody asks leaves no file."""
    Tally(Settings(log=tmp_path), seconds=0.001).close()
    assert not list(tmp_path.iterdir())


def test_a_kill_loses_the_last_minute_only(tmp_path: Path) -> None:
    """What was written before is there, and the next process goes on in the same file."""
    process = subprocess.Popen(
        [sys.executable, "-c", COUNTS, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout and process.stdout.readline() == "counted\n"
    while total(tmp_path)["busy"] < 100:
        assert process.poll() is None
    process.kill()
    process.wait()
    process.stdout.close()
    tally = Tally(Settings(log=tmp_path))
    tally.count("/predict")
    tally.close()
    assert total(tmp_path) == {"/predict": 101, "busy": 100}
    assert len(paths(tmp_path, NAME)) == 1


def test_a_disk_that_was_full_loses_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The counts wait for the next line, which begins where theirs would have."""
    folder = tmp_path / "log"
    tally = Tally(Settings(log=folder))
    tally._write.pause = 0
    folder.rmdir()
    folder.write_text("in the way")
    tally.count("/predict")
    began = tally._since
    tally._flush()
    folder.unlink()
    tally.count("/predict")
    tally.close()
    [one] = read_requests(folder)
    assert one.requests == {"/predict": 2} and one.since == began
    assert "tally" in caplog.text


def test_the_files_are_bounded(tmp_path: Path) -> None:
    """Months of minutes take what the log's settings allow."""
    tally = Tally(Settings(log=tmp_path, log_bytes=10_000, log_files=2))
    line = to_line(Minute(since="a", until="b", requests={"/predict": 1}, refused={}))
    for _ in range(1000):
        tally._journal.append([line])
    tally.close()
    files = paths(tmp_path, NAME)
    assert len(files) == 2 and sum(one.stat().st_size for one in files) <= 20_000


def test_a_torn_line_is_skipped(tmp_path: Path) -> None:
    """Half a line is the end of that line and nothing else."""
    good = to_line(Minute(since="a", until="b", requests={"/predict": 1}, refused={}))
    (tmp_path / f"{NAME}-1.jsonl").write_bytes(good[:20] + b"\n" + good)
    lines = read_requests(tmp_path)
    assert [one.requests for one in lines] == [{"/predict": 1}] and lines.torn == 1


def test_the_service_counts_what_brings_images(
    champions: dict[str, Champion], tmp_path: Path, png: Any
) -> None:
    """Answers and refusals by route; a look at the page or the figures is no request."""
    from warnings import catch_warnings, simplefilter

    with catch_warnings():
        simplefilter("ignore")
        from starlette.testclient import TestClient

    app = app_of(champions, log=tmp_path)
    with TestClient(app) as client:
        client.post("/predict", files={"file": png()})
        client.post("/predict", files={"file": b"no image"})
        client.get("/metrics")
        client.get("/tasks")
        client.post("/nowhere")
    context = next(one.kwargs["tally"] for one in app.user_middleware if "tally" in one.kwargs)
    context.close()
    found = json.loads(paths(tmp_path, NAME)[0].read_bytes())
    assert found["requests"] == {"/predict": 2, "other": 1}
    assert found["refused"] == {"/predict": {"unusable_image": 1}, "other": {"not_found": 1}}
