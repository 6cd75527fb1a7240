"""What is asked about which part of a picture."""

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from roadworthy.bundle.predictor import Predictor
from roadworthy.scene.inspect import MARGIN, crop_box, inspect_picture

SHARES = st.floats(0, 1, width=32)


@given(
    size=st.tuples(st.integers(1, 5000), st.integers(1, 5000)),
    corners=st.tuples(SHARES, SHARES, SHARES, SHARES),
)
def test_a_crop_is_inside_and_never_empty(size: Any, corners: Any) -> None:
    """Boxes at the rim and boxes without area are asked about like others."""
    across, down = sorted(corners[:2]), sorted(corners[2:])
    box = np.array([across[0], down[0], across[1], down[1]], np.float32) * np.tile(size, 2)
    left, top, right, bottom = crop_box(size, box)
    assert 0 <= left < right <= size[0] and 0 <= top < bottom <= size[1]
    assert left <= box[0] + 1 and right >= box[2] - 1 and top <= box[1] + 1 and bottom >= box[3] - 1


def test_a_crop_shows_a_little_of_what_is_around() -> None:
    """The pictures that police and makes are learned from do so as well."""
    assert crop_box((1000, 1000), np.array([100, 200, 200, 300])) == (
        100 - 100 * MARGIN,
        200 - 100 * MARGIN,
        200 + 100 * MARGIN,
        300 + 100 * MARGIN,
    )


def test_each_car_gets_the_answer_to_its_crop(
    finds: Any, askers: dict[str, Predictor], photo: Image.Image
) -> None:
    """An answer is never given to another car, and is what the champion says of that crop."""
    finder = finds((0.1, 0.1, 0.4, 0.5), (0.5, 0.5, 0.95, 0.9), (0.0, 0.6, 0.2, 1.0))
    scene = inspect_picture(photo, finder, askers)
    assert (scene.width, scene.height, len(scene.cars)) == (200, 120, 3)
    assert [car.score for car in scene.cars] == sorted((c.score for c in scene.cars), reverse=True)
    for car, box in zip(scene.cars, scene.found.boxes, strict=True):
        assert car.box == tuple(box)
        assert list(car.answers) == ["police", "brand"]
        crop = photo.crop(crop_box(photo.size, box))
        for task, asker in askers.items():
            (expected,) = asker.predict([crop])
            assert car.answers[task].label == expected.label
            assert car.answers[task].probability == pytest.approx(expected.probability, abs=1e-5)


def test_only_what_is_sure_enough_is_a_car(
    finds: Any, askers: dict[str, Predictor], photo: Image.Image
) -> None:
    """Weaker boxes stay for curves; nobody is asked about them."""
    finder = finds((0, 0, 0.5, 0.5), (0.5, 0.5, 1, 1), scores=[0.8, 0.3])
    scene = inspect_picture(photo, finder, askers)
    assert (len(scene.cars), len(scene.found)) == (1, 2)
    assert len(inspect_picture(photo, finder, askers, threshold=0.2).cars) == 2


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("size", [(1, 1), (20_000, 2), (3, 700), (99, 39)])
def test_any_picture_is_inspected(
    finds: Any, askers: dict[str, Predictor], mode: str, size: tuple[int, int]
) -> None:
    """Tiny, wide, high, grey."""
    finder = finds((0, 0, 1, 1), (0.9, 0.9, 1, 1))
    scene = inspect_picture(Image.new(mode, size), finder, askers)
    assert len(scene.cars) == 2 and all(len(car.answers) == 2 for car in scene.cars)


def test_nothing_found_and_nobody_asked(finds: Any, photo: Image.Image) -> None:
    """Both are ordinary."""
    assert inspect_picture(photo, finds(), {}).cars == ()
    (car,) = inspect_picture(photo, finds((0, 0, 1, 1)), {}).cars
    assert car.answers == {}


def test_json_is_plain(finds: Any, askers: dict[str, Predictor], photo: Image.Image) -> None:
    """scenes.json and the service say the same."""
    (car,) = inspect_picture(photo, finds((0.1, 0.1, 0.5, 0.5)), askers).cars
    told = car.to_json()
    assert told["box"] == pytest.approx({"left": 20, "top": 12, "right": 100, "bottom": 60})
    assert set(told["answers"]["police"]) == {"label", "probability", "sure"}


def test_the_service_needs_nothing_heavy() -> None:
    """Its image has no torch, no supervision and no PyAV."""
    code = "import sys, roadworthy.scene.inspect, roadworthy.scene.accuracy; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"torch", "supervision", "av", "pandas", "scipy"} & set(loaded)
