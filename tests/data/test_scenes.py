"""Scenes keep their split for life, and a folder that cannot be used says why."""

from hashlib import sha256
from pathlib import Path
from shutil import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from roadworthy.data import scenes
from roadworthy.errors import DataError
from roadworthy.params import Split
from searching import SIZE, write_scenes

SHARES = Split(val=0.2, test=0.25)
LIMIT = 1_000_000


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_scenes(tmp_path / "scenes", 40)
    return tmp_path / "scenes"


def splits(root: Path) -> dict[str, str]:
    """By content."""
    rows = scenes.read(root, SHARES, LIMIT).rows
    return dict(zip(rows["sha256"], rows["split"], strict=True))


def test_what_is_listed(root: Path) -> None:
    """Every picture once, by path, with its size, its content and how many things it shows."""
    found = scenes.read(root, SHARES, LIMIT)
    rows = found.rows
    assert rows["path"].tolist() == sorted(p.as_posix() for p in (root / "images").iterdir())
    assert list(rows) == ["path", "sha256", "width", "height", "things", "split"]
    assert set(rows["width"]) == {SIZE[0]} and set(rows["height"]) == {SIZE[1]}
    assert rows["things"].tolist() == [0 if n % 4 == 3 else 1 + n % 2 for n in range(40)]
    assert rows["things"].sum() == len(found.boxes)
    assert rows.loc[0, "sha256"] == sha256(Path(rows.loc[0, "path"]).read_bytes()).hexdigest()


def test_more_scenes_and_other_names_move_none(root: Path, tmp_path: Path) -> None:
    """A test scene that became a training scene would be learned by heart."""
    before = splits(root)
    assert set(before.values()) == {"train", "val", "test"}
    write_scenes(root / "new", 60, empty=3)
    for number, path in enumerate(sorted((root / "images").iterdir())[3::4]):
        path.rename(path.with_name(f"renamed-{number}.png"))
    after = splits(root)
    assert len(after) > len(before) and before.items() <= after.items()


def test_exact_copies_are_together(root: Path) -> None:
    """Under whatever name: one content, one split."""
    for path in sorted((root / "images").iterdir()):
        copy(path, root / f"copy-{path.name}")
    rows = scenes.read(root, SHARES, LIMIT).rows
    assert (rows.groupby("sha256")["split"].nunique() == 1).all() and len(rows) == 80


@given(st.binary(max_size=8), st.floats(0, 0.5), st.floats(0, 0.5))
def test_a_larger_test_share_takes_from_the_others_alone(
    content: bytes, share: float, other: float
) -> None:
    """What is for testing stays for testing; the split depends on the content and the shares."""
    digest = sha256(content).hexdigest()
    small, large = sorted((share, other))
    one = scenes.split_of(digest, Split(val=0.2, test=small))
    two = scenes.split_of(digest, Split(val=0.2, test=large))
    assert one in ("train", "val", "test")
    assert two == "test" if one == "test" else True


def test_shares_are_kept_on_the_whole() -> None:
    """About as many as asked for, of many."""
    names = [scenes.split_of(sha256(bytes([a, b])).hexdigest(), SHARES) for a in range(20)
             for b in range(200)]  # fmt: skip
    assert names.count("test") / 4000 == pytest.approx(0.25, abs=0.02)
    assert names.count("val") / 4000 == pytest.approx(0.2, abs=0.02)


def test_a_missing_folder_says_where_it_is_set(tmp_path: Path) -> None:
    """The setting is named, not only the path."""
    with pytest.raises(DataError, match=r"none is missing: `scenes` in params\.yaml"):
        scenes.read(tmp_path / "none", SHARES, LIMIT)


def test_a_bad_line_stops_with_its_place(root: Path) -> None:
    """A box that was left out silently would be a car that must not be found."""
    with (root / "boxes.csv").open("a") as file:
        file.write("nobody.png,0.5,0.5,0.1,0.1\n000.png,0.5,0.5,oh,0.1\n")
    with pytest.raises(DataError, match=r"boxes\.csv, line \d+: there is no image nobody\.png \(2"):
        scenes.read(root, SHARES, LIMIT)


def test_an_unreadable_picture_is_named(root: Path) -> None:
    """Also one that is too large."""
    with pytest.raises(DataError, match=r"scene .*000\.png: 160 x 120 pixels are over 1,000"):
        scenes.read(root, SHARES, 1000)
    (root / "images" / "broken.jpg").write_bytes(b"\xff\xd8 and no more")
    with pytest.raises(DataError, match=r"scene .*broken\.jpg: "):
        scenes.read(root, SHARES, LIMIT)


def test_every_split_needs_a_thing(root: Path, tmp_path: Path) -> None:
    """Nothing is measured on scenes without one; the message says which split lacks them."""
    with pytest.raises(DataError, match=r"no scene with a box in test: add scenes"):
        scenes.read(root, Split(val=0.2, test=0.0), LIMIT)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"in test, train, val"):
        scenes.read(tmp_path / "empty", SHARES, LIMIT)


def test_only_files_are_pictures(root: Path) -> None:
    """A folder may have any name, and turned photos are listed upright, as boxes are drawn."""
    (root / "holiday.jpg").mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("L", (30, 20)).save(root / "turned.jpg", exif=exif)
    rows = scenes.read(root, SHARES, LIMIT).rows.set_index("path")
    assert len(rows) == 41
    assert rows.loc[(root / "turned.jpg").as_posix(), ["width", "height"]].tolist() == [20, 30]
