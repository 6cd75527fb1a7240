"""`add` brings in what is new, refuses what contradicts, and leaves a whole version whatever happens."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pandas as pd
import pytest
import yaml
from PIL import Image

from roadworthy import params
from roadworthy.data import boxes, version
from roadworthy.data.files import find
from roadworthy.data.labels import Labels
from roadworthy.errors import DataError
from roadworthy.pipeline import add
from support import write_images

# DVC's own, of a library that it uses.
pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep:DeprecationWarning")
PARAMS = """
tasks:
  car: {kind: binary, images: data/car, label: {from: [folder], classes: [not_car, car]}}
  brand: {kind: multiclass, images: data/brand, label: {from: [filename, folder]}}
index: {workers: 1}
"""


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with four images of `car` in its first version."""
    folder = tmp_path_factory.mktemp("first") / "project"
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        subprocess.run(["dvc", "init", "--no-scm", "-q"], check=True)
        Path("params.yaml").write_text(PARAMS)
        write_images(Path("data/car/first/car"), 2, seed=1)
        write_images(Path("data/car/first/not_car"), 2, seed=2)
        version.accept()
    return folder


@pytest.fixture
def road(project: Path, first: Path) -> Path:
    """A copy of it to change, which is the current folder."""
    shutil.copytree(first, project, dirs_exist_ok=True)
    return project


def photos(project: Path, name: str = "mine", seed: int = 3) -> Path:
    """A folder of somebody's with two images of a car and one of something else."""
    folder = project.parent / name
    write_images(folder / "Car", 2, seed=seed)
    write_images(folder / "Not Car", 1, seed=seed + 100)
    return folder


def contents(folder: Path = Path("data")) -> dict[str, bytes]:
    files = (p for p in sorted(folder.rglob("*")) if p.is_file())
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in files}


def state() -> tuple[dict[str, bytes], bytes]:
    return contents(), Path("data.dvc").read_bytes()


def labels(task: str = "car") -> dict[str, str | None]:
    plan = params.load().task(task)
    read = Labels.of(plan.label, plan.images)
    found = [file.path for file in find(plan.images)[0]]
    return {p.relative_to(plan.images).as_posix(): read.read(p).label for p in found}


def unchanged_by(source: Path, message: str, **options: object) -> None:
    before = state()
    with pytest.raises(DataError, match=message):
        add.run(source, "car", **options)  # type: ignore[arg-type]
    assert state() == before


