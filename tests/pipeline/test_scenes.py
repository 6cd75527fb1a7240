"""From a folder of scenes to a bundle that finds what was drawn into them."""

import hashlib
import json
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from roadworthy import params
from roadworthy.bundle.finder import Finder
from roadworthy.data import cache, cached
from roadworthy.data.extended import Extended
from roadworthy.data.geometry import overlaps
from roadworthy.errors import DataError, StaleError, TrainingError
from roadworthy.pipeline import evaluate, export, plan, scenes, train
from roadworthy.tracking import store
from searching import SETTINGS, SIZE, WINDOW, drawn, some_boxes, windows, write_scenes

TRAIN = {
    "epochs": 4, "batch_size": 32, "lr": 0.001, "backbone_lr": 1.0, "deterministic": True,
    "loss": "cross_entropy", "precision": "fp32", "threads": 1,
}  # fmt: skip
SEARCH = {**SETTINGS.model_dump(), "mine": 1, "negatives": 20, "refine": True, "floor": 1e-6}
TASK = {
    "kind": "binary",
    "images": "data/detector",
    "label": {"classes": ["background", "car"]},
    "input": {
        "height": 24,
        "width": 40,
        "channels": 1,
        "mean": [0.5],
        "std": [0.25],
        "margin": 1.0,
    },
    "backbone": {"name": "patch_cnn", "weights": None},
    "augment": {"rotate": 0, "translate": 0},
    "split": {"val": 0.25, "test": 0.3},
    "train": TRAIN,
    "evaluate": {"bootstrap": 100, "stress": 4, "explain": 1, "gallery": 4},
}
COLOURS = ("red", "green", "blue", "border_red", "border_green", "border_blue")
MEASURES = ("brightness", "sharpness", "aspect", "contrast", *COLOURS)


