"""What is drawn can be read."""

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageColor

from roadworthy.bundle.predictor import Prediction
from roadworthy.scene.draw import COLOURS, SIDES, draw, draw_heat, drawn_size, label, letter_size
from roadworthy.scene.inspect import Car

POLICE = Prediction("police", 0.98, True, {"other": 0.02, "police": 0.98})
OTHER = Prediction("other", 0.97, True, {"other": 0.97, "police": 0.03})
MAKE = Prediction("Citroën", 0.41, False, {"Audi": 0.3, "Citroën": 0.41, "Škoda": 0.29})


def car(left: float, top: float, right: float, bottom: float, **answers: Prediction) -> Car:
    return Car((left, top, right, bottom), 0.93, answers)


def share_of(picture: Image.Image, colour: str) -> int:
    """Pixels of exactly this colour."""
    return int((np.asarray(picture) == ImageColor.getrgb(colour)).all(axis=2).sum())


def test_a_label_has_a_line_for_each_step() -> None:
    """A no is told as one, and so is a doubt."""
    assert (
        label(car(0, 0, 1, 1, police=POLICE, brand=MAKE)) == "car 0.93\npolice 0.98\nCitroën 0.41 ?"
    )
    assert label(car(0, 0, 1, 1, police=OTHER)) == "car 0.93\nnot police 0.97"


@pytest.mark.parametrize("width", [320, 1920])
@pytest.mark.parametrize("corner", [(0, 0), (1, 0), (0, 1), (1, 1)])
def test_labels_are_inside_the_picture(width: int, corner: tuple[int, int]) -> None:
    """At every rim as much of the label is seen as in the middle."""
    size = (width, width * 9 // 16)
    box = np.array((size[0] // 12, size[1] // 12))
    picture = Image.new("RGB", size, "white")

    def seen(at: np.ndarray) -> int:
        drawn = draw(picture, [car(*at, *(at + box), police=POLICE, brand=MAKE)])
        return share_of(drawn, COLOURS[1])

    middle = seen(np.array(size) // 2)
    assert middle > 500
    assert seen((np.array(size) - box) * corner) > 0.85 * middle


def test_the_box_is_where_the_car_is() -> None:
    """And its colour tells the answer of who was asked first."""
    picture = Image.new("RGB", (400, 300), "white")
    for answer, colour in ((OTHER, COLOURS[0]), (POLICE, COLOURS[1])):
        drawn = draw(picture, [car(100, 150, 300, 250, police=answer)])
        for at in ((100, 200), (299, 200), (200, 249)):
            assert drawn.getpixel(at) == ImageColor.getrgb(colour)
        assert drawn.getpixel((200, 200)) == (255, 255, 255)
    assert share_of(picture, "white") == 400 * 300


def test_the_surest_is_on_top() -> None:
    """Where labels meet, that of the surest can be read."""
    cars = [car(10, 100, 200, 190, police=POLICE), car(10, 100, 200, 190, police=OTHER)]
    drawn = draw(Image.new("RGB", (400, 200)), cars)
    assert drawn.getpixel((10, 150)) == ImageColor.getrgb(COLOURS[1])


def test_a_picture_without_cars_stays_as_it_is() -> None:
    """Nothing is written on it."""
    picture = Image.effect_noise((400, 300), 50)
    assert draw(picture, []).tobytes() == picture.convert("RGB").tobytes()


@settings(max_examples=40, deadline=None)
@given(
    size=st.tuples(st.integers(1, 900), st.integers(1, 900)),
    mode=st.sampled_from(["L", "RGB"]),
    count=st.integers(0, 12),
    seed=st.integers(0, 99),
)
def test_any_picture_can_be_drawn_on(size: Any, mode: str, count: int, seed: int) -> None:
    """One pixel, a line, a crowd: always a picture of the size that was said."""
    corners = np.sort(np.random.default_rng(seed).random((count, 2, 2)), axis=1)
    boxes = (corners * size).reshape(-1, 4)
    cars = [car(*box, police=OTHER, brand=MAKE) for box in boxes]
    picture = Image.new(mode, size)
    assert draw(picture, cars).size == draw_heat(picture, np.ones((3, 4))).size == drawn_size(size)


@given(size=st.tuples(st.integers(1, 30_000), st.integers(1, 30_000)))
def test_sizes_are_bounded(size: tuple[int, int]) -> None:
    """A panorama is drawn smaller, a stamp larger; between the two nothing is scaled."""
    drawn = drawn_size(size)
    assert SIDES[0] <= max(drawn) <= SIDES[1] and min(drawn) >= 1
    if SIDES[0] <= max(size) <= SIDES[1]:
        assert drawn == size


def test_no_letters_where_none_can_be_read() -> None:
    """Boxes alone are better than a picture of nothing but labels."""
    assert letter_size((4000, 4), ["car 0.93"]) == 0
    assert letter_size((320, 200), ["car 0.93\npolice 0.98"]) >= 11
    assert letter_size((1920, 1080), ["car 0.93"]) > 20


def test_the_map_shows_where_it_is_warm() -> None:
    """And leaves the rest in grey."""
    heat = np.zeros((30, 40), np.float32)
    heat[:15, :20] = 1
    drawn = np.asarray(draw_heat(Image.new("RGB", (400, 300), "grey"), heat)).astype(int)
    assert drawn[75, 100, 0] > drawn[75, 100, 2] + 100
    assert abs(drawn[225, 300] - 128).max() <= 2


def test_nobody_is_told_of_opencv() -> None:
    """It is not needed, and its absence is no warning of ours."""
    code = "from roadworthy.scene.draw import supervision; supervision()"
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)
