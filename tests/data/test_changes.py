"""What is said to have changed is what changed."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roadworthy.data.changes import SHOWN, Changes, compare

LISTINGS = st.dictionaries(
    st.tuples(
        st.sampled_from(["car", "brand"]), st.sampled_from("xy"), st.sampled_from("1234")
    ).map("/".join),
    st.sampled_from("abcd"),
)


def folder(path: str) -> str:
    return path.split("/")[1]


@settings(deadline=None)
@given(LISTINGS, LISTINGS)
def test_every_file_is_accounted_for_once(old: dict[str, str], new: dict[str, str]) -> None:
    """New paths are added, moved or relabelled; old ones are gone with those, or removed."""
    found = compare(old, new, folder)
    come = [*found.added, *found.moved, *found.relabelled]
    assert sorted(come) == sorted(new.keys() - old.keys())
    assert set(found.removed) <= old.keys() - new.keys()
    assert len(old) + len(found.added) - len(found.removed) == len(new)
    assert set(found.changed) == {p for p in old.keys() & new.keys() if old[p] != new[p]}
    assert bool(found) == (old != new)


@settings(deadline=None)
@given(LISTINGS, LISTINGS)
def test_back_is_the_same_the_other_way(old: dict[str, str], new: dict[str, str]) -> None:
    """What was added is removed again, and as many are relabelled."""
    there, back = compare(old, new, folder), compare(new, old, folder)
    assert len(there.added) == len(back.removed) and len(there.removed) == len(back.added)
    assert len(there.relabelled) == len(back.relabelled) and len(there.moved) == len(back.moved)


def test_labels_are_those_of_the_task(project: Path) -> None:
    """A make read from the file name: another folder is a move, another name is another label."""
    (project / "params.yaml").write_text(
        "tasks: {brand: {kind: multiclass, images: data/brand, label: {from: [filename]}}}"
    )
    old = {"brand/x/audi_1.jpg": "a", "brand/x/bmw_2.jpg": "b", "other/x/1.jpg": "c"}
    new = {"brand/y/audi_1.jpg": "a", "brand/x/fiat_2.jpg": "b", "other/y/1.jpg": "c"}
    found = compare(old, new)
    assert found.moved == ("brand/y/audi_1.jpg",)
    assert found.relabelled == ("brand/x/fiat_2.jpg", "other/y/1.jpg")


def test_an_image_that_goes_to_another_task_is_added_there() -> None:
    """Its label there has nothing to do with the one it had."""
    found = compare({"car/x/1": "a"}, {"brand/x/1": "a"}, folder)
    assert str(found) == "brand: 1 added; car: 1 removed"


@pytest.mark.parametrize("count", [0, 1, SHOWN, SHOWN + 1, 1000])
def test_a_long_list_is_cut(count: int) -> None:
    """And says how many there are."""
    text = Changes(added=tuple(f"car/x/{n}" for n in range(count))).listing()
    assert text.count("car/x/") == min(count, SHOWN)
    assert (f"{count} added" in text) == bool(count)
    assert (f"and {count - SHOWN} more" in text) == (count > SHOWN)
