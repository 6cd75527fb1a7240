"""The end of a run is believed only after a look at every shard."""

from pathlib import Path

import pytest

from roadworthy.errors import DataError
from roadworthy.scoring import plan as plans
from roadworthy.scoring.check import summary
from roadworthy.scoring.places import Place
from roadworthy.scoring.plan import Plan, name_of
from roadworthy.scoring.rows import Row, shard


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """70 images in three shards, of which every tenth is a PDF and one could not be reached."""
    place = Place(str(tmp_path))
    for number in range(PLAN.shards):
        first = number * PLAN.shard
        rows = [_row(n) for n in range(first, first + PLAN.rows(number))]
        place.write(name_of(number), shard(rows, PLAN))
    return place


PLAN = Plan("/in", 70, 0, 0, 32, "car", "abc", 3, ("not_car", "car"))


def _row(number: int) -> Row:
    row = Row(f"{number}.jpg")
    if number == 41:
        row.reason = "network: could not connect"
    elif number % 10 == 0:
        row.reason = "not an image: a PDF"
    else:
        row.label = "car" if number % 3 else "not_car"
    return row


def test_a_summary_counts_all(place: Place) -> None:
    """What was answered, and why the rest was not."""
    plans.mark(place, 1)
    plans.mark(place, 2)
    found = summary(place, PLAN)
    assert (found.images, found.answered, found.unreached) == (70, 62, 1)
    assert found.reasons == {"not an image": 7, "network": 1}
    assert sum(found.labels.values()) == 62
    assert list(found.labels) == ["car", "not_car"]
    assert plans.again(place) == {1}, "the mark of a shard without such a row goes"


@pytest.mark.parametrize("damage", ["cut", "empty", "short"])
def test_a_damaged_shard_is_made_again(damage: str, place: Place) -> None:
    """It is named, and gone for the next run."""
    whole = place.read(name_of(1)).to_pybytes()
    short = bytes(shard([_row(1)], PLAN))
    place.write(name_of(1), {"cut": whole[:-9], "empty": b"", "short": short}[damage])
    with pytest.raises(DataError, match="1 shards were damaged"):
        summary(place, PLAN)
    assert plans.missing(place, PLAN) == [1]


def test_what_is_missing_or_strange_is_said(place: Place) -> None:
    """A table with rows of somebody else is not one row for each image."""
    place.write(name_of(9), b"x")
    with pytest.raises(DataError, match="part-0000009"):
        summary(place, PLAN)
    place.remove(name_of(9))
    place.remove(name_of(0))
    with pytest.raises(DataError, match="1 shards are missing"):
        summary(place, PLAN)
