"""The verb `inspect`: what it writes, what it says, and how it ends."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from broken_files import broken
from fixed_finder import Fixed
from postgres import quick_commits, sqlite_file, sqlite_store  # noqa: F401
from roadworthy.bundle import format as bundle_format
from roadworthy.bundle.format import Lineage, Searching
from roadworthy.bundle.predictor import Predictor
from roadworthy.cli import app
from roadworthy.errors import ParamsError, TrackingError
from roadworthy.params import Search
from roadworthy.pipeline import inspect
from roadworthy.pipeline.inspect import gather
from roadworthy.scene import accuracy
from roadworthy.scene.crew import Crew
from roadworthy.tracking import registry
from roadworthy.tracking.runs import RunLog
from support import tiny_bundle, write_images
from videos import cut, write_video

PARAMS = """
tasks:
  police: {kind: binary, images: data, label: {classes: [other, police]}}
  brand: {kind: multiclass, images: data}
  detector: {kind: binary, images: data, label: {classes: [background, car]}}
"""
BOXES = [(0.1, 0.2, 0.5, 0.6), (0.5, 0.5, 0.95, 0.9)]


@pytest.fixture(scope="module")
def crew(tmp_path_factory: pytest.TempPathFactory) -> Crew:
    folder = tmp_path_factory.mktemp("askers")
    police = Predictor(
        tiny_bundle(folder, task="police", labels=("other", "police"), max_pixels=2_000_000)
    )
    spec = police.spec.model_copy(update={"task": "detector", "labels": ("background", "car")})
    finder: Any = Fixed(spec, BOXES, [0.95, 0.8])
    steps = [accuracy.finding(spec, 2), accuracy.asking(police.spec, 3)]
    told = accuracy.unknown(spec, [police.spec], {"brand": "it has no champion yet"})
    return Crew(finder, {"police": police}, steps, told)


@pytest.fixture(autouse=True)
def here(crew: Crew, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own, and champions without a registry."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(inspect, "gather", lambda ask, find: crew)
    return tmp_path


def roadworthy(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["inspect", *arguments])


def told(folder: str = "inspected") -> dict[str, Any]:
    read: dict[str, Any] = json.loads(Path(folder, "scenes.json").read_text())
    return read


def table() -> list[dict[str, str]]:
    return list(csv.DictReader(Path("inspected/cars.csv").read_text().splitlines()))


def test_a_folder_becomes_a_folder(here: Path) -> None:
    """Pictures under their names, a table of cars, and all of it with how good it is."""
    write_images(here / "street/deep", 2, size=(340, 200))
    result = roadworthy("street", "--heat")
    assert result.exit_code == 0, result.output
    names = {path.relative_to("inspected").as_posix() for path in Path("inspected").rglob("*.*")}
    pictures = {"deep/0000.png", "deep/0001.png"}
    assert names == pictures | {f"{n}.heat.png" for n in pictures} | {"scenes.json", "cars.csv"}
    with Image.open("inspected/deep/0000.png") as drawn:
        assert drawn.size == (340, 200)
    rows = table()
    assert [(row["path"], row["car"]) for row in rows] == [
        (f"street/deep/{name}.png", car) for name in ("0000", "0001") for car in "12"
    ]
    report = told()
    assert [step["task"] for step in report["steps"]] == ["detector", "police"]
    assert report["scenes"][0]["cars"][0]["score"] == 0.95
    assert "where the cars are: detector/2" in result.stdout
    assert "not known: brand was not asked: it has no champion yet" in result.stdout


def test_json_is_one_object_per_line(here: Path) -> None:
    """And nothing else is on standard output."""
    write_images(here / "street", 2)
    result = roadworthy("street", "--json", "--no-pictures")
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert lines == told()["scenes"]
    assert not list(Path("inspected").rglob("*.png"))


def test_a_bad_file_does_not_stop_the_others(here: Path) -> None:
    """It is named, with its reason, and the end is an error."""
    write_images(here / "street", 2)
    (here / "street/0000a.png").write_bytes(b"%PDF-1.7")
    Image.new("1", (3000, 1000)).save(here / "street/large.png")
    result = roadworthy("street")
    assert result.exit_code == 1
    assert "2 of 4 could not be inspected" in result.stderr
    assert "street/0000a.png: not an image: a PDF" in result.stderr
    assert "3000 x 1000 pixels are over 2,000,000" in result.stderr
    assert [one["path"] for one in told()["scenes"]] == ["street/0000.png", "street/0001.png"]
    assert len(told()["failed"]) == 2


def test_one_bad_picture_is_one_error(here: Path) -> None:
    """And leaves what an earlier inspection wrote."""
    write_images(here / "street", 1)
    roadworthy("street")
    before = Path("inspected/cars.csv").read_text(), told()
    (here / "bad.png").write_bytes(b"no")
    result = roadworthy("bad.png")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == "ERROR: bad.png: not an image"
    assert (Path("inspected/cars.csv").read_text(), told()) == before
    assert not list(Path("inspected").glob(".*"))


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK", "1"])
@pytest.mark.parametrize("size", [(1, 1), (20_000, 3), (2, 500), (99, 39)])
def test_odd_pictures_are_inspected(here: Path, mode: str, size: tuple[int, int]) -> None:
    """Smaller than a window, as wide as a panorama, grey, transparent."""
    name = "odd.tif" if mode == "CMYK" else "odd.png"
    Image.new(mode, size).save(here / name)
    result = roadworthy(name)
    assert result.exit_code == 0, result.output
    [scene] = told()["scenes"]
    assert (scene["width"], scene["height"]) == size


def test_every_broken_file_is_refused_with_a_reason(here: Path) -> None:
    """None of them ends in a traceback, and a good one among them is inspected."""
    broken(here / "street")
    write_images(here / "street", 1)
    result = roadworthy("street", "--no-pictures")
    assert result.exit_code == 1 and isinstance(result.exception, SystemExit)
    assert "street/0000.png" in {one["path"] for one in told()["scenes"]}
    assert all(one["reason"] for one in told()["failed"])


def test_a_video_has_lines_rows_and_boxes(here: Path) -> None:
    """Five frames of a second are inspected; all are written."""
    write_video(here / "street.avi", 20, codec="mpeg4")
    result = roadworthy("street.avi")
    assert result.exit_code == 0, result.output
    [entry] = told()["scenes"]
    assert (entry["frames"], entry["inspected"], entry["complete"]) == (20, 4, True)
    lines = [
        json.loads(line) for line in Path("inspected", entry["lines"]).read_text().splitlines()
    ]
    assert [line["frame"] for line in lines] == [0, 5, 10, 15]
    assert Path("inspected/street.avi.mp4").is_file()
    rows = table()
    assert [row["frame"] for row in rows[::2]] == ["0", "5", "10", "15"]
    assert rows[2]["seconds"] == "0.2"


def test_a_video_that_ends_early_is_a_result_and_a_warning(here: Path) -> None:
    """What was recorded before the power went is worth having."""
    cut(write_video(here / "a.mkv", 30), 0.7)
    result = roadworthy("cut_a.mkv", "--every", "2")
    assert result.exit_code == 0
    assert "WARNING: cut_a.mkv: it is damaged or ends early" in result.stderr
    assert told()["scenes"][0]["complete"] is False


def test_what_is_no_video_is_an_error(here: Path) -> None:
    """Beside a picture that is inspected."""
    (here / "film.mp4").write_bytes(b"no film")
    (picture,) = write_images(here / "one", 1)
    result = roadworthy("film.mp4", str(picture))
    assert result.exit_code == 1
    assert "film.mp4: not a video" in result.stderr
    assert len(told()["scenes"]) == 1
    assert not Path("inspected/film.mp4").exists() and not Path("inspected/film.jsonl").exists()


def test_a_score_where_the_boxes_are_known(here: Path) -> None:
    """In numbers and in pictures of hits and misses."""
    write_images(here / "street/images", 2, size=(200, 100))
    rows = ["image,x_center,y_center,width,height", "0000.png,0.3,0.4,0.4,0.4"]
    (here / "street/boxes.csv").write_text("\n".join(rows))
    result = roadworthy("street", "--score", "--no-pictures")
    assert result.exit_code == 0, result.output
    score = json.loads(Path("inspected/score.json").read_text())
    assert (score["images"], score["cars"]) == (2, 1)
    assert score["figures"]["recall"]["value"] == 1
    assert score["figures"]["precision"]["value"] == 0.25
    assert "average_precision" in result.stdout
    assert Path("inspected/score/false_alarms.png").is_file()
    (here / "street/boxes.csv").unlink()
    result = roadworthy("street", "--score")
    assert result.exit_code == 1 and "put a boxes.csv beside them" in result.stderr


def champion(task: str, folder: Path) -> None:
    """Register a bundle and put it on the road."""
    with RunLog.start(task, params={}, lineage=Lineage(params_hash="a"), sample_every=0) as run:
        uri = run.bundle(folder)
    version = registry.register(task, uri, run.run_id, bundle_format.digest(folder))
    registry.move(task, registry.CHAMPION, version)


def test_who_inspects(
    here: Path,
    sqlite_store: str,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A champion that searches must be there; of who is asked, those there are, and it is said."""
    (here / "params.yaml").write_text(PARAMS)
    with pytest.raises(TrackingError, match="no champion can search for cars: `make run`"):
        gather(["police"])
    champion("police", tiny_bundle(here / "police", task="police", labels=("other", "police")))
    with pytest.raises(TrackingError, match=r"\(police/1 cannot\)"):
        gather(["police"])
    search = Searching(settings=Search(enabled=True), stride=(4, 4), threshold=0.3)
    labels = ("background", "car")
    champion(
        "detector", tiny_bundle(here / "detector", task="detector", labels=labels, search=search)
    )
    with pytest.raises(TrackingError, match="brand has no champion yet"):
        gather([], find="brand")
    asked = gather([], find="police")
    assert asked.finder.find(np.zeros((70, 90, 3), np.uint8)).size == (90, 70)
    with pytest.raises(ParamsError, match="colour"):
        gather(["colour"])
    assert list(gather(None).askers) == ["police"] and not gather([""]).askers
    crew = gather(["police", "brand", "police"])
    assert (crew.name, list(crew.askers)) == ("car", ["police"])
    assert "brand was not asked: it has no champion yet" in crew.unknown
    write_images(here / "street", 1, size=(60, 40))
    monkeypatch.setattr(inspect, "gather", gather)
    result = roadworthy("street", "--heat")
    assert result.exit_code == 0, result.output
    assert all(set(car["answers"]) == {"police"} for car in told()["scenes"][0]["cars"])