def test_new_images_are_a_new_version(road: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Structure and bytes are kept, what was there stays, and the counts are told."""
    source = photos(road)
    before = state()
    add.run(source, "car")
    assert {n: d for n, d in contents().items() if n in before[0]} == before[0]
    assert contents(Path("data/car/mine")) == contents(source)
    assert labels()["mine/Not Car/0000.png"] == "not_car"
    said = capsys.readouterr().out
    assert "2 car" in said and "1 not_car" in said and "dvc repro export@car" in said
    assert version.ensure()  # the version is recorded, and in the cache


def test_a_folder_added_again_brings_only_what_is_new(
    road: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder of photographs grows; its name says that it is the same source."""
    source = photos(road)
    add.run(source, "car")
    before = state()
    add.run(source, "car")
    assert state() == before
    assert "all of it already" in capsys.readouterr().out
    write_images(source / "Car", 1, seed=77)[0].rename(source / "Car/later.png")
    write_images(source / "Car", 1, seed=3)  # 0000.png as it was
    add.run(source, "car")
    assert set(contents()) - set(before[0]) == {"car/mine/Car/later.png"}


def test_labels_that_were_corrected_since_stay(
    road: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The folder is the same as ever; what `audit` found out about it is not undone."""
    source = photos(road)
    add.run(source, "car")
    Path("data/car/labels.csv").write_text(
        "path,label\nmine/Car/0000.png,not_car\nmine/Car/0001.png,\n"
    )
    version.accept()
    write_images(source / "Car", 1, seed=77)[0].rename(source / "Car/later.png")
    write_images(source / "Car", 1, seed=3)
    add.run(source, "car")
    said = capsys.readouterr().out
    assert "Car/0000.png (car) is not_car in the task" in said
    assert "Car/0001.png (car) is without a label in the task" in said
    found = labels()
    assert found["mine/Car/later.png"] == "car" and found["mine/Car/0000.png"] == "not_car"
    assert found["mine/Car/0001.png"] is None


def test_exact_copies_under_the_same_label_are_left_out(
    road: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of the task's images, and within the folder."""
    source = photos(road)
    (source / "Car/again.png").write_bytes((source / "Car/0000.png").read_bytes())
    (source / "Car/old.png").write_bytes(Path("data/car/first/car/0000.png").read_bytes())
    add.run(source, "car")
    assert "2 exact copies" in capsys.readouterr().out
    assert not [n for n in contents() if n.endswith(("again.png", "old.png"))]


@pytest.mark.parametrize("where", ["data/car/first/not_car/0000.png", "Not Car/0000.png"])
def test_the_same_image_under_another_label_is_refused(road: Path, where: str) -> None:
    """With both names and labels; in the task and in the folder itself."""
    source = photos(road)
    twin = Path(where) if where.startswith("data") else source / where
    (source / "Car/wrong.png").write_bytes(twin.read_bytes())
    unchanged_by(source, rf"wrong\.png \(car\).*{twin.name} \(not_car\)|\(not_car\) is .*wrong")


def test_a_taken_name_is_refused_not_overwritten(road: Path) -> None:
    """The folder of the same name has another picture there."""
    add.run(photos(road), "car")
    other = road.parent / "elsewhere" / "mine"
    write_images(other / "Car", 1, seed=50)
    unchanged_by(other, r"has the name.*\n.*mine/Car/0000\.png")


def test_replace_puts_the_present_images_out(road: Path) -> None:
    """They count neither as copies nor as contradictions; earlier versions keep them."""
    source = photos(road)
    (source / "Car/old.png").write_bytes(Path("data/car/first/not_car/0000.png").read_bytes())
    write_images(Path("data/brand"), 1)
    version.accept()
    add.run(source, "car", replace=True)
    assert contents(Path("data/car")).keys() == {f"mine/{n}" for n in contents(source)}
    assert "brand/0000.png" in contents()


def test_what_has_no_label_or_cannot_be_read_is_named_and_left_out(
    road: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The originals stay where they are; `--keep-unlabelled` brings those without a label."""
    source = photos(road)
    write_images(source / "Boat", 1, seed=9)
    (source / "Car/broken.jpg").write_bytes(b"<html>")
    (source / "Car" / os.fsdecode(b"latin\xe9.png")).write_bytes(
        (source / "Car/0000.png").read_bytes() + b"x"
    )
    add.run(source, "car")
    said = capsys.readouterr().out
    assert "1 without a label" in said and "Boat/0000.png" in said
    assert "2 that cannot be read" in said and "broken.jpg: not an image" in said
    assert "not UTF-8" in said
    assert len(contents(Path("data/car/mine"))) == 3
    add.run(source, "car", keep_unlabelled=True)
    assert labels()["mine/Boat/0000.png"] is None


def test_images_that_the_task_cannot_label_are_refused(road: Path) -> None:
    """With the classes that it knows."""
    write_images(road.parent / "boats/Boat", 1)
    unchanged_by(road.parent / "boats", "not_car, car")


def test_a_dry_run_changes_nothing(road: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And tells the same counts."""
    before = state()
    add.run(photos(road), "car", dry_run=True)
    assert state() == before
    said = capsys.readouterr().out
    assert "2 car" in said and "nothing was changed" in said


def test_a_table_from_elsewhere_becomes_the_folders_own(road: Path) -> None:
    """Its rows label, group and take out; rows without an image are told, not brought."""
    source = photos(road)
    write_images(source / "Boat", 2, seed=30)
    table = road.parent / "labels-of-mine.csv"
    table.write_text(
        "path,label,group\nBoat/0000.png,not_car,walk\nCar/0001.png,,\nCar/gone.png,car,\n"
    )
    add.run(source, "car", labels=table)
    assert labels() | {"mine/Boat/0000.png": "not_car", "mine/Car/0000.png": "car"} == labels()
    assert "mine/Car/0001.png" not in labels() and "mine/Boat/0001.png" not in labels()
    brought = pd.read_csv("data/car/mine/labels.csv")
    assert brought.to_numpy().tolist() == [["Boat/0000.png", "not_car", "walk"]]


def test_tables_grow_with_the_folder(road: Path) -> None:
    """What the task's table says stays; a row of a new image is added."""
    source = photos(road)
    (source / "labels.csv").write_text("path,label\nCar/0000.png,not_car\n")
    (source / "boxes.csv").write_text("image,x,y,w,h\nCar/0000.png,0.5,0.5,0.1,0.1\n")
    add.run(source, "car")
    write_images(source / "Boat", 1, seed=31)
    (source / "labels.csv").write_text("path,label\nCar/0000.png,not_car\nBoat/0000.png,not_car\n")
    (source / "boxes.csv").write_text(
        "image,x,y,w,h\nCar/0000.png,0.5,0.5,0.1,0.1\nBoat/0000.png,0.4,0.4,0.1,0.1\n"
    )
    add.run(source, "car")
    table = pd.read_csv("data/car/mine/labels.csv")
    assert table["path"].tolist() == ["Car/0000.png", "Boat/0000.png"]
    assert len(boxes.read(Path("data/car/mine")).rows) == 2


def test_boxes_come_along(road: Path) -> None:
    """YOLO's text files and the names of their classes; not the text of a skipped image."""
    source = road.parent / "scenes"
    write_images(source / "images/car", 2, seed=40)
    (source / "labels/car").mkdir(parents=True)
    for name in ("0000", "0001"):
        (source / f"labels/car/{name}.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    (source / "classes.txt").write_text("car\n")
    (source / "images/car/0001.png").write_bytes(b"")
    add.run(source, "car")
    found = boxes.read(Path("data/car"))
    assert found.rows[["path", "label"]].to_numpy().tolist() == [
        ["data/car/scenes/images/car/0000.png", "car"]
    ]
    assert found.faults.empty
    (source / "classes.txt").write_text("van\n")
    write_images(source / "images/car", 2, seed=41)[1].rename(source / "images/car/new.png")
    write_images(source / "images/car", 1, seed=40)
    unchanged_by(source, r"classes\.txt")


def test_makes_are_read_from_names_as_in_the_task(road: Path) -> None:
    """The name of the folder itself is a class, if nothing nearer gives one."""
    folder = road.parent / "Saab"
    write_images(folder, 1, seed=60)[0].rename(folder / "Audi_A4_2019_00012.png")
    write_images(folder, 1, seed=61)
    add.run(folder, "brand")
    assert labels("brand") == {"Saab/Audi_A4_2019_00012.png": "Audi", "Saab/0000.png": "Saab"}


@pytest.mark.parametrize("place", ["data", "data/car", ".", "nowhere"])
def test_a_wrong_folder_is_one_message(road: Path, place: str) -> None:
    """The project's own images are not added to themselves."""
    unchanged_by(Path(place), "name (a folder|the one)")


def test_a_change_by_hand_is_not_taken_along(road: Path) -> None:
    """The version that is recorded comes first."""
    Path("data/car/first/car/0000.png").unlink()
    unchanged_by(photos(road), "0000")


@pytest.mark.parametrize("replace", [False, True])
def test_a_kill_leaves_a_whole_version(road: Path, replace: bool) -> None:
    """At any moment: then `add` again makes the same of it as without the kill."""
    source = road.parent / "many"
    for number, path in enumerate(write_images(source / "car", 40, seed=80)):
        with Image.open(path) as image:
            image.resize((400, 300)).save(path.with_name(f"x{number}.png"))
        path.unlink()
    command = ["roadworthy", "add", str(source), "--task", "car", *["--replace"] * replace]
    present = contents()
    first = {n: d for n, d in present.items() if not replace}
    wanted = first | {f"car/many/{n}": d for n, d in contents(source).items()}
    for moment in ("staged", "swapped", "swapped"):
        running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while not reached(moment, running):
            time.sleep(0.0005)
        running.send_signal(signal.SIGKILL)
        running.wait()
        if contents() == wanted:  # it was faster than the kill
            break
        version.recover()
        assert contents() in (present, wanted)
        version.ensure()
    add.run(source, "car", replace=replace)
    assert contents() == wanted
    record = yaml.safe_load(Path("data.dvc").read_text())
    assert record["outs"][0]["nfiles"] == len(wanted)


def reached(moment: str, running: "subprocess.Popen[bytes]") -> bool:
    places = {"staged": ".cache/data.new/car/many", "swapped": ".cache/data.old"}
    return Path(places[moment]).exists() or running.poll() is not None
