import logging
import shutil
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from records_made import record
from roadworthy.errors import ParamsError
from roadworthy.serving import records
from roadworthy.serving.metrics import Metrics
from roadworthy.serving.pictures import FOLDER
from roadworthy.serving.record import NAME, read
from roadworthy.serving.records import PredictionLog
from roadworthy.serving.settings import Settings


def opened(folder: Path, **changes: Any) -> PredictionLog:
    return PredictionLog(Settings(log=folder, **changes), Metrics())


def count(log: PredictionLog, name: str, **labels: str) -> float:
    return log.metrics.registry.get_sample_value(f"roadworthy_log_{name}_total", labels) or 0


def ids(folder: Path) -> list[int]:
    return [int(one.id, 16) for one in read(folder)]


def test_closing_writes_all_that_waits(tmp_path: Path) -> None:
    """SIGTERM loses nothing of what was answered."""
    log = opened(tmp_path, log_bytes=100_000)
    assert all(log.put(record(n)) for n in range(2000))
    assert log.close()
    assert ids(tmp_path) == list(range(2000))
    assert count(log, "written", kind="record") == 2000
    assert not log.put(record(0))
    assert count(log, "dropped", kind="record", reason="closed") == 1
    assert log.close()


def test_threads_may_put_at_once(tmp_path: Path) -> None:
    """Nothing is lost or torn between them."""
    log = opened(tmp_path)

    def put(start: int) -> None:
        for n in range(start, start + 300):
            log.put(record(n))

    threads = [Thread(target=put, args=(300 * n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.close()
    lines = read(tmp_path)
    assert sorted(int(one.id, 16) for one in lines) == list(range(1200))
    assert lines.torn == 0


def test_a_slow_disk_drops_records_and_holds_nobody_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The queue is bounded; what did not fit is counted, what did is written."""
    monkeypatch.setattr(records, "WAITING", 20)
    log = opened(tmp_path)
    with log._journal._lock:  # the writer stands still
        kept = sum(log.put(record(n)) for n in range(1000))
    assert 20 <= kept <= records.BATCH + 20
    assert count(log, "dropped", kind="record", reason="queue") == 1000 - kept
    log.close()
    assert len(ids(tmp_path)) == kept


def test_a_full_disk_is_said_once_and_ends_by_itself(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Requests go on; a metric and one line of the log tell, and writing goes on when it can."""
    folder = tmp_path / "log"
    log = opened(folder)
    log._write_lines.pause = 0
    folder.rmdir()
    folder.write_text("in the way")
    with caplog.at_level(logging.WARNING):
        for n in range(5):
            assert log.put(record(n))
            settled(log, n + 1)
        assert len(caplog.records) == 1
        folder.unlink()
        log.put(record(5))
        log.close()
    assert ids(folder) == [5]
    assert [one.levelname for one in caplog.records] == ["ERROR", "WARNING"]


def settled(log: PredictionLog, dropped: int) -> None:
    """Wait until the writer has given up on so many."""
    while count(log, "dropped", kind="record", reason="disk") < dropped:
        pass


def test_a_record_that_cannot_be_written_costs_itself_only(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The writer's thread never dies."""
    log = opened(tmp_path)
    log.put(record(0, probabilities={"car": float("inf")}))
    log.put(record(1, version=object()))
    log.put(record(2, probabilities=None))
    log.put(record(3))
    log.close()
    assert ids(tmp_path) == [3]
    assert count(log, "dropped", kind="record", reason="unusable") == 3


def test_images_are_kept_only_when_set(tmp_path: Path) -> None:
    """Else not a byte of them is anywhere."""
    content = b"\xff\xd8 a picture of somebody"
    for keep in (False, True):
        folder = tmp_path / str(keep)
        log = opened(folder, log_images=keep)
        log.put(record(1), content)
        log.put(record(1), content)
        log.close()
        found = [path for path in folder.rglob("*") if path.is_file()]
        assert any(content in path.read_bytes() for path in found) == keep
        assert (folder / FOLDER).exists() == keep
    assert (folder / FOLDER / f"{1:064x}").read_bytes() == content


def test_images_that_wait_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten thousand large ones would fill the memory; their records are small and stay."""
    monkeypatch.setattr(records, "WAITING_BYTES", 1000)
    log = opened(tmp_path, log_images=True)
    with log._journal._lock:
        assert all(log.put(record(n), b"x" * 400) for n in range(10))
    log.close()
    assert len(ids(tmp_path)) == 10
    assert count(log, "dropped", kind="image", reason="queue") == 8
    assert count(log, "written", kind="image") == 2
    assert log._bytes == 0


def test_rotation_is_bounded(tmp_path: Path) -> None:
    """The log never takes more than it was given."""
    log = opened(tmp_path, log_bytes=10_000, log_files=3)
    for n in range(500):
        log.put(record(n))
    log.close()
    files = list(tmp_path.glob(f"{NAME}-*"))
    assert len(files) == 3 and all(path.stat().st_size <= 10_000 for path in files)
    assert ids(tmp_path)[-1] == 499


def test_a_folder_that_cannot_be_written_stops_the_start(tmp_path: Path) -> None:
    """With what to do about it, and not at the first request."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ParamsError, match=r"ROADWORTHY_LOG.*cannot be written.*unset"):
        opened(tmp_path / "file" / "log")


def test_what_a_challenger_says_is_not_for_feedback(tmp_path: Path) -> None:
    """The caller never saw it."""
    log = opened(tmp_path)
    log.put(record(1))
    log.put(record(2, shadow=True))
    assert log.recent.get(f"{1:032x}", "car") is not None
    assert log.recent.get(f"{2:032x}", "car") is None
    log.close()
    shutil.rmtree(tmp_path)
