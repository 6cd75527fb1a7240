"""Whatever names images, each is named once, and what cannot be opened is not lost."""

import os
from pathlib import Path

import pandas as pd
import pytest

from roadworthy.errors import DataError
from roadworthy.scoring.places import Place
from roadworthy.scoring.sources import Count, entries

FILES = ("a.jpg", "b.PNG", "deep/er/c.jpeg", "deep/d.tif", "notes.txt", "deep/e.json")
IMAGES = {"a.jpg", "b.PNG", "deep/er/c.jpeg", "deep/d.tif"}


def listed(source: str) -> tuple[list[str], Count]:
    count = Count()
    return [entry.path for entry in entries(source, count)], count


@pytest.fixture(params=["here", "store"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A folder with the files of `FILES`, here or in a bucket."""
    root = str(tmp_path / "in")
    if request.param == "store":
        root = f"{request.getfixturevalue('store')}/in"
    for name in FILES:
        Place(root).write(name, b"x")
    return root


def test_a_folder_gives_its_images(root: str) -> None:
    """All of them, however deep; others are counted."""
    found, count = listed(root)
    assert sorted(found) == sorted(f"{root}/{name}" for name in IMAGES)
    assert count == Count(others=2)


def test_a_pattern_gives_what_it_names(root: str) -> None:
    """`*` stays in a folder, `**` does not."""
    assert listed(f"{root}/*.jpg")[0] == [f"{root}/a.jpg"]
    assert sorted(listed(f"{root}/**/*.jp*g")[0]) == [f"{root}/a.jpg", f"{root}/deep/er/c.jpeg"]
    assert listed(f"{root}/deep/*/[a-c].jpeg")[0] == [f"{root}/deep/er/c.jpeg"]


@pytest.mark.parametrize("kind", ["txt", "csv", "parquet"])
def test_a_list_names_each_image_once(kind: str, root: str) -> None:
    """Relative to the list; what is named twice has one row, what is no image has one too."""
    lines = ["a.jpg", "deep/d.tif", "a.jpg", "notes.txt", "/elsewhere/ü.jpg", "s3://other/x.jpg"]
    data = {
        "txt": "\r\n".join([*lines, "", ""]).encode(),
        "csv": pd.DataFrame({"id": range(6), "path": lines}).to_csv(index=False).encode(),
        "parquet": pd.DataFrame({"path": lines}).to_parquet(),
    }
    Place(root).write(f"list.{kind}", data[kind])
    found, count = listed(f"{root}/list.{kind}")
    here = [f"{root}/a.jpg", f"{root}/deep/d.tif", f"{root}/notes.txt"]
    assert found == [*here, "/elsewhere/ü.jpg", "s3://other/x.jpg"]
    assert count == Count(repeated=1)


def test_several_lists_are_one(tmp_path: Path) -> None:
    """A billion paths do not come in one file."""
    for number, names in enumerate((["a.jpg", "b.jpg"], ["b.jpg", "c.jpg"])):
        pd.DataFrame({"path": names}).to_parquet(tmp_path / f"{number}.parquet")
    found, count = listed(f"{tmp_path}/*.parquet")
    assert found == [f"{tmp_path}/{name}.jpg" for name in "abc"]
    assert count.repeated == 1


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("list.csv", b"file\na.jpg\n", "no column `path`"),
        ("list.parquet", b"not parquet", "no Parquet file"),
        ("gone.txt", None, "cannot be listed: No such file"),
        ("gone", None, "neither a folder nor a file"),
        ("*.parquet", None, "no list"),
    ],
)
def test_a_source_that_is_none_says_so(
    name: str, content: bytes | None, said: str, tmp_path: Path
) -> None:
    """Before anything is begun."""
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=said):
        listed(f"{tmp_path}/{name}")


def test_a_bucket_that_is_not_there_says_so(store: str) -> None:
    """An empty result would look like success."""
    for source in (f"{store}/nothing", "s3://no-such-bucket-here/x"):
        with pytest.raises(DataError, match="cannot be listed"):
            listed(source)


def test_a_name_that_is_no_text_is_an_image_with_a_fault(tmp_path: Path) -> None:
    """It can be written nowhere, but it is not forgotten."""
    try:
        (tmp_path / os.fsdecode(b"latin\xe9.jpg")).write_bytes(b"x")
    except OSError:
        pytest.skip("this file system has no such names")
    (entry,) = entries(str(tmp_path), Count())
    assert entry.path.endswith(r"latin\xe9.jpg")
    assert entry.fault == "its name is not UTF-8"
