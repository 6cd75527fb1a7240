"""The list of inputs is fixed, shards cover it exactly, and what is left to do is what is not there."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadworthy.errors import DataError
from roadworthy.scoring import plan as plans
from roadworthy.scoring.places import Place
from roadworthy.scoring.plan import GROUP, PART, Plan, name_of, shard_size
from roadworthy.scoring.sources import Entry


def planned(place: Place, images: int, shard: int = 32) -> Plan:
    entries = [Entry(f"{n}.jpg", "odd" if n % 7 == 0 else None) for n in range(images)]
    total = plans.write_inputs(place, entries)
    plan = Plan("/in", total, 0, 0, shard, "car", "abc", 3, ("a", "b"))
    plans.write_plan(place, plan)
    return plan


@given(st.integers(1, 2 * 10**9), st.integers(1, 100_000))
def test_shards_cover_all_images_and_stay_in_one_group(images: int, workers: int) -> None:
    """So that a shard is read in one go, and every image is in exactly one."""
    size = shard_size(images, workers)
    plan = Plan("", images, 0, 0, size, "", "", None, ())
    assert PART % GROUP == GROUP % size == 0
    assert 32 <= size <= GROUP
    last = plan.shards - 1
    assert last * size + plan.rows(last) == images
    assert 0 < plan.rows(last) <= size
    assert plan.rows(0) == min(size, images)


def test_a_billion_images_are_tens_of_thousands_of_shards() -> None:
    """Neither so many that listing them takes long, nor so large that a kill costs an hour."""
    assert 10**9 // shard_size(10**9, 1000) < 10**5
    assert shard_size(2000, 2) == 128


def test_what_was_planned_is_read_again(tmp_path: Path) -> None:
    """Across the borders of groups and parts, faults as well."""
    place = Place(str(tmp_path))
    plan = planned(place, 2 * GROUP + 5, 4096)
    assert plans.read_plan(place) == plan
    found = list(plans.everything(place, plan))
    assert [entry.path for entry in found] == [f"{n}.jpg" for n in range(2 * GROUP + 5)]
    assert {n for n, entry in enumerate(found) if entry.fault} == set(range(0, len(found), 7))


def test_what_is_not_there_is_missing(tmp_path: Path) -> None:
    """And what was marked is to be done again."""
    place = Place(str(tmp_path))
    plan = planned(place, 100)
    assert plans.missing(place, plan) == [0, 1, 2, 3]
    for number in (0, 2):
        place.write(name_of(number), b"x")
    plans.mark(place, 2)
    assert plans.missing(place, plan) == [1, 2, 3]
    plans.unmark(place, 2)
    assert plans.missing(place, plan) == [1, 3]


def test_a_list_that_was_not_finished_is_made_anew(tmp_path: Path) -> None:
    """A kill while listing leaves parts of a list, and no plan."""
    place = Place(str(tmp_path))
    plans.write_inputs(place, [Entry("a.jpg")])
    assert plans.read_plan(place) is None
    with pytest.raises(DataError, match="no images"):
        plans.write_inputs(place, [])


def test_something_else_is_not_overwritten(tmp_path: Path) -> None:
    """`--out ~/photos` by mistake."""
    (tmp_path / "holiday.jpg").write_bytes(b"x")
    with pytest.raises(DataError, match=r"holds holiday\.jpg"):
        plans.read_plan(Place(str(tmp_path)))


def test_all_is_forgotten(tmp_path: Path) -> None:
    """Of what was written here, and nothing else."""
    place = Place(str(tmp_path))
    planned(place, 100)
    place.write(name_of(1), b"x")
    place.write("mine.txt", b"x")
    plans.mark(place, 1)
    plans.forget(place)
    assert place.names() == {"mine.txt"}
    assert not [path for path in (tmp_path / plans.FOLDER).rglob("*") if path.is_file()]


def test_deaths_are_counted_until_a_new_run_begins(tmp_path: Path) -> None:
    """A worker that was killed cannot say so; its trace can."""
    place = Place(str(tmp_path))
    for number in (1, 1, 11):
        place.write(f"{plans.TRIED}/{number:07d}-left", b"x")
        place.write(f"{plans.TRIED}/{number:07d}-{number}", b"x")
    with plans.trying(place, 1) as deaths:
        assert deaths == 2
    with plans.trying(place, 2) as deaths:
        assert deaths == 0
    plans.untried(place)
    with plans.trying(place, 1) as deaths:
        assert deaths == 0


@pytest.mark.parametrize(
    ("source", "digest", "said"),
    [
        ("/in", "abc", None),
        ("/other", "abc", "begun on /in"),
        ("/in", "def", "begun with car/3.*--model 3"),
    ],
)
def test_only_the_same_is_gone_on_with(source: str, digest: str, said: str | None) -> None:
    """Answers of two models in one table would be told apart by nobody."""
    reason = plans.refusal(Plan("/in", 1, 0, 0, 32, "car", "abc", 3, ()), source, digest)
    assert (said is None) is (reason is None)
    assert re.search(said or "", reason or "")
