"""A set whose labels show without a look is caught and its feature named; one without is not."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frames import manifest, usable
from roadworthy.data.images import open_image
from roadworthy.quality.shortcut import FEATURES, Shortcut, _deal, accuracy, find

REAL = Path(__file__).parents[3] / "shared/data/car_notcar"


def planted(feature: str, count: int = 200, share: float = 1.0) -> pd.DataFrame:
    """Rows in which the feature tells the label `car`."""
    rows = usable(manifest(count))
    told = (rows["label"] == "car") & (np.random.default_rng(3).random(len(rows)) < share)
    for name in FEATURES[feature]:
        other = (
            "PNG" if name == "format" else 0.99 if name not in ("width", "height", "bytes") else 9
        )
        rows[name] = rows[name].mask(told, other)
    return rows


@pytest.mark.parametrize("feature", FEATURES)
def test_what_gives_the_label_away_is_named(feature: str) -> None:
    """Each trace that a collection can leave is found by its name."""
    found = find(planted(feature))
    assert found.gain > 0.45
    assert found.features[0].feature == feature
    assert found.features[0].accuracy > 0.95


def test_nothing_is_found_where_nothing_is() -> None:
    """Chance, give or take its spread, on rows that were not learned from."""
    found = find(usable(manifest(400)))
    assert found.sure < 0.05
    assert {one.feature for one in found.features} == set(FEATURES)


def test_the_trace_of_a_rare_class_is_found() -> None:
    """Where 95 of 100 are one class, accuracy cannot beat guessing by a margin; a shortcut can."""
    rows = planted("aspect", 600)
    rows = rows[(rows["label"] != "car") | (np.arange(len(rows)) < 40)]
    found = find(rows)
    assert found.accuracy - found.share < 0.1
    assert found.sure > 0.3


def test_copies_do_not_pass_for_knowledge() -> None:
    """Eight copies each with a label at random: known to who learned from a copy, else a guess."""
    rows = usable(manifest(40))
    rows["label"] = np.random.default_rng(0).choice(["car", "not_car"], 40)
    copies = pd.concat([rows] * 8, ignore_index=True)
    leaking = find(copies).accuracy
    together = find(copies.assign(cluster=pd.array([n % 40 for n in range(320)], "Int64"))).accuracy
    assert leaking > 0.95
    assert together < 0.75


def test_chance_in_a_small_set_is_no_alarm() -> None:
    """Of thirty images that only chance has coloured, a few more are always right than wrong."""
    found = [find(usable(manifest(30, seed=seed)), seed) for seed in range(6)]
    assert max(one.gain for one in found) > 0.1
    assert max(one.sure for one in found) < 0.1


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from("abc"),
            st.none() | st.integers(0, 4),
            st.none() | st.sampled_from(["clip1", "clip2", "clip3"]),
        ),
        min_size=1,
        max_size=40,
    )
)
def test_what_belongs_together_is_in_one_fold(
    rows: list[tuple[str, int | None, str | None]],
) -> None:
    """Whichever way clusters and groups overlap, and however rare a class is."""
    frame = pd.DataFrame(rows, columns=["label", "cluster", "group"])
    fold = pd.Series(_deal(frame.astype({"cluster": "Int64", "group": "string"}), 0))
    for column in ("cluster", "group"):
        assert (fold.groupby(frame[column]).nunique() <= 1).all()


@pytest.mark.parametrize(
    "labels", [[], ["car"], ["car"] * 9, ["car", "van"], ["car"] * 9 + ["van"]]
)
def test_too_few_to_tell_is_no_error(labels: list[str]) -> None:
    """Data sets begin small."""
    rows = usable(manifest(len(labels), labels=("car",))).assign(label=labels)
    assert isinstance(find(rows), Shortcut)


def test_a_large_set_is_sampled_in_its_proportions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a million images must not take an hour."""
    monkeypatch.setattr("roadworthy.quality.shortcut.MAX_ROWS", 200)
    rows = usable(manifest(1000))
    rows["label"] = np.where(np.arange(1000) < 900, "car", "van")
    found = find(rows)
    assert (found.rows, found.share, found.majority) == (200, 0.9, "car")
    assert found == find(rows)


def test_a_model_that_never_looks_is_measured_on_the_test_split() -> None:
    """`evaluate` holds the network against it."""
    assert accuracy(planted("width", 300), planted("width", 200)) > 0.98
    assert accuracy(usable(manifest(300)), usable(manifest(400, seed=1))) < 0.6


@pytest.mark.skipif(not REAL.is_dir(), reason=f"{REAL} is not on this machine")
def test_square_or_not_is_caught_in_real_images() -> None:
    """393 of 400 can be told by that alone; here by the shape as it is read from the files."""
    rows = []
    for path in sorted(p for p in REAL.rglob("*") if p.is_file()):
        image = open_image(path)
        shape = {"width": image.width, "height": image.height, "aspect": image.width / image.height}
        rows.append({"label": path.parent.name, "bytes": path.stat().st_size, **shape})
    told = usable(manifest(len(rows))).assign(**{k: [r[k] for r in rows] for k in rows[0]})
    found = find(told)
    alone = {one.feature: one.accuracy for one in found.features}
    assert found.gain > 0.45
    assert found.features[0].feature in {"width", "height", "aspect", "file size"}
    assert min(alone["width"], alone["aspect"]) > 0.95
