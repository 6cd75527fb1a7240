"""Labels are read, never guessed."""

from pathlib import PurePath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadworthy.data.labels import read_label
from roadworthy.data.makes import MAKES
from roadworthy.params import Label

ROOT = PurePath("data/brand")
BRAND = Label.model_validate(
    {"from": ["filename", "folder"], "aliases": {"vw": "Volkswagen", "mercedes": "Mercedes-Benz"}}
)


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("Audi_A4_2019_00012.jpg", "Audi"),
        ("2012 BMW M3 coupe.jpg", "BMW"),
        ("mercedes-benz_c63.png", "Mercedes-Benz"),
        ("mercedes 190.png", "Mercedes-Benz"),
        ("VW golf 2015.jpg", "Volkswagen"),
        ("land rover_defender_1.jpg", "Land Rover"),
        ("LAND-ROVER discovery.jpg", "Land Rover"),
        ("rover 75.jpg", "Rover"),
        ("IMG_20190412_00991.jpg", None),
        ("fordable_car.jpg", None),
        ("Train/ferrari/69.jpg", "Ferrari"),
        ("ferrari/audi_69.jpg", "Audi"),
    ],
)
def test_makes_are_read_from_names_as_people_write_them(name: str, make: str | None) -> None:
    """Whole words, longest first; no make is None, also in the task's own folder."""
    assert read_label(ROOT / name, BRAND, ROOT) == make


@given(st.sampled_from(MAKES), st.sampled_from(["_", " ", "-", "__"]), st.integers(0, 9999))
def test_every_make_is_found_in_any_spelling(make: str, gap: str, number: int) -> None:
    """Case and separators differ between collections; the class must not."""
    for spelled in (make.upper(), make.lower(), make):
        name = f"{number}{gap}{spelled.replace(' ', gap)}{gap}x1.jpg"
        assert read_label(ROOT / name, BRAND, ROOT) == make


def test_folders_are_matched_to_the_classes_of_the_task() -> None:
    """`Not Car` in somebody's collection is our `not_car`; other folders have no label here."""
    rule = Label.model_validate({"classes": ["not_car", "car"]})
    root = PurePath("data/car")
    assert read_label(root / "x/Not Car/1.jpg", rule, root) == "not_car"
    assert read_label(root / "x/Car/1.jpg", rule, root) == "car"
    assert read_label(root / "x/Boat/1.jpg", rule, root) is None
