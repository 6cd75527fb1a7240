"""Boxes are read from both forms alike; what is no box is listed with its reason."""

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roadworthy.data import boxes
from roadworthy.errors import DataError

ROOT = Path(__file__).parents[2]
REAL = ROOT.parent / "shared" / "data" / "coco_cars"
HEADER = "image,label,x_center,y_center,width,height\n"


def scene(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def reasons(found: boxes.Boxes) -> list[str]:
    return [f"{Path(f).name}:{n}: {why}" for f, n, why in found.faults.to_numpy()]


@pytest.mark.parametrize(
    "text",
    [
        "image,x_center,y_center,width,height,make,police\na.jpg,0.5,0.4,0.2,0.1,BMW,0\n",
        "path,x,y,w,h\na.jpg,0.5,0.4,0.2,0.1\n",
        "\ufeffH,W,Y,X,Path\r\n0.1,0.2,0.4,0.5,images/a.jpg\r\n",
    ],
)
def test_both_spellings_of_the_table_are_read(tmp_path: Path, text: str) -> None:
    """As `roadworthy generate` writes it, and as the manifest's columns are called."""
    scene(tmp_path, "images/a.jpg")
    (tmp_path / "boxes.csv").write_text(text, newline="")
    found = boxes.read(tmp_path)
    assert found.rows.drop(columns="label").to_numpy().tolist() == [
        [f"{tmp_path.as_posix()}/images/a.jpg", 0.5, 0.4, 0.2, 0.1]
    ]
    assert found.rows["label"].isna().all()
    assert found.faults.empty


LINES = [
    ("a.jpg,car,0.5,0.5,0.2,0.2", None),
    ("a.jpg,car,0.5,0.5,0.2,0.2", "already"),
    ("a.jpg,car,1.5,0.5,0.2,0.2", "between 0 and 1"),
    ("a.jpg,car,320,240,20,20", "between 0 and 1"),
    ("a.jpg,car,0.5,0.5,0,0.2", "no area"),
    ("a.jpg,car,0.5,0.5,-0.2,0.2", "no area"),
    ("a.jpg,car,nan,0.5,0.2,0.2", "finite"),
    ("a.jpg,car,0.5,0.5,inf,0.2", "finite"),
    ("a.jpg,car,0.5,half,0.2,0.2", "half"),
    ("a.jpg,car,0.95,0.5,0.2,0.2", "sticks out"),
    ("a.jpg,car,0.5,0.5,0.2", "5 values"),
    ("gone.jpg,car,0.5,0.5,0.2,0.2", "no image gone.jpg"),
    ("../a.jpg,car,0.5,0.5,0.2,0.2", "no image"),
]


def test_every_refused_line_of_a_table_has_a_reason(tmp_path: Path) -> None:
    """A detector that learns from wrong boxes fails without a word."""
    scene(tmp_path, "a.jpg")
    (tmp_path / "boxes.csv").write_text(HEADER + "".join(f"{line}\n" for line, _ in LINES))
    found = boxes.read(tmp_path)
    assert len(found.rows) == 1
    wanted = [(n, why) for n, (_, why) in enumerate(LINES, 2) if why]
    for said, (number, why) in zip(reasons(found), wanted, strict=True):
        assert said.startswith(f"boxes.csv:{number}: ") and why in said


def test_every_refused_line_of_yolo_has_a_reason(tmp_path: Path) -> None:
    """Polygons, unknown classes, and the text of an image that is not there."""
    scene(tmp_path, "images/a.jpg", "images/b.jpg", "notes.txt")
    (tmp_path / "labels").mkdir()
    (tmp_path / "classes.txt").write_text("car\nvan\n")
    (tmp_path / "README.txt").write_text("What this is.\n")
    (tmp_path / "labels/a.txt").write_text(
        "1 0.5 0.5 0.2 0.2\n\n2 0.5 0.5 0.2 0.2\n0 0.1 0.1 0.2\n0 .1 .1 .2 .1 .2 .2\n"
        "-1 .1 .1 .1 .1\n0 0.5 0.5 0.2 0\n"
    )
    (tmp_path / "labels/gone.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    (tmp_path / "images/b.txt").write_text("")
    found = boxes.read(tmp_path)
    assert found.rows["label"].tolist() == ["van"]
    assert reasons(found) == [
        "a.txt:3: there is no class 2",
        "a.txt:4: 4 values, where a box has 5: class, x, y, w, h",
        "a.txt:5: 7 values, where a box has 5: class, x, y, w, h",
        "a.txt:6: there is no class -1",
        "a.txt:7: the box has no area",
        "gone.txt:1: there is no image of this name",
    ]


@pytest.mark.parametrize("names", ["[car, van]", "{0: car, 1: van}"])
def test_class_names_come_from_data_yaml(tmp_path: Path, names: str) -> None:
    """In both forms that it has; without names the number is the label."""
    scene(tmp_path, "train/images/a.jpg", "plain/b.jpg")
    (tmp_path / "train/labels").mkdir()
    (tmp_path / "train/data.yaml").write_text(f"nc: 2\nnames: {names}\n")
    (tmp_path / "train/labels/a.txt").write_text("1 0.5 0.5 0.2 0.2\n")
    (tmp_path / "plain/b.txt").write_text("7 0.5 0.5 0.2 0.2\n")
    found = boxes.read(tmp_path)
    assert dict(zip(found.rows["path"].str[-5:], found.rows["label"], strict=True)) == {
        "a.jpg": "van",
        "b.jpg": "7",
    }


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("boxes.csv", b"image,x,y\n", "line 1: has no column h, w"),
        ("boxes.csv", b"image,x,y,w,h\n\xff\xfe,1,1,1,1\n", "UTF-8"),
        ("boxes.csv", b'image,x,y,w,h\n"a.jpg,1,1,1,1\n', "CSV"),
        ("data.yaml", b"names: 7\n", "class names"),
        ("data.yaml", b"names: [\n", "class names"),
    ],
)
def test_a_file_that_is_wrong_as_a_whole_is_refused(
    tmp_path: Path, name: str, text: bytes, message: str
) -> None:
    """One message instead of a fault per line."""
    scene(tmp_path, "a.jpg")
    (tmp_path / "a.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    (tmp_path / name).write_bytes(text)
    with pytest.raises(DataError, match=message):
        boxes.read(tmp_path)


SIDE = st.integers(1, 500).map(lambda n: n / 1000)
CENTRE = st.integers(250, 750).map(lambda n: n / 1000)
BOX = st.tuples(st.sampled_from("abc"), st.sampled_from(["car", "van"]), CENTRE, CENTRE, SIDE, SIDE)


@settings(max_examples=40, deadline=None)
@given(rows=st.lists(BOX, unique=True, max_size=12))
def test_a_table_and_yolo_say_the_same(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[object, ...]]
) -> None:
    """From the one to the other and back nothing is lost."""
    root = tmp_path_factory.mktemp("scenes")
    scene(root, "images/a.jpg", "images/b.jpg", "images/c.jpg")
    (root / "boxes.csv").write_text(
        HEADER + "".join(",".join([f"{row[0]}.jpg", *map(str, row[1:])]) + "\n" for row in rows)
    )
    first = boxes.read(root)
    assert first.faults.empty and len(first.rows) == len(rows)
    (root / "boxes.csv").unlink()
    write_yolo(root, first.rows)
    pd.testing.assert_frame_equal(boxes.read(root).rows, first.rows)


def write_yolo(root: Path, rows: pd.DataFrame) -> None:
    (root / "labels").mkdir()
    (root / "classes.txt").write_text("van\ncar\n")
    for path, group in rows.groupby("path"):
        lines = [
            f"{int(label == 'car')} {x!r} {y!r} {w!r} {h!r}\n"
            for label, x, y, w, h in group.drop(columns="path").itertuples(index=False)
        ]
        (root / "labels" / Path(str(path)).with_suffix(".txt").name).write_text("".join(lines))


def test_real_scenes_are_read() -> None:
    """70 boxes of cars in 22 photographs."""
    if not REAL.is_dir():
        pytest.skip("../shared/data/coco_cars is not here")
    found = boxes.read(REAL)
    assert len(found.rows) == 70 and found.rows["path"].nunique() == 22
    assert found.faults.empty
