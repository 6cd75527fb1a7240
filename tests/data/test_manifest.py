"""Every file has a row, and what has not changed is not read again."""

import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from roadworthy import params
from roadworthy.data import manifest, reading
from roadworthy.errors import DataError
from roadworthy.params import TaskPlan
from support import write_images

SETTINGS = """
tasks:
  car: {kind: binary, images: data/car, label: {classes: [not_car, car]}, split: {group: 'clip\\d+'}}
index: {workers: 1}
"""
MEMORY = Path("memory/car.npz")


@pytest.fixture
def plan(project: Path) -> TaskPlan:
    write_images(project / "data/car/street/car", 6, (96, 72), seed=1)
    write_images(project / "data/car/street/not_car", 6, (48, 72), seed=2)
    return params.parse(SETTINGS).task("car")


def same(one: manifest.Manifest, two: manifest.Manifest) -> None:
    pd.testing.assert_frame_equal(one.rows, two.rows)
    assert np.array_equal(one.thumbnails, two.thumbnails)


def test_a_row_says_what_is_in_the_file(plan: TaskPlan, project: Path) -> None:
    """All later stages believe these columns."""
    half = np.zeros((60, 80, 3), np.uint8)
    half[:, 40:] = (255, 0, 0)
    Image.fromarray(half).quantize(4).save(project / "data/car/street/car/a_clip12_f3.png")
    made = manifest.build(plan)
    row = made.rows[made.rows["path"].str.contains("clip12")].iloc[0]
    assert (row["width"], row["height"], row["mode"], row["format"]) == (80, 60, "P", "PNG")
    assert (row["label"], row["source"], row["group"]) == ("car", "street", "clip12")
    assert row["red"] == pytest.approx(0.5, abs=0.02)
    assert row["green"] == row["blue"] == 0
    assert row["contrast"] > 0.1
    thumbnail = made.thumbnails[row.name]
    assert tuple(thumbnail[5, 5]) == (0, 0, 0)
    assert tuple(thumbnail[5, 30]) == (255, 0, 0)


def test_an_upright_picture_has_upright_sides(plan: TaskPlan, project: Path) -> None:
    """Width and height of a turned photo are those that a person sees."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (80, 40), "navy").save(project / "data/car/street/car/t.jpg", exif=exif)
    rows = manifest.build(plan).rows
    row = rows[rows["path"].str.endswith("t.jpg")].iloc[0]
    assert (row["width"], row["height"]) == (40, 80)


def test_what_has_not_changed_is_not_opened(plan: TaskPlan) -> None:
    """And the answer is the same as if it were."""
    first = manifest.build(plan, MEMORY)
    again = manifest.build(plan, MEMORY)
    assert (first.read, again.read) == (12, 0)
    same(first, again)
    same(manifest.build(plan), again)


def test_only_what_has_changed_is_opened(plan: TaskPlan, project: Path) -> None:
    """A new, a changed and a deleted file, and one whose time alone is another."""
    manifest.build(plan, MEMORY)
    car = project / "data/car/street/car"
    shutil.copyfile(project / "data/car/street/not_car/0003.png", car / "0000.png")
    (car / "0001.png").unlink()
    write_images(project / "data/car/street/car/more", 1, seed=9)
    os.utime(car / "0002.png", ns=(1, 1))
    made = manifest.build(plan, MEMORY)
    assert made.read == 3
    same(made, manifest.build(plan))


def test_known_content_is_not_decoded_again(
    plan: TaskPlan, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkout gives every file another time; hashing is several times faster than decoding."""
    first = manifest.build(plan, MEMORY)
    for path in (project / "data").rglob("*.png"):
        os.utime(path, ns=(7, 7))
    monkeypatch.setattr(reading, "decode", None)
    again = manifest.build(plan, MEMORY)
    assert again.read == 12
    same(first, again)


def test_a_killed_index_goes_on_where_it_was(
    plan: TaskPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A million images take an hour; an interruption must not cost all of it."""
    monkeypatch.setattr(manifest, "BATCH", 5)

    def stop(done: int, total: int) -> None:
        if done == 11:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        manifest.build(plan, MEMORY, stop)
    made = manifest.build(plan, MEMORY)
    assert made.read == 2
    same(made, manifest.build(plan))


@pytest.mark.parametrize("damage", [b"", b"not a memory"])
def test_a_damaged_memory_is_forgotten(plan: TaskPlan, damage: bytes) -> None:
    """It is only there to save time."""
    manifest.build(plan, MEMORY)
    MEMORY.write_bytes(damage)
    assert manifest.build(plan, MEMORY).read == 12


def test_other_limits_are_another_memory(plan: TaskPlan) -> None:
    """What was refused under a limit may be good under another one."""
    manifest.build(plan, MEMORY)
    small = plan.model_copy(update={"index": plan.index.model_copy(update={"max_pixels": 10})})
    made = manifest.build(small, MEMORY)
    assert made.read == 12
    assert not made.rows["readable"].any()


def test_processes_give_the_same_answer(plan: TaskPlan, project: Path) -> None:
    """As many workers as cores, and still sorted rows."""
    write_images(project / "data/car/street/car", 80, (64, 48), seed=3)
    two = plan.model_copy(update={"index": plan.index.model_copy(update={"workers": 2})})
    same(manifest.build(plan), manifest.build(two))


def test_the_manifest_holds_no_clock(plan: TaskPlan) -> None:
    """DVC hashes it: the same images must give the same bytes."""
    assert "changed" not in manifest.build(plan).rows


def test_labels_csv_takes_out_and_other_files_are_told(plan: TaskPlan, project: Path) -> None:
    """Every file is accounted for."""
    (project / "data/car/street/labels.csv").write_text("path,label\ncar/0000.png,\n")
    (project / "data/car/notes.txt").write_text("hello")
    made = manifest.build(plan)
    out = made.rows[made.rows["reason"].notna()]
    assert out["reason"].tolist() == ["taken out by a labels.csv"]
    assert Path("data/car/notes.txt") in made.left_out


def test_a_missing_folder_says_what_to_do(plan: TaskPlan, project: Path) -> None:
    """The first thing that goes wrong on a new machine."""
    shutil.rmtree(project / "data/car")
    with pytest.raises(DataError, match="make data"):
        manifest.build(plan)
