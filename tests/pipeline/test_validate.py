"""The stage as a whole, on real files: what it leaves, what it refuses, what it remembers."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from roadworthy import params
from roadworthy.errors import ParamsError, VerdictError
from roadworthy.params import TaskPlan
from roadworthy.pipeline import index, validate
from support import write_images

SETTINGS = """
tasks:
  car: {kind: binary, images: data/car, label: {classes: [not_car, car]}}
validate: {min_per_class: 5, max_unreadable: 0.1, levels: {%s}}
"""
CAR, OTHER = Path("data/car/car"), Path("data/car/not_car")
STAGE, REFUSED = Path("artifacts/car/validate"), Path("artifacts/car/refused")
TRACKED = ("clean.parquet", "quarantine.csv", "near_duplicates.csv", "verdict.json")


@pytest.fixture(autouse=True)
def images(project: Path) -> Iterator[None]:
    write_images(project / CAR, 16, (96, 72), seed=1)
    write_images(project / OTHER, 16, (96, 72), seed=2)
    yield


def plan(levels: str = "") -> TaskPlan:
    return params.parse(SETTINGS % levels).task("car")


def walk(levels: str = "") -> dict[str, bytes]:
    """Index and validate; the files that DVC hashes."""
    index.run(plan())
    validate.run(plan(levels))
    return {name: (STAGE / name).read_bytes() for name in TRACKED}


def grow() -> None:
    """Another version: half as many images again, much wider ones."""
    write_images(CAR / "more", 8, (300, 72), seed=3)
    shutil.move(CAR / "more", Path("data/car/more"))
    for path in Path("data/car/more").iterdir():
        shutil.move(path, CAR / f"more{path.name}")


def changes() -> dict[str, object]:
    values: dict[str, object] = json.loads((STAGE / "changes.json").read_text())
    return values


def test_all_that_is_promised_is_left(capsys: pytest.CaptureFixture[str]) -> None:
    """Files, and where to look, on the terminal."""
    walk()
    beside = ("verdict.html", "changes.json", "before.json", "data_docs/index.html")
    for name in (*TRACKED, *beside):
        assert (STAGE / name).is_file(), name
    assert not REFUSED.exists()
    said = capsys.readouterr().out
    assert "validate car: 32 of 32 images; they can be used" in said
    assert str(STAGE / "verdict.html") in said


def test_refused_images_leave_the_last_good_results(capsys: pytest.CaptureFixture[str]) -> None:
    """And what was found, with its page; mended, the road goes on and the refusal is gone."""
    good = walk()
    for number in range(8):
        (CAR / f"broken{number}.jpg").write_bytes(b"no image")
    index.run(plan())
    with pytest.raises(
        VerdictError, match=r"(?s)readable share: 0\.8.*refused/verdict\.html"
    ) as found:
        validate.run(plan())
    assert "\n" in str(found.value)
    assert {name: (STAGE / name).read_bytes() for name in TRACKED} == good
    assert "not an image" in (REFUSED / "verdict.html").read_text()
    assert "aside     8 could not be read" in capsys.readouterr().out
    for number in range(8):
        (CAR / f"broken{number}.jpg").unlink()
    assert walk() == good
    assert not REFUSED.exists()


def test_a_folder_of_nothing_but_broken_files_is_refused_with_its_page() -> None:
    """A wrong path or a bad download is answered with what is wrong, not with a stack trace."""
    for path in [*CAR.iterdir(), *OTHER.iterdir()]:
        path.write_bytes(b"no image" + path.read_bytes()[-4:])
    with pytest.raises(VerdictError, match="readable share: 0"):
        walk()
    assert "cannot be used" in (REFUSED / "verdict.html").read_text()


def test_the_tracked_files_follow_from_the_images_alone() -> None:
    """Whether there was another version before, or none: else dvc.lock would change with history."""
    grow()
    fresh = walk()
    shutil.rmtree("artifacts")
    for path in CAR.glob("more*"):
        path.rename(f"{path.name}.away")
    walk()
    for path in Path().glob("more*.away"):
        path.rename(CAR / path.name.removesuffix(".away"))
    assert walk() == fresh
    assert changes()["added"] == 8


def test_the_same_version_is_held_against_the_same_earlier_one() -> None:
    """A stage that runs again, for its code or a setting, does not forget what had changed."""
    walk()
    assert changes() == {}
    grow()
    walk()
    first = changes()
    assert first["added"] == 8
    walk()
    assert changes() == first


def test_drift_stops_the_road_where_it_is_an_error() -> None:
    """By a level; without one it is a warning. What was refused is not remembered as a version."""
    walk()
    grow()
    strict = '"drift of width": error'
    for _ in range(2):
        with pytest.raises(VerdictError, match="drift of width"):
            walk(strict)
    assert changes() == {}
    walk()
    assert changes()["added"] == 8


def test_a_damaged_memory_is_no_earlier_version() -> None:
    """It is nobody's work; losing it costs one comparison."""
    STAGE.mkdir(parents=True)
    (STAGE / "before.json").write_text('{"form": 1, "da')
    walk()
    assert changes() == {}


def test_a_wrong_level_is_told_before_any_work() -> None:
    """Not after an hour of comparing images."""
    with pytest.raises(ParamsError, match="'near duplicates'; did you mean near-duplicates"):
        validate.run(plan('"near duplicates": error'))
