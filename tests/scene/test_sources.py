"""Which files are meant, and that none of them is ever overwritten."""

from pathlib import Path

import pytest

from roadworthy.errors import DataError
from roadworthy.scene.sources import sources


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "street"
    for name in (
        "b.jpg",
        "a.PNG",
        "deep/c.webp",
        "film.mp4",
        "old.avi",
        "notes.txt",
        ".hidden.jpg",
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")
    (root / ".thumbs").mkdir()
    (root / ".thumbs/d.jpg").write_bytes(b"x")
    return root


def names(found: list) -> list[str]:  # type: ignore[type-arg]
    return [one.name for one in found]


def test_a_folder_gives_its_pictures_then_its_videos(folder: Path, tmp_path: Path) -> None:
    """Under the same relative names; what is hidden, or no picture, is left alone."""
    found = sources([folder], tmp_path / "out")
    assert names(found) == ["a.PNG", "b.jpg", "deep/c.webp", "film.mp4", "old.avi.mp4"]
    assert [one.is_video for one in found] == [False] * 3 + [True] * 2


def test_earlier_results_are_no_sources(folder: Path) -> None:
    """Inspecting twice inspects the same."""
    out = folder / "inspected"
    before = names(sources([folder], out))
    out.mkdir()
    (out / "b.jpg").write_bytes(b"x")
    assert names(sources([folder], out)) == before


def test_no_source_is_overwritten(folder: Path, tmp_path: Path) -> None:
    """However its folder is written."""
    with pytest.raises(DataError, match="would be overwritten: choose another folder"):
        sources([folder], folder / "deep" / "..")
    with pytest.raises(DataError, match="would be overwritten"):
        sources([folder / "b.jpg"], folder)
    link = tmp_path / "link"
    link.symlink_to(folder)
    with pytest.raises(DataError, match=r"would be overwritten"):
        sources([folder / "b.jpg"], link)


def test_several_folders_keep_apart(folder: Path, tmp_path: Path) -> None:
    """Pictures of one name in two folders both come out."""
    other = tmp_path / "yard"
    other.mkdir()
    (other / "b.jpg").write_bytes(b"x")
    found = names(sources([folder, other], tmp_path / "out"))
    assert {"street/b.jpg", "yard/b.jpg"} <= set(found)
    with pytest.raises(DataError, match="would both become"):
        sources([folder / "b.jpg", other / "b.jpg"], tmp_path / "out")


def test_a_file_named_twice_is_inspected_once(folder: Path, tmp_path: Path) -> None:
    """Asterisks of a shell overlap easily."""
    assert len(sources([folder / "b.jpg", folder / "b.jpg"], tmp_path / "out")) == 1


def test_a_name_without_a_suffix_is_tried(tmp_path: Path) -> None:
    """Whoever names a file means it; what is drawn needs a format."""
    (tmp_path / "photo").write_bytes(b"x")
    assert names(sources([tmp_path / "photo"], tmp_path / "out")) == ["photo.png"]


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    """A missing name, an empty folder, a file in the place of the results."""
    with pytest.raises(DataError, match=r"nothing\.jpg is not there"):
        sources([tmp_path / "nothing.jpg"], tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no picture and no video in"):
        sources([tmp_path / "empty"], tmp_path / "out")
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match="is a file"):
        sources([tmp_path / "empty"], tmp_path / "file")
