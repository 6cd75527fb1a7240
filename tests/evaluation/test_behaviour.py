"""A sane model passes the checks, and each kind of insanity is found by the check made for it."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from roadworthy.evaluation.behaviour import behaviour, blanks, mirrored, shifted

Ask = Callable[[np.ndarray], np.ndarray]


def two(positive: np.ndarray) -> np.ndarray:
    return np.stack([1 - positive, positive], axis=1)


def by_contrast(pixels: np.ndarray) -> np.ndarray:
    """Sane: something bright on dark is a car, nothing is none."""
    return two((pixels.max(axis=(1, 2, 3)).astype(int) - pixels.min(axis=(1, 2, 3)) > 60) * 0.9)


def by_side(pixels: np.ndarray) -> np.ndarray:
    """Looks left and right."""
    half = pixels.shape[2] // 2
    left, right = pixels[:, :, :half], pixels[:, :, half:]
    return two((left.mean(axis=(1, 2, 3)) > right.mean(axis=(1, 2, 3))) * 0.9)


def by_first_column(pixels: np.ndarray) -> np.ndarray:
    """Looks at one column of pixels."""
    return two((pixels[:, :, 0].mean(axis=(1, 2)) > 0) * 0.9)


def predict(probabilities: np.ndarray) -> np.ndarray:
    return probabilities.argmax(axis=1)


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    """A bright box on black, at the left or at the right."""
    made = np.zeros((10, 20, 50, 1), np.uint8)
    made[::2, 5:15, 1:20] = 200
    made[1::2, 5:15, 30:49] = 200
    return made


def check(
    ask: Ask, images: np.ndarray, positive: int | None = 1, sure: float = 0.8
) -> pd.DataFrame:
    return behaviour(ask, predict, images, sure=sure, positive=positive).set_index("check")


def test_each_fault_is_found_by_its_check(images: np.ndarray) -> None:
    """Protects the meaning of each row: mirrors, shifts, blanks."""
    found = check(by_side, images)
    assert (found.loc["mirrored", "figure"], found.loc["mirrored", "passed"]) == (0.0, False)
    assert found.loc["shifted 2%", "passed"]
    found = check(by_first_column, images)
    assert found.loc["shifted 2%", "figure"] < 1
    assert found.loc["blank, one colour", "figure"] == pytest.approx(8 / 9)
    assert not found.loc["blank, noise", "passed"]


def test_a_sane_model_passes_but_for_noise(images: np.ndarray) -> None:
    """Protects against checks that nobody can pass."""
    found = check(by_contrast, images)
    assert list(found.index[~found["passed"].astype(bool)]) == ["blank, noise"]


def test_a_blank_image_may_be_answered_with_doubt_or_with_no(images: np.ndarray) -> None:
    """Only a sure car is a fault of a binary model; any sure answer is one of many classes."""
    doubtful = check(lambda pixels: np.tile([0.3, 0.7], (len(pixels), 1)), images)
    assert doubtful["passed"].all()
    negative = np.array([0.99, 0.01])
    assert check(lambda pixels: np.tile(negative, (len(pixels), 1)), images)["passed"].all()
    some = check(lambda pixels: np.tile(negative, (len(pixels), 1)), images, positive=None)
    assert list(some.loc[["blank, one colour", "blank, noise"], "figure"]) == [1.0, 1.0]


@pytest.mark.parametrize("positive", [1, None])
def test_a_blank_image_can_fail_where_nobody_is_sure(
    images: np.ndarray, positive: int | None
) -> None:
    """Protects from a check without meaning: with the cut at 1 no answer of any model would count."""
    names = ["blank, one colour", "blank, noise"]
    certain = check(lambda pixels: two(np.full(len(pixels), 0.95)), images, positive, sure=1.0)
    assert list(certain.loc[names, "figure"]) == [1.0, 1.0]
    assert not certain.loc[names, "passed"].any()
    assert certain["words"].iloc[-1].startswith("100.0% of 12 images of noise are of ")
    assert "with 90% or more" in certain["words"].iloc[-1]
    doubtful = check(lambda pixels: two(np.full(len(pixels), 0.85)), images, positive, sure=1.0)
    assert doubtful.loc[names, "passed"].all()


def test_the_table_is_what_the_report_takes(images: np.ndarray) -> None:
    """Protects columns, words and progress."""
    seen: list[tuple[int, int]] = []
    found = behaviour(
        by_contrast,
        predict,
        images,
        sure=0.8,
        positive=1,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert list(found.columns) == ["check", "figure", "limit", "passed", "words"]
    assert found["words"][0] == "100.0% of 10 images keep their answer in a mirror; at least 90%"
    assert seen[-1] == (len(found), len(found))
    assert behaviour(by_side, predict, images[:0], sure=0.8, positive=1).empty


def test_a_mirror_twice_is_the_image_and_shifts_go_four_ways(images: np.ndarray) -> None:
    """Protects the geometry: by one row of 20 and by two columns of 50."""
    assert (mirrored(mirrored(images)) == images).all()
    up, down, left, right = shifted(images, 0.05)
    assert (up[:, :-1] == images[:, 1:]).all()
    assert (down[:, 1:] == images[:, :-1]).all()
    assert (left[:, :, :-2] == images[:, :, 2:]).all()
    assert (right[:, :, 2:] == images[:, :, :-2]).all()


@pytest.mark.parametrize("shape", [(8, 8, 3), (40, 100, 1)])
def test_blank_images_show_nothing(shape: tuple[int, ...]) -> None:
    """One colour each, black and white among them, none twice."""
    flat = blanks(shape)["one colour"]
    assert flat.shape[1:] == shape
    assert len(np.unique(flat.reshape(len(flat), -1), axis=0)) == len(flat)
    assert (flat == flat[:, :1, :1]).all()
    assert {0, 255} <= set(flat.mean(axis=(1, 2, 3)))
