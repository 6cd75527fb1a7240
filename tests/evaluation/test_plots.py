"""The pictures for DVC: the same bytes for the same findings, legible with many classes."""

import io
from dataclasses import replace

import pytest
from PIL import Image

from findings_made import made
from roadworthy import page
from roadworthy.evaluation import plots
from scenes_made import scenes

MANY = {"confusion", "slices", "stress", "reliability", "training"}


@pytest.mark.parametrize("classes", [2, 13])
def test_every_picture_is_made_and_is_the_same_twice(classes: int) -> None:
    """DVC stores what changed, and nothing did."""
    first, again = plots.pictures(made(classes)), plots.pictures(made(classes))
    assert set(first) == (MANY | {"curves"} if classes == 2 else MANY)
    assert all(page.png(first[name]) == page.png(again[name]) for name in first)


def test_what_was_not_measured_has_no_picture() -> None:
    """An empty frame would look like a finding."""
    found = made(13)
    tables = ("reliability", "slices", "stress")
    bare = replace(found, history=[], **{name: getattr(found, name).head(0) for name in tables})
    assert set(plots.pictures(bare)) == {"confusion"}


def test_a_name_stands_beside_every_one_of_120_classes() -> None:
    """No label is left out, and each has the height of its letters."""
    found = made(120, images=500)
    figure = plots.confusion(found)
    shown = [tick.get_text() for tick in figure.axes[0].get_yticklabels()]
    assert sorted(shown) == sorted(found.labels)
    picture = Image.open(io.BytesIO(page.png(figure)))
    assert 120 * 14 < picture.height < 3000


def test_the_curve_of_the_scenes_is_drawn_where_there_is_one() -> None:
    """The same twice; without a car in any scene there is nothing to draw."""
    first, again = (plots.scene_curve(made(2, scenes=scenes(16))) for _ in range(2))
    assert first is not None and again is not None and page.png(first) == page.png(again)
    assert plots.scene_curve(made(2, scenes=scenes(1))) is None
    assert "scene_curve" in plots.pictures(made(2, scenes=scenes(16)))
