"""What came and went between two data versions, and what is remembered of them."""

import json
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frames import manifest, usable
from roadworthy.quality.drift import compare, digest, earlier, remember, snapshot, variation

COUNTS = st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 99), min_size=1)


def snap(rows: pd.DataFrame) -> dict[str, Any]:
    """As it is after a night in a JSON file."""
    kept: dict[str, Any] = json.loads(json.dumps(snapshot(rows, usable(rows)), sort_keys=True))
    return kept


@given(COUNTS, COUNTS)
def test_variation_is_a_distance(one: dict[str, int], two: dict[str, int]) -> None:
    """0 for the same shares, 1 for nothing in common, the same both ways."""
    assert variation(one, one) == 0
    assert variation(one, two) == variation(two, one)
    assert 0 <= variation(one, two) <= 1
    assert variation(one, {name: 3 * count for name, count in one.items()}) == pytest.approx(
        0, abs=1e-6
    )
    assert variation(one, {name.upper(): count for name, count in two.items()}) == pytest.approx(1)


def test_no_change_is_no_drift() -> None:
    """A second look at the same images says so."""
    rows = manifest()
    found = compare(snap(rows), snap(rows.sample(frac=1, random_state=1)))
    assert {*found.shares.values(), *found.means.values()} == {0}
    assert (found.added, found.removed, found.relabelled, found.gone, found.new) == (
        0,
        0,
        0,
        (),
        (),
    )


def test_what_came_and_went_is_counted() -> None:
    """By content, so that a renamed file is no new image."""
    rows = manifest(200)
    later = pd.concat([rows.iloc[20:], manifest(60, seed=1)], ignore_index=True)
    later["path"] = "moved/" + later["path"]
    later.loc[:4, "label"] = "van"
    found = compare(snap(rows), snap(later))
    assert (found.added, found.removed, found.relabelled) == (60, 20, 5)
    assert found.new_share == pytest.approx(60 / 240)
    assert (found.new, found.gone) == (("van",), ())


@settings(max_examples=20, deadline=None)
@given(st.floats(-2, 2))
def test_a_mean_moves_in_standard_deviations(shift: float) -> None:
    """So that one threshold serves brightness and width."""
    rows = manifest(80)
    spread = float(np.std(rows["width"]))
    found = compare(snap(rows), snap(rows.assign(width=rows["width"] + shift * spread)))
    assert found.means["width"] == pytest.approx(abs(shift), abs=1e-4)


def test_a_set_of_one_width_may_change_it() -> None:
    """No division by a spread of nothing; a new size is a large change."""
    rows = manifest(40).assign(width=64.0)
    assert compare(snap(rows), snap(rows.assign(width=128.0))).means["width"] == pytest.approx(100)


def test_an_empty_version_is_compared_all_the_same() -> None:
    """Every file may be unreadable."""
    rows = manifest(40)
    none = rows.assign(readable=False)
    assert compare(snap(rows), snap(none)).removed == 40
    assert compare(snap(none), snap(rows)).new_share == 1


def test_the_digest_is_of_contents_and_labels() -> None:
    """Order and names of files are no new version; a label is."""
    rows = manifest(30)
    assert digest(rows) == digest(rows.sample(frac=1, random_state=0).assign(path="other"))
    relabelled = rows.assign(label=rows["label"].where(rows.index != 3, "van"))
    assert digest(rows) != digest(relabelled)


@given(st.lists(st.sampled_from("ABC"), min_size=1, max_size=8))
def test_a_second_run_compares_with_the_same_version(runs: list[str]) -> None:
    """Whatever the order of versions, running one again changes nothing in what it is held against."""
    versions = {name: {"form": 1, "data": name, "images": {}} for name in "ABC"}
    memory: Any = None
    held: list[tuple[str, str | None]] = []
    for name in runs:
        before = earlier(memory, name)
        memory = json.loads(json.dumps(remember(versions[name], before)))
        held.append((name, before["data"] if before else None))
    for (first, against), (second, again) in pairwise(held):
        assert again == (against if first == second else first)


@pytest.mark.parametrize(
    "memory", [None, [], {}, {"form": 0, "data": "a"}, {"form": 1, "data": "b"}, {"form": 1}]
)
def test_what_cannot_be_understood_is_no_earlier_version(memory: Any) -> None:
    """A file of another release, or an edited one, must not stop the road."""
    assert earlier(memory, "b") is None
