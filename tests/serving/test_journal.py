import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from resource import RLIMIT_FSIZE, getrlimit, setrlimit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from roadworthy.serving.journal import Journal, Lines, check, paths

WRITE = """
import sys
from pathlib import Path
from roadworthy.serving.journal import Journal
journal = Journal(Path(sys.argv[1]), "x", int(sys.argv[2]), int(sys.argv[3]))
for number in range(int(sys.argv[4])):
    journal.append([b'{"who": %s, "n": %d}\\n' % (sys.argv[5].encode(), number)])
    if number == 50:
        print("going", flush=True)
"""


def line(number: int, size: int = 0) -> bytes:
    return json.dumps({"n": number, "fill": "x" * size}).encode() + b"\n"


def numbers(folder: Path) -> list[int]:
    return [entry["n"] for entry in Lines(paths(folder, "x"), json.loads)]


def started(folder: Path, size: int, files: int, count: int, who: int = 0) -> subprocess.Popen[str]:
    arguments = map(str, (folder, size, files, count, who))
    command = [sys.executable, "-c", WRITE, *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@contextmanager
def small_disk(size: int) -> Iterator[None]:
    """No file of this process grows beyond `size`: the write that would is cut short, then fails."""
    soft, hard = getrlimit(RLIMIT_FSIZE)
    setrlimit(RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        setrlimit(RLIMIT_FSIZE, (soft, hard))


def test_lines_come_back_in_order_over_rotated_files(tmp_path: Path) -> None:
    """A file is closed before it grows too large; the oldest go."""
    journal = Journal(tmp_path, "x", 1000, 3)
    journal.append([line(n, 80) for n in range(50)])
    for n in range(50, 100):
        journal.append([line(n, 80)])
    files = paths(tmp_path, "x")
    assert len(files) == 3
    assert all(path.stat().st_size <= 1000 for path in files)
    assert journal.written == 100
    found = numbers(tmp_path)
    assert found == list(range(found[0], 100)) and len(found) > 15


def test_only_the_owner_can_read(tmp_path: Path) -> None:
    """What callers sent is nobody else's business."""
    journal = Journal(tmp_path / "new" / "log", "x", 1000, 3)
    journal.append([line(0)])
    [path] = paths(tmp_path / "new" / "log", "x")
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


@given(cut=st.integers(0, 200))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_cut_at_any_byte(cut: int, tmp_path: Path) -> None:
    """A torn last line costs that line; what is written after it is whole."""
    folder = tmp_path / str(cut)
    whole = b"".join(line(n, 20) for n in range(5))
    folder.mkdir(exist_ok=True)
    for path in paths(folder, "x"):
        path.unlink()
    (folder / "x-2020-a.jsonl").write_bytes(whole[:cut])
    journal = Journal(folder, "x", 1000, 3)
    journal.append([line(5, 20)])
    journal.close()
    lines = Lines(paths(folder, "x"), json.loads)
    found = [entry["n"] for entry in lines]
    complete = sum(len(whole[:cut]) >= len(line(0, 20)) * (n + 1) - 1 for n in range(5))
    assert found == [*range(complete), 5]
    assert lines.torn <= 1
    assert len(paths(folder, "x")) == 1


def test_killed_while_writing(tmp_path: Path) -> None:
    """kill -9 at any moment: what came before is there, and the next process goes on."""
    process = started(tmp_path, 10_000, 100, 10**7)
    assert process.stdout and process.stdout.readline() == "going\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    before = numbers(tmp_path)
    assert before == list(range(len(before))) and len(before) > 50
    Journal(tmp_path, "x", 10_000, 100).append([line(-1)])
    assert numbers(tmp_path) == [*before, -1]


def test_two_processes_in_one_folder(tmp_path: Path) -> None:
    """Neither tears the other's lines nor deletes the file it is writing."""
    processes = [started(tmp_path, 2_000, 2, 1500, who) for who in (1, 2)]
    for process in processes:
        process.communicate()
        assert process.returncode == 0
    lines = Lines(paths(tmp_path, "x"), json.loads)
    last: dict[int, int] = {}
    for entry in lines:
        last[entry["who"]] = max(entry["n"], last.get(entry["who"], 0))
    assert lines.torn == 0
    # Each could hold one that the other may not delete.
    assert len(paths(tmp_path, "x")) <= 2 + 2
    assert 1499 in last.values()


def test_a_file_that_is_written_is_not_deleted(tmp_path: Path) -> None:
    """However many files another process makes."""
    first = Journal(tmp_path, "x", 1000, 1)
    first.append([line(0)])
    other = Journal(tmp_path, "x", 1000, 1)
    for n in range(1, 30):
        other.append([line(n, 200)])
    first.append([line(100)])
    assert {0, 100} <= set(numbers(tmp_path))
    assert len(paths(tmp_path, "x")) == 2


def test_restarts_cost_no_files(tmp_path: Path) -> None:
    """A service that crashes again and again must not push its history out."""
    for n in range(20):
        journal = Journal(tmp_path, "x", 10_000, 3)
        journal.append([line(n)])
        journal.close()
    assert len(paths(tmp_path, "x")) == 1
    assert numbers(tmp_path) == list(range(20))


def test_a_full_disk_leaves_no_half_line(tmp_path: Path) -> None:
    """And when there is room again, writing goes on in the same file."""
    journal = Journal(tmp_path, "x", 1_000_000, 3)
    with small_disk(65_536), pytest.raises(OSError, match="large"):
        for n in range(100):
            journal.append([line(n, 1000)])
    whole = journal.written
    assert 50 < whole < 70
    assert numbers(tmp_path) == list(range(whole))
    journal.append([line(whole)])
    lines = Lines(paths(tmp_path, "x"), json.loads)
    assert [entry["n"] for entry in lines] == list(range(whole + 1))
    assert lines.torn == 0 and len(paths(tmp_path, "x")) == 1


def test_deleted_under_our_feet(tmp_path: Path) -> None:
    """An operator may clear the folder; the next line makes a new one."""
    folder = tmp_path / "log"
    journal = Journal(folder, "x", 1000, 3)
    journal.append([line(0)])
    paths(folder, "x")[0].unlink()
    folder.rmdir()
    journal.append([line(1)])
    assert numbers(folder) == [1]


def test_what_may_not_be_forgotten_is_refused_instead(tmp_path: Path) -> None:
    """Feedback is work of people."""
    journal = Journal(tmp_path, "x", 1000, 2, forget=False)
    with pytest.raises(OSError, match="full"):
        journal.append([line(n, 200) for n in range(100)], sync=True)
    assert numbers(tmp_path) == list(range(journal.written))
    assert len(paths(tmp_path, "x")) == 2


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """Said at the start, not at the first line."""
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError):
        check(tmp_path / "file" / "log")
    check(tmp_path / "log")
    assert not list((tmp_path / "log").iterdir())


def test_garbage_is_read_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of somebody else's must not fill the memory of a reader."""
    monkeypatch.setattr("roadworthy.serving.journal.LONGEST", 1000)
    (tmp_path / "x-1-a.jsonl").write_bytes(line(0) + b"\0" * 3500 + b"\n" + line(1))
    (tmp_path / "x-2-a.jsonl").write_bytes(b"")
    lines = Lines(paths(tmp_path, "x"), json.loads)
    (tmp_path / "x-3-a.jsonl").write_bytes(line(2))
    assert [entry["n"] for entry in lines] == [0, 1]
    assert lines.torn == 4
