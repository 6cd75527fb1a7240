"""The laws of splitting, for any data set."""

from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roadworthy.data import ledger
from roadworthy.data.splits import assign
from roadworthy.errors import DataError
from roadworthy.params import Split

SETTINGS = Split(val=0.15, test=0.2)
NO_PAIRS = pd.DataFrame({"first": [], "second": []})


@st.composite
def tables(draw: st.DrawFn) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows and near-duplicates among them."""
    count = draw(st.integers(10, 80))
    some = st.one_of(st.none(), st.integers(0, count // 3))
    labels = st.lists(st.sampled_from(["a", "b", "c"]), min_size=count, max_size=count)
    rows = pd.DataFrame(
        {
            "path": [f"data/{n:04d}.jpg" for n in range(count)],
            "sha256": [f"{n * 7919 % 1009:064x}"[::-1] for n in range(count)],
            "label": draw(labels),
            "group": pd.Series([draw(some) for _ in range(count)], dtype="Int64").astype("string"),
        }
    )
    number = st.integers(0, count - 1)
    pairs = draw(st.lists(st.tuples(number, number).filter(lambda p: p[0] < p[1]), max_size=25))
    named = [(rows["path"][one], rows["path"][two]) for one, two in pairs]
    return rows, pd.DataFrame(named, columns=["first", "second"])


def together(rows: pd.DataFrame, pairs: pd.DataFrame, split: pd.Series) -> None:
    """Nothing that belongs together is in two splits."""
    by_path = dict(zip(rows["path"], split, strict=True))
    for one, two in pairs[["first", "second"]].itertuples(index=False):
        if one in by_path and two in by_path and not pd.isna([by_path[one], by_path[two]]).any():
            assert by_path[one] == by_path[two]
    assert (split.groupby(rows["group"]).nunique() <= 1).all()


def remember(rows: pd.DataFrame, split: pd.Series, known: dict[str, str]) -> dict[str, str]:
    used = split.notna()
    fronts = rows["sha256"][used].str[: ledger.DIGITS]
    return known | dict(zip(fronts, split[used], strict=True))


@settings(max_examples=80, deadline=None)
@given(tables(), st.integers(0, 5))
def test_near_duplicates_and_groups_are_never_apart(
    table: tuple[pd.DataFrame, pd.DataFrame], seed: int
) -> None:
    """A near-duplicate on both sides is a test that the model has seen."""
    rows, pairs = table
    split = assign(rows, pairs, SETTINGS, seed)
    together(rows, pairs, split)
    assert split.notna().all(), "a first draw leaves nothing out"


@settings(max_examples=120, deadline=None)
@given(tables(), st.data())
def test_an_image_keeps_its_split_whatever_comes_and_goes(
    table: tuple[pd.DataFrame, pd.DataFrame], data: st.DataObject
) -> None:
    """A test image stays a test image for life, through any three versions of the data."""
    rows, pairs = table
    known: dict[str, str] = {}
    mask = st.lists(st.booleans(), min_size=len(rows), max_size=len(rows))
    for _ in range(3):
        version = rows[data.draw(mask)]
        if version.empty:
            continue
        split = assign(version, pairs, SETTINGS, 7, known)
        together(version, pairs, split)
        had = version["sha256"].str[: ledger.DIGITS].map(known)
        assert (split[had.notna()] == had[had.notna()]).all()
        known = remember(version, split, known)


@settings(max_examples=60, deadline=None)
@given(tables(), st.data())
def test_adding_images_moves_and_drops_none_that_stays(
    table: tuple[pd.DataFrame, pd.DataFrame], data: st.DataObject
) -> None:
    """Not even when a new image is a copy of two that are in different splits."""
    rows, pairs = table
    few = rows[data.draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows)))]
    if few.empty:
        return
    before = assign(few, pairs, SETTINGS, 7)
    after = assign(rows, pairs, SETTINGS, 7, remember(few, before, {}))
    assert after[few.index].equals(before)
    together(rows, pairs, after)


@settings(max_examples=30, deadline=None)
@given(tables(), st.integers(0, 99))
def test_the_order_of_rows_does_not_matter(
    table: tuple[pd.DataFrame, pd.DataFrame], shuffle: int
) -> None:
    """Another file system lists files in another order."""
    rows, pairs = table
    again = assign(rows.sample(frac=1, random_state=shuffle), pairs, SETTINGS, 7)
    assert again.sort_index().equals(assign(rows, pairs, SETTINGS, 7))


def plain(labels: list[str], start: int = 0) -> pd.DataFrame:
    numbers = range(start, start + len(labels))
    return pd.DataFrame(
        {
            "path": [f"data/{n}.jpg" for n in numbers],
            "sha256": [f"{n:016x}".ljust(64, "0") for n in numbers],
            "label": labels,
        }
    )


def test_shares_are_kept_for_every_label_as_images_come() -> None:
    """A rare class must be measured, too, and a growing one must not starve the test split."""
    known: dict[str, str] = {}
    rows = plain(["a"] * 1000 + ["b"] * 100)
    for count in (400, 700, 1100):
        version = pd.concat([rows[: count - 60], rows[1000 : 1000 + count // 11]])
        split = assign(version, NO_PAIRS, SETTINGS, 7, known)
        known = remember(version, split, known)
        for label, group in split.groupby(version["label"]):
            shares = group.value_counts(normalize=True)
            assert abs(shares["test"] - 0.2) < 0.03, label
            assert abs(shares["val"] - 0.15) < 0.03, label


@pytest.mark.parametrize("size", [30, 45, 70])
def test_one_large_unit_does_not_empty_the_other_splits(size: int) -> None:
    """A long film among a few photos."""
    rows = plain(["a"] * (size + 20)).assign(group=["film"] * size + [None] * 20)
    counts = assign(rows, NO_PAIRS, SETTINGS, 7).value_counts()
    assert counts["test"] >= 5
    assert counts["val"] >= 2


def test_of_two_test_images_that_turn_out_to_be_one_neither_moves() -> None:
    """Stricter rules may find a test image in train: what was learned from is left out."""
    rows = plain(["a", "a", "a"])
    known = dict(zip(rows["sha256"].str[:16], ["train", "test", "val"], strict=True))
    pairs = pd.DataFrame({"first": ["data/0.jpg"], "second": ["data/1.jpg"]})
    split = assign(rows, pairs, SETTINGS, 7, known)
    assert split.isna().tolist() == [True, False, False]
    assert split[1:].tolist() == ["test", "val"]


def test_the_same_on_every_machine() -> None:
    """These very answers; a change here moves test images into training."""
    split = assign(plain(["a"] * 12), NO_PAIRS, Split(val=0.25, test=0.25), 7)
    assert "".join(s[1] for s in split) == "rrrerreeraaa"


def test_a_ledger_is_read_as_it_was_written(tmp_path: Any) -> None:
    """Sorted text, so that git can merge what two people added."""
    known = {"b" * 16: "test", "a" * 16: "train"}
    book, rule = tmp_path / "splits" / "car.csv", ledger.rule(SETTINGS, 7)
    ledger.save(book, rule, known)
    assert ledger.load(book, rule) == known
    assert book.read_text().splitlines()[1].startswith("aaaa")
    assert ledger.load(book, ledger.rule(SETTINGS, 8)) == {}, "another seed is another draw"


def test_a_damaged_ledger_is_refused(tmp_path: Any) -> None:
    """A merge conflict left in it must not draw test images into training."""
    book = tmp_path / "car.csv"
    book.write_text(f"# {ledger.rule(SETTINGS, 7)}\n<<<<<<< HEAD\n")
    with pytest.raises(DataError, match="line 2"):
        ledger.load(book, ledger.rule(SETTINGS, 7))
