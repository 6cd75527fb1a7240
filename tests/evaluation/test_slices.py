"""Slices: the weak part is found, luck is not, and the parts have names."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, fisher_exact

from roadworthy.errors import ParamsError
from roadworthy.evaluation.slices import MIN_ROWS, parts, table

COLUMNS = ("label", "source", "size", "aspect", "brightness", "sharpness", "bytes", "cast")


def manifest(rng: np.random.Generator, rows: int = 300) -> pd.DataFrame:
    """A manifest with nothing particular to any part."""
    columns = ("aspect", "brightness", "sharpness", "red", "green", "blue")
    frame = pd.DataFrame({name: rng.random(rows) for name in columns})
    frame["width"], frame["height"] = rng.integers(20, 400, rows), rng.integers(20, 400, rows)
    frame["bytes"] = rng.integers(1000, 90000, rows)
    frame["label"] = pd.Series(rng.choice(["Audi", "BMW", "Fiat"], rows)).astype("string")
    frame["source"] = "one"
    frame.index = pd.Index(rng.permutation(rows) + 1000)
    return frame


def test_a_weak_part_comes_first() -> None:
    """Protects the warning: dark images that fail are named, and nothing else is."""
    rng = np.random.default_rng(0)
    rows = manifest(rng)
    dark = (rows["brightness"].rank(pct=True) <= 1 / 3).to_numpy()
    correct = rng.random(300) < np.where(dark, 0.7, 0.95)
    found = table(rows, correct, np.arange(300), COLUMNS)
    first = found.iloc[0]
    assert (first["slice"], first["column"], first["value"]) == (
        "brightness low", "brightness", "low",
    )  # fmt: skip
    assert found["weak"].tolist() == [True] + [False] * (len(found) - 1)
    assert first["accuracy"] == pytest.approx(correct[dark].mean())
    counts = [[correct[dark].sum(), (~correct[dark]).sum()]]
    counts += [[correct[~dark].sum(), (~correct[~dark]).sum()]]
    assert first["p"] == pytest.approx(fisher_exact(counts).pvalue)
    assert found["accuracy"].is_monotonic_increasing
    assert "source" not in set(found["column"])


def test_luck_is_not_a_weakness_and_all_intervals_hold_together() -> None:
    """Protects from looking at many parts: of a model that is even, hardly a test set names a weak
    part, and in 95 of 100 not one interval misses.
    """
    rng = np.random.default_rng(2)
    rows = manifest(rng)
    each = np.arange(300)
    tables = [table(rows, rng.random(300) < 0.85, each, COLUMNS) for _ in range(40)]
    assert np.mean([found["weak"].any() for found in tables]) <= 0.05
    held = [((found["low"] <= 0.85) & (found["high"] >= 0.85)).all() for found in tables]
    assert np.mean(held) >= 0.95


def test_frames_of_a_clip_are_not_so_many_pieces_of_evidence() -> None:
    """Protects from bad luck with a few clips: right or wrong as a whole, in one part as a whole,
    they made 9 of 10 even models look weak somewhere when each frame counted.
    """
    rng = np.random.default_rng(7)
    clips = np.arange(300) // 6
    tables = []
    for _ in range(100):
        rows = manifest(rng, 50).iloc[clips]
        columns = ["brightness", "sharpness", "aspect", "label"]
        tables.append(table(rows, rng.random(50)[clips] < 0.85, clips, columns))
    assert np.mean([found["weak"].any() for found in tables]) <= 0.05
    held = [((found["low"] <= 0.85) & (found["high"] >= 0.85)).all() for found in tables]
    assert np.mean(held) >= 0.95


def test_a_part_counts_its_units() -> None:
    """Protects the figures: images and accuracy are of rows, interval and p of the units inside."""
    rows = pd.DataFrame({"where": pd.array(["in"] * 40 + ["out"] * 60, dtype="string")})
    correct = np.repeat([True, False, True], [30, 10, 60])
    found = table(rows, correct, np.arange(100) // 2, ["where"]).set_index("value")
    assert found["images"].to_dict() == {"in": 40, "out": 60}
    assert found["accuracy"].to_dict() == {"in": 0.75, "out": 1}
    level = 0.95**0.5
    for value, (right, units) in {"in": (15, 20), "out": (30, 30)}.items():
        ends = binomtest(right, units).proportion_ci(level, "exact")
        assert found.loc[value, ["low", "high"]].tolist() == pytest.approx([ends.low, ends.high])
        assert found.loc[value, "p"] == pytest.approx(fisher_exact([[15, 5], [30, 0]]).pvalue)


def test_colours_and_sizes_are_made_of_the_manifest() -> None:
    """Protects `cast` and `size`, which no column has."""
    rng = np.random.default_rng(3)
    rows = manifest(rng, 60)
    rows[["red", "green", "blue"]] = np.repeat(
        [[0.5, 0.5, 0.5], [0.6, 0.4, 0.4], [0.3, 0.3, 0.4]], 20, axis=0
    )
    rows["width"], rows["height"] = np.arange(60) + 1, 60 - np.arange(60)
    found = parts(rows, ["cast", "size"])
    assert found["cast neutral"].tolist() == [True] * 20 + [False] * 40
    assert found["cast red"].tolist() == [False] * 20 + [True] * 20 + [False] * 20
    assert found["cast blue"].sum() == 20 and "cast green" not in found
    # Longest at the ends, largest in the middle.
    assert found["size high"][25:35].all() and found["size low"][[0, 1, 58, 59]].all()


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 80), st.integers(0, 1000), st.integers(1, 40))
def test_parts_of_numbers_do_not_overlap(rows: int, seed: int, distinct: int) -> None:
    """Protects the gate: every part is large enough, a row is in one part of a column, ties together."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"bytes": rng.integers(0, distinct, rows).astype(float)})
    frame.loc[rng.random(rows) < 0.1, "bytes"] = np.nan
    found = parts(frame, ["bytes"])
    assert all(inside.sum() >= MIN_ROWS and inside.dtype == bool for inside in found.values())
    if found:
        together = np.sum([*found.values()], axis=0)
        assert together.max() == 1
        assert not together[frame["bytes"].isna()].any()
    for inside in found.values():
        assert not set(frame["bytes"][inside]) & set(frame["bytes"][~inside].dropna())


def test_any_column_will_do_and_an_unknown_one_is_named() -> None:
    """Protects the setting: truths and numbers of the manifest, empty cells, and typing errors."""
    rng = np.random.default_rng(4)
    rows = manifest(rng, 60)
    rows["group"] = pd.array(["a", pd.NA, "b"] * 20, dtype="string")
    rows["readable"] = [True, False] * 30
    rows["width"] = [64, 128] * 30
    found = table(rows, np.arange(60) % 3 > 0, np.arange(60), ["group", "readable", "width"])
    assert set(found["slice"]) == {
        "group a", "group b", "readable False", "readable True", "width 128", "width 64",
    }  # fmt: skip
    with pytest.raises(ParamsError, match="'brightnes', no such column; known are size, cast"):
        parts(rows, ["brightnes"])


def test_too_little_for_any_part_is_an_empty_table() -> None:
    """Protects small test sets: columns stay, rows are none."""
    rows = manifest(np.random.default_rng(5), 12)
    found = table(rows, np.ones(12, bool), np.arange(12), COLUMNS)
    assert found.empty and list(found)[-1] == "weak"
