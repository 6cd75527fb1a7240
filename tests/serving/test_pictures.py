import os
from pathlib import Path

import pytest

from roadworthy.serving.pictures import Pictures


def kept(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_an_image_is_kept_once_and_for_its_owner_only(tmp_path: Path) -> None:
    """The same image asked about by four tasks is one file."""
    pictures = Pictures(tmp_path / "images", 1000)
    for _ in range(4):
        assert pictures.keep("a" * 64, b"picture")
    assert kept(tmp_path / "images") == {"a" * 64: b"picture"}
    assert (tmp_path / "images" / ("a" * 64)).stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "images").stat().st_mode & 0o777 == 0o700


def test_the_budget_holds_and_the_oldest_go(tmp_path: Path) -> None:
    """What was seen again lately stays."""
    pictures = Pictures(tmp_path, 1000)
    for n in range(40):
        pictures.keep(f"{n}", b"x" * 90)
        os.utime(tmp_path / f"{n}", (n, n))
        if n:
            pictures.keep("0", b"x" * 90)
        assert sum(map(len, kept(tmp_path).values())) <= 1000
    found = kept(tmp_path)
    assert {"0", "39", "38"} <= found.keys() and "1" not in found
    assert not pictures.keep("large", b"x" * 1001)
    assert "large" not in kept(tmp_path)


def test_two_processes_hold_one_budget(tmp_path: Path) -> None:
    """Each knows only what it wrote itself, until it looks."""
    both = [Pictures(tmp_path, 2000), Pictures(tmp_path, 2000)]
    for n in range(100):
        both[n % 2].keep(f"{n}", b"x" * 90)
    assert sum(map(len, kept(tmp_path).values())) <= 2000 + 200


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    """Half an image would be taken for a whole one."""
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError):
        Pictures(tmp_path / "file" / "images", 1000).keep("a", b"x")
    (tmp_path / "taken").mkdir()
    os.utime(tmp_path / "taken", (0, 0))
    pictures = Pictures(tmp_path, 1000)
    with pytest.raises(OSError):
        pictures.keep("no/such", b"x")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "taken"]
