"""The search measured on scenes: threshold from validation, figures from test."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from roadworthy import layout
from roadworthy.data import scenes as folder_of_scenes
from roadworthy.evaluation.bootstrap import Bootstrap
from roadworthy.params import Split, TaskPlan
from roadworthy.pipeline import scenes, searched
from searching import searching_bundle, write_scenes
from small_training import plan_of

DETECTOR = {
    "name": "detector",
    "search": {"enabled": True},
    "scenes": "data/scenes",
    "split": {"val": 0.3, "test": 0.3},
}
RESAMPLED = Bootstrap(100)


@pytest.fixture
def task(project: Path) -> TaskPlan:
    """A task whose scenes are split, in the current folder."""
    write_scenes(Path("data/scenes"), 32)
    found = folder_of_scenes.read(Path("data/scenes"), Split(val=0.3, test=0.3), 10**6)
    stage = layout.folder("detector", "scenes")
    stage.mkdir(parents=True)
    found.rows.to_parquet(stage / scenes.ROWS)
    found.boxes.to_parquet(stage / scenes.BOXES)
    return plan_of(DETECTOR)


def test_the_search_is_measured_on_test_scenes(task: TaskPlan) -> None:
    """Every test scene counts, at the threshold that validation gave; sheets are drawn on demand."""
    bundle = searching_bundle(Path("bundle"))
    cut = searched.threshold(task, bundle)
    assert cut is not None and 0.05 < cut < 1
    found = searched.scenes(task, bundle, cut, RESAMPLED)
    test = scenes.listed(task, "test")
    assert found is not None and test is not None
    assert found.images == len(test) and found.cars == int(test.rows["things"].sum())
    assert found.figures["average_precision"].value > 0.9
    assert found.pictures and all(isinstance(p, Image.Image) for p in found.pictures.values())


def test_the_threshold_is_of_validation_scenes_alone(task: TaskPlan) -> None:
    """What is fitted on the test scenes is no test: without them it is the same."""
    bundle = searching_bundle(Path("bundle"))
    before = searched.threshold(task, bundle)
    test = scenes.listed(task, "test")
    assert test is not None
    for path in test.rows["path"]:
        Path(path).unlink()
    assert searched.threshold(task, bundle) == before


def test_a_task_that_does_not_search_has_no_figures(project: Path) -> None:
    """No bundle is opened for it."""
    plain = plan_of({"name": "detector"})
    assert searched.threshold(plain, Path("nowhere")) is None
    assert searched.scenes(plain, Path("nowhere"), None, RESAMPLED) is None


def test_the_same_bundle_gives_the_same_figures(task: TaskPlan) -> None:
    """Protects dvc.lock."""
    bundle = searching_bundle(Path("bundle"))
    one, other = (searched.scenes(task, bundle, 0.5, RESAMPLED) for _ in range(2))
    assert one is not None and other is not None
    assert one.figures == other.figures
    for name, sheet in one.pictures.items():
        assert np.array_equal(np.asarray(sheet), np.asarray(other.pictures[name]))
