"""What is written is whole, or not there."""

import csv
import io
from pathlib import Path

import pytest
from PIL import Image

from roadworthy.bundle.predictor import Predictor
from roadworthy.scene.crew import Crew
from roadworthy.scene.results import CarTable, save_picture, writing


def test_a_row_for_each_car(crew: Crew, photo: Image.Image, askers: dict[str, Predictor]) -> None:
    """With every answer; a name with a comma stays one name."""
    scene, file = crew.look(photo), io.StringIO()
    table = CarTable(file, list(askers))
    table.add("a, b.jpg", scene.cars)
    table.add("film.mp4", scene.cars[:1], frame=7, seconds=0.28)
    rows = list(csv.DictReader(io.StringIO(file.getvalue())))
    assert [(row["path"], row["car"], row["frame"], row["seconds"]) for row in rows] == [
        ("a, b.jpg", "1", "", ""),
        ("a, b.jpg", "2", "", ""),
        ("film.mp4", "1", "7", "0.28"),
    ]
    for row, car in zip(rows, scene.cars, strict=False):
        assert float(row["left"]) == pytest.approx(car.box[0], abs=0.05)
        for task, one in car.answers.items():
            assert row[task] == one.label
            assert float(row[f"{task}_probability"]) == pytest.approx(one.probability, abs=1e-4)
            assert row[f"{task}_sure"] == str(one.sure).lower()


def test_an_error_leaves_what_was_there(tmp_path: Path) -> None:
    """Half a table under the name of a whole one would be believed."""
    path = tmp_path / "cars.csv"
    path.write_text("before")
    with pytest.raises(RuntimeError), writing(path) as file:
        file.write("half")
        raise RuntimeError
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.JPG", "JPEG"),
        ("deep/a.png", "PNG"),
        ("a.webp", "WEBP"),
        ("a.gif", "GIF"),
        ("a.tif", "TIFF"),
    ],
)
def test_a_picture_has_the_format_of_its_name(name: str, kind: str, tmp_path: Path) -> None:
    """And nothing else is left in its folder."""
    path = tmp_path / name
    save_picture(Image.new("RGB", (40, 30), "red"), path)
    with Image.open(path) as read:
        assert (read.format, read.size) == (kind, (40, 30))
    assert list(path.parent.iterdir()) == [path]