def write_windows(folder: Path) -> None:
    """The prepared images of the detector: windows with and without a thing."""
    pixels, targets = windows(400, seed=7)
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True)
    rows = []
    for number, (window, target) in enumerate(zip(pixels, targets, strict=True)):
        path = folder / f"{number}.png"
        Image.fromarray(window[..., 0]).save(path)
        rows.append(
            {
                "path": path.as_posix(),
                "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
                "label": ("background", "car")[target],
                "split": ["train", "train", "train", "val", "test"][number // 2 % 5],
                **dict(zip(MEASURES, rng.uniform(size=len(MEASURES)), strict=True)),
                **{"width": 40, "height": 24, "bytes": 99, "source": "drawn"},
                **{"format": "PNG", "mode": "L"},
            }
        )
    prepared = Path("artifacts/detector/prepare")
    prepared.mkdir(parents=True)
    spec = WINDOW.model_copy(update={"margin": 1.0})
    cache.write(prepared, pd.DataFrame(rows), ("background", "car"), spec)


def planned(**search: Any) -> params.TaskPlan:
    """The plan of the current folder, with other settings of the search."""
    task = {**TASK, "search": {**SEARCH, **search}}
    Path("params.yaml").write_text(yaml.safe_dump({"tasks": {"detector": task}}))
    plan.run()
    return params.load_plan(Path("artifacts/plan/detector.yaml"))


def begun(count: int = 32) -> None:
    """Scenes and windows in the current folder."""
    Path("data.dvc").write_text(f"outs: [{{md5: {'d' * 32}.dir, path: data}}]")
    write_scenes(Path("data/scenes"), count)
    write_windows(Path("data/detector"))


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that went all the way."""
    folder = tmp_path_factory.mktemp("walked")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv(store.VARIABLE, f"sqlite:///{folder}/mlflow.db")
        begun()
        task = planned()
        for stage in (scenes, train, evaluate, export):
            stage.run(task)
    return folder


@pytest.fixture
def project(walked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it as the current folder."""
    copytree(walked, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    return tmp_path / "copy"


def the_plan() -> params.TaskPlan:
    return params.load_plan(Path("artifacts/plan/detector.yaml"))


def test_the_bundle_finds_what_was_drawn(project: Path) -> None:
    """In scenes that it has never seen: each thing by a box about it, and nothing elsewhere."""
    finder = Finder(project / "artifacts/detector/export")
    hits = alarms = things = 0
    for seed in range(500, 512):
        boxes = some_boxes(seed)
        found = finder.find(drawn(SIZE, boxes, seed)).above(finder.threshold)
        shared = overlaps(found.boxes, boxes).max(axis=1, initial=0)
        hits, alarms = hits + int((shared > 0.5).sum()), alarms + int((shared <= 0.5).sum())
        things += len(boxes)
    assert hits >= 0.8 * things and alarms <= 0.2 * things


def test_what_the_search_is_worth_is_written_down(project: Path) -> None:
    """Figures on test scenes in the metrics and in the bundle, the threshold from validation."""
    stage = project / "artifacts/detector/evaluate"
    figures = json.loads((stage / "metrics.json").read_text())["scenes"]
    assert figures["average_precision"] > 0.8
    spec = Finder(project / "artifacts/detector/export").spec
    assert spec.search is not None and spec.metrics["scenes_average_precision"] > 0.8
    fitted = json.loads((stage / "calibration.json").read_text())["box_threshold"]
    assert spec.search.threshold == fitted and 0 < fitted < 1
    assert len(pd.read_csv(stage / "tables/scene_curve.csv"))
    assert list((stage / "pictures").glob("scenes_*.png"))


def test_false_alarms_become_images_to_train_on(project: Path) -> None:
    """Windows of empty training scenes, of the class that is not sought; training sees each."""
    task, stage = the_plan(), Path("artifacts/detector/scenes")
    mined = np.load(stage / scenes.NEGATIVES)
    assert mined.shape[1:] == (24, 40, 1) and 0 < len(mined) <= SEARCH["negatives"]
    data = cached.load(Path("artifacts/detector/prepare"))
    source = scenes.learned(task, data)
    assert isinstance(source, Extended) and source.digest != data.digest
    further = source.places("train")[len(data.places("train")) :]
    assert len(further) == len(mined) and not source.targets(further).any()
    assert np.array_equal(source.pixels(further), mined)
    assert not list(Path("checkpoints").iterdir())


def test_windows_about_boxes_are_of_training_scenes(project: Path) -> None:
    """They teach where a thing lies; what is measured on must not teach."""
    task = the_plan()
    known = scenes.windows(task)
    assert known is not None and len(known.pixels) == len(known.offsets) > 50
    listed = {split: scenes.listed(task, split) for split in ("train", "val", "test")}
    paths = [set(part.rows["path"]) for part in listed.values() if part is not None]
    assert len(set.union(*paths)) == sum(map(len, paths)) == 32
    test = listed["test"]
    assert test is not None
    assert [path for path, _ in test] == test.rows["path"].tolist() and len(test)
    for path, scene in test:
        things = int(test.rows.set_index("path").loc[path, "things"])
        assert scene.boxes.shape == (things, 4) and scene.picture.size == SIZE


def test_a_scene_that_changed_after_the_split_is_refused(project: Path) -> None:
    """It may be another scene by now, or have moved: the boxes are not its own."""
    test = scenes.listed(the_plan(), "test")
    assert test is not None
    path = Path(test.rows["path"].iloc[0])
    Image.new("L", SIZE).save(path)
    with pytest.raises(DataError, match=rf"{path.name} is not the picture that was split: run"):
        list(test)
    path.unlink()
    with pytest.raises(DataError, match=rf"{path.name}: No such file or directory"):
        list(test)


def test_the_same_scenes_give_the_same_files(project: Path) -> None:
    """Protects dvc.lock."""
    stage = Path("artifacts/detector/scenes")
    before = {path.name: path.read_bytes() for path in stage.iterdir()}
    assert {"negatives.png", "windows.png", scenes.ROWS, scenes.BOXES} <= set(before)
    scenes.run(the_plan())
    assert {path.name: path.read_bytes() for path in stage.iterdir()} == before


def test_a_task_that_does_not_search_is_skipped(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It needs no scenes; what asks for them gets nothing, and the cache as it is."""
    task = planned(enabled=False)
    scenes.run(task.model_copy(update={"scenes": Path("nowhere")}))
    assert "skipped, search.enabled is false" in capsys.readouterr().out
    assert [p.name for p in Path("artifacts/detector/scenes").iterdir()] == [scenes.SKIPPED]
    data = cached.load(Path("artifacts/detector/prepare"))
    assert scenes.learned(task, data) is data
    assert scenes.windows(task) is None and scenes.listed(task, "test") is None
    searching = planned(enabled=True)
    for ask in (scenes.windows, lambda task: scenes.learned(task, data)):
        with pytest.raises(StaleError, match=r"without search\.enabled: run `dvc repro scenes@det"):
            ask(searching)


def test_without_rounds_nothing_is_mined(project: Path) -> None:
    """And without empty scenes nothing can be: no training is spent on it."""
    data = cached.load(Path("artifacts/detector/prepare"))
    task = planned(mine=0)
    scenes.run(task)
    assert len(np.load("artifacts/detector/scenes/negatives.npy")) == 0
    assert not Path("artifacts/detector/scenes/negatives.png").exists()
    assert scenes.learned(task, data) is data
    write_scenes(Path("data/full"), 32, empty=1000)
    wild = planned(mine=3).model_copy(update={"scenes": Path("data/full")})
    wild = wild.model_copy(update={"train": wild.train.model_copy(update={"lr": 1e9})})
    scenes.run(wild)
    assert scenes.learned(wild, data) is data


def test_a_network_that_cannot_slide_stops_the_stage(project: Path) -> None:
    """Before anything is trained; the earlier result stays."""
    task = the_plan()
    backbone = task.backbone.model_copy(update={"name": "mobilenet_v3_small"})
    with pytest.raises(TrainingError, match="cannot slide over pictures"):
        scenes.run(task.model_copy(update={"backbone": backbone}))
    assert Path("artifacts/detector/scenes/windows.npy").is_file()
