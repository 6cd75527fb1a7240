"""The embedded data set: the same bytes from a seed, laid out as agreed, with no easy way out."""

import csv
import hashlib
import re
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageOps

from roadworthy.data.generated import GeneratedDataError, Summary, dataset, generate
from roadworthy.data.generated.faults import FAULTS
from roadworthy.data.generated.makes import MAKES
from roadworthy.data.generated.plan import plan_task

SEED = 11
SCALE = 0.1


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Summary]:
    root = tmp_path_factory.mktemp("generated") / "data"
    return root, generate(root, seed=SEED, scale=SCALE, workers=1)


def files(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*") if path.is_file())


def digest(root: Path) -> str:
    total = hashlib.sha256()
    for path in files(root):
        total.update(path.relative_to(root).as_posix().encode())
        total.update(path.read_bytes())
    return total.hexdigest()


def readable(folder: Path) -> Iterator[Image.Image]:
    for path in files(folder):
        try:
            with Image.open(path) as image:
                image.load()
                yield image
        except OSError:
            continue


def test_bytes_depend_on_the_seed_alone(tmp_path: Path) -> None:
    for name, seed, workers in (("one", 3, 1), ("two", 3, 2), ("other", 4, 1)):
        generate(tmp_path / name, seed=seed, scale=0.02, workers=workers)
    assert digest(tmp_path / "one") == digest(tmp_path / "two")
    assert digest(tmp_path / "one") != digest(tmp_path / "other")


def test_layout_and_counts(made: tuple[Path, Summary]) -> None:
    root, summary = made
    assert {path.name for path in root.iterdir()} == {*summary.images}
    for folder, task, label in (
        ("police/police", "police", "police"),
        ("police/other", "police", "other"),
        ("detector/car", "detector", "car"),
        ("detector/background", "detector", "background"),
    ):
        assert len(files(root / folder)) == summary.images[task][label] >= 30
    for label in ("car", "not_car"):
        found = [len(files(root / "car" / source / label)) for source in ("street", "archive")]
        assert sum(found) == summary.images["car"][label]
        assert abs(found[0] - found[1]) <= 4
    assert len(files(root / "brand")) == sum(summary.images["brand"].values())
    assert len(files(root)) == summary.total + 1  # boxes.csv


def test_progress_reaches_the_end(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    generate(
        tmp_path / "data", seed=1, scale=0.01, workers=1, progress=lambda *now: seen.append(now)
    )
    assert seen[-1][0] == seen[-1][1]
    assert seen == sorted(seen)


def test_boxes_lie_inside_their_pictures(made: tuple[Path, Summary]) -> None:
    root, summary = made
    with (root / "scenes" / "boxes.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [
        "image", "x_center", "y_center", "width", "height", "make", "police",
    ]  # fmt: skip
    assert {row["make"] for row in rows} <= {make.name for make in MAKES}
    assert {row["police"] for row in rows} <= {"0", "1"}
    assert len({row["image"] for row in rows}) == summary.images["scenes"]["with cars"]
    for row in rows:
        x, y, w, h = (float(row[key]) for key in ("x_center", "y_center", "width", "height"))
        assert 0 <= x - w / 2 < x + w / 2 <= 1
        assert 0 <= y - h / 2 < y + h / 2 <= 1
        with Image.open(root / "scenes" / "images" / row["image"]) as image:
            assert 60 <= w * image.width <= 200
            assert 2.2 < w * image.width / (h * image.height) < 2.9


def test_patches_are_small_and_grey(made: tuple[Path, Summary]) -> None:
    for image in readable(made[0] / "detector"):
        assert image.size == (100, 40)
        assert image.mode in ("L", "I;16")


@pytest.mark.parametrize("task", ["police", "car", "brand", "detector"])
def test_names_are_unique_and_clips_stay_together(task: str) -> None:
    orders = plan_task(task, SEED, 1.0).orders
    numbers = [re.findall(r"\d{5}", order.path)[-1] for order in orders]
    assert len(set(numbers)) == len(orders)
    clips: dict[str, set[int]] = {}
    for order in orders:
        if clip := re.search(r"_clip(\d{4})_f\d\.", order.path):
            clips.setdefault(clip[1], set()).add(order.scene)
    assert all(len(scenes) == 1 for scenes in clips.values())
    frames = sum("_clip" in order.path for order in orders)
    assert 0.08 < frames / len(orders) < 0.14


def test_brand_names_hold_their_make_and_no_other(made: tuple[Path, Summary]) -> None:
    plain = {
        make.name: [re.sub(r"[ _-]", "", text).lower() for text in make.spellings] for make in MAKES
    }
    for order in plan_task("brand", SEED, 1.0).orders:
        name = re.sub(r"[ _-]", "", order.path.removeprefix("brand/")).lower()
        held = {make for make, spellings in plain.items() if any(s in name for s in spellings)}
        if order.label == "Land Rover":
            held.discard("Rover")
        assert held == {order.label}, order.path


def test_every_kind_of_fault_is_there(made: tuple[Path, Summary]) -> None:
    root, summary = made
    assert set(summary.faults) == {fault.kind for fault in FAULTS}
    for paths in summary.faults.values():
        assert paths
        assert all((root / path).is_file() for path in paths)
    with Image.open(root / summary.faults["cmyk"][0]) as image:
        assert image.mode == "CMYK"
    with Image.open(root / summary.faults["grey16_png"][0]) as image:
        assert image.mode.startswith("I")
    with Image.open(root / summary.faults["png_as_jpg"][0]) as image:
        assert image.format == "PNG"
    with Image.open(root / summary.faults["exif_rotated"][0]) as image:
        assert ImageOps.exif_transpose(image).size == image.size[::-1]
    with (
        Image.open(root / summary.faults["truncated"][0]) as image,
        pytest.raises(OSError, match="truncated"),
    ):
        image.load()


def test_no_faults_without_reason(made: tuple[Path, Summary]) -> None:
    root, summary = made
    faulty = {path for paths in summary.faults.values() for path in paths}
    for path in files(root):
        if path.suffix == ".csv" or path.relative_to(root).as_posix() in faulty:
            continue
        with Image.open(path) as image:
            image.load()
            assert image.mode == ("L" if "detector" in path.parts else "RGB")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("police/police", "police/other"),
        ("car/street/car", "car/street/not_car"),
        ("detector/car", "detector/background"),
    ],
)
def test_no_label_shows_in_size_or_brightness(
    made: tuple[Path, Summary], first: str, second: str
) -> None:
    measures = []
    for folder in (first, second):
        images = [image.convert("RGB") for image in readable(made[0] / folder)]
        means = [image.resize((1, 1), Image.Resampling.BOX).convert("L") for image in images]
        brightness = [float(mean.tobytes()[0]) for mean in means]
        measures.append(([float(image.width) for image in images], brightness))
    for left, right in zip(*measures, strict=True):
        spread = statistics.pstdev(left + right)
        assert abs(statistics.mean(left) - statistics.mean(right)) <= max(1.0, spread)


def test_refuses_a_folder_in_use(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep", encoding="utf-8")
    with pytest.raises(GeneratedDataError, match="not empty"):
        generate(tmp_path, seed=1, scale=0.01)
    with pytest.raises(GeneratedDataError, match="is a file"):
        generate(tmp_path / "mine.txt", seed=1, scale=0.01)
    with pytest.raises(GeneratedDataError, match="scale"):
        generate(tmp_path / "new", seed=1, scale=0)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_an_interrupted_run_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(dataset, "put_in_faults", interrupt)
    with pytest.raises(KeyboardInterrupt):
        generate(tmp_path / "data", seed=1, scale=0.01, workers=1)
    assert list(tmp_path.iterdir()) == []


def test_writes_into_an_empty_folder(tmp_path: Path) -> None:
    root = tmp_path / "data"
    root.mkdir()
    assert generate(root, seed=1, scale=0.01, workers=1).faulty_files == 0
    assert files(root)
