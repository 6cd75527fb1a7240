"""The laws of splitting, for any data set."""

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from roadworthy.data.splits import assign
from roadworthy.params import Split

SETTINGS = Split(val=0.15, test=0.2)


@st.composite
def tables(draw: st.DrawFn) -> pd.DataFrame:
    count = draw(st.integers(30, 120))
    some = st.one_of(st.none(), st.integers(0, count // 3))
    return pd.DataFrame(
        {
            "path": [f"data/{n:04d}.jpg" for n in range(count)],
            "label": [draw(st.sampled_from(["a", "b", "c"])) for _ in range(count)],
            "group": pd.Series([draw(some) for _ in range(count)], dtype="Int64").astype("string"),
            "cluster": pd.Series([draw(some) for _ in range(count)], dtype="Int64"),
        }
    )


@settings(max_examples=60, deadline=None)
@given(tables(), st.integers(0, 5))
def test_groups_and_clusters_are_never_apart(rows: pd.DataFrame, seed: int) -> None:
    """A near-duplicate on both sides is a test that the model has seen."""
    rows["split"] = assign(rows, SETTINGS, seed)
    for column in ("group", "cluster"):
        assert (rows.dropna(subset=[column]).groupby(column)["split"].nunique() == 1).all()


@settings(max_examples=30, deadline=None)
@given(tables(), st.randoms())
def test_the_order_of_rows_does_not_matter(rows: pd.DataFrame, random: object) -> None:
    """Another file system lists files in another order."""
    first = assign(rows, SETTINGS, 7)
    again = assign(rows.sample(frac=1, random_state=3), SETTINGS, 7)
    assert again.sort_index().tolist() == first.tolist()


def test_shares_are_kept_for_every_label() -> None:
    """A rare class must be measured, too."""
    rows = pd.DataFrame(
        {"path": [f"{n}.jpg" for n in range(1100)], "label": ["a"] * 1000 + ["b"] * 100}
    )
    split = assign(rows, SETTINGS, 7)
    for label, count in (("a", 1000), ("b", 100)):
        shares = split[rows["label"] == label].value_counts() / count
        assert abs(shares["test"] - 0.2) < 0.02
        assert abs(shares["val"] - 0.15) < 0.02


def test_the_same_on_every_machine() -> None:
    """These very answers; a change here moves test images into training."""
    rows = pd.DataFrame({"path": [f"data/{n}.jpg" for n in range(12)], "label": ["a"] * 12})
    assert "".join(s[1] for s in assign(rows, Split(val=0.25, test=0.25), 7)) == EXPECTED


EXPECTED = "rrrerreeraaa"
