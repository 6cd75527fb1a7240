"""Found boxes against drawn ones."""

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from roadworthy.data.images import open_image
from roadworthy.errors import DataError
from roadworthy.scene.inspect import inspect_picture
from roadworthy.scene.score import compare, draw_score, told

HEAD = "image,x_center,y_center,width,height\n"
LEFT, RIGHT = (0.1, 0.2, 0.4, 0.6), (0.6, 0.3, 0.9, 0.7)


def seen(folder: Path, finder: Any) -> dict[str, Any]:
    return {
        path.as_posix(): inspect_picture(open_image(path), finder, {})
        for path in sorted(folder.rglob("*.png"))
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two pictures with the same two cars, and one without any."""
    (tmp_path / "images").mkdir()
    for name in "abc":
        Image.effect_noise((120, 80), 60).save(tmp_path / "images" / f"{name}.png")
    boxes = "".join(f"{name}.png,0.25,0.4,0.3,0.4\n{name}.png,0.75,0.5,0.3,0.4\n" for name in "ab")
    (tmp_path / "boxes.csv").write_text(HEAD + boxes)
    return tmp_path


def test_boxes_are_counted(folder: Path, finds: Any) -> None:
    """All cars are found, and the picture without one has two false alarms."""
    score = compare([folder], seen(folder, finds(LEFT, RIGHT)), 0.5)
    assert (score.images, score.with_cars, score.cars) == (3, 2, 4)
    assert score.figures["recall"].value == 1
    assert score.figures["precision"].value == pytest.approx(4 / 6)
    assert score.figures["false_alarms"].value == pytest.approx(2 / 3)
    assert told(score)["figures"]["recall"]["value"] == 1


def test_pictures_show_what_was_hit(folder: Path, finds: Any) -> None:
    """Misses and false alarms each have a sheet."""
    drawn = draw_score([folder], seen(folder, finds(LEFT)), 0.5)
    assert {"misses", "false_alarms"} <= set(drawn)


def test_without_boxes_there_is_no_score(folder: Path, finds: Any) -> None:
    """It is said what is missing."""
    found = seen(folder, finds(LEFT))
    (folder / "boxes.csv").unlink()
    with pytest.raises(DataError, match=r"has no boxes of these pictures: put a boxes\.csv"):
        compare([folder], found, 0.5)
    with pytest.raises(DataError, match="has no boxes of these pictures"):
        compare([folder / "images" / "a.png"], found, 0.5)
