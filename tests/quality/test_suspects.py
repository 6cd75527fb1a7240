"""Planted wrong labels come up first, and nothing judges itself."""

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadworthy.errors import DataError
from roadworthy.quality import suspects, suspects_page
from roadworthy.quality.units import units as units_of
from support import write_images

LABELS = ("bike", "car", "van")


def planted(seed: int, count: int = 600) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features, targets of which 5 % are wrong, and where."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, len(LABELS), count)
    features = rng.normal(size=(count, 64)).astype(np.float32)
    features[:, :8] += rng.normal(size=(len(LABELS), 8))[truth] * 2
    wrong = np.zeros(count, bool)
    wrong[rng.choice(count, count // 20, replace=False)] = True
    targets = np.where(wrong, (truth + rng.integers(1, len(LABELS), count)) % len(LABELS), truth)
    return features, targets, wrong


def rows(targets: np.ndarray) -> pd.DataFrame:
    names = [f"{place:04d}.png" for place in range(len(targets))]
    return pd.DataFrame({"path": names, "target": targets, "sha256": names})


@pytest.mark.parametrize("seed", range(3))
def test_planted_wrong_labels_come_first(seed: int) -> None:
    """The bar of the whole search: 70 % of them within the first 7 % of the ranking."""
    features, targets, wrong = planted(seed)
    found = suspects.out_of_fold(features, targets, np.arange(len(targets)), 5, seed)
    table = suspects.rank(rows(targets), LABELS, found)
    first = set(table["path"].head(round(0.07 * len(table))))
    assert np.mean([path in first for path in rows(targets)["path"][wrong]]) >= 0.7
    assert sorted(table["path"]) == list(rows(targets)["path"])
    assert table["score"].is_monotonic_increasing
    assert (table["label"] == table["given"]).all()
    issues = table[table["issue"] == "yes"]
    assert (issues["suggested"] != issues["given"]).all()
    assert 10 <= len(issues) <= 60


def test_a_copy_does_not_vouch_for_its_copy() -> None:
    """Forty copies of one mislabelled image, judged apart from each other, would look right."""
    features, targets, _ = planted(0)
    truth, wrong = targets[0], (targets[0] + 1) % len(LABELS)
    features, targets = (
        np.concatenate([features, np.repeat(features[:1], 40, axis=0)]),
        np.concatenate([targets, np.full(40, wrong)]),
    )
    apart = np.arange(len(targets))
    whole = np.where(apart >= len(targets) - 40, len(targets), apart)
    score = {
        name: suspects.out_of_fold(features, targets, units, 5, 0)[-40:, wrong].mean()
        for name, units in (("apart", apart), ("whole", whole))
    }
    assert truth != wrong
    assert score["whole"] < score["apart"]


@given(
    st.lists(st.lists(st.integers(1, 4), min_size=2, max_size=9), min_size=1, max_size=5),
    st.integers(2, 6),
    st.integers(0, 5),
)
def test_folds_keep_units_whole_and_every_class_is_known(
    classes: list[list[int]], folds: int, seed: int
) -> None:
    """Else a copy would leak, or a class would be unknown to those who judge it.

    `classes` has the sizes of the units of each class.
    """
    sizes = [size for units in classes for size in units]
    units = np.repeat(np.arange(len(sizes)), sizes)
    targets = np.repeat(np.arange(len(classes)), [sum(units) for units in classes])
    order = np.random.default_rng(seed).permutation(len(targets))
    fold = suspects.fold_of(targets[order], units[order], folds, seed)
    assert (pd.Series(fold).groupby(units[order]).nunique() == 1).all()
    assert (pd.Series(fold).groupby(targets[order]).nunique() >= 2).all()
    assert set(fold) <= set(range(folds))


def test_images_that_belong_together_are_one_unit() -> None:
    """A copy of a frame of a clip belongs to the clip."""
    rows = pd.DataFrame(
        {"group": ["x", "x", None, None, None, "y"], "cluster": [None, 7, 7, None, 8, None]},
        index=[9, 8, 7, 6, 5, 4],
    )
    first, second, third, alone, other, last = units_of(rows)
    assert first == second == third
    assert len({first, alone, other, last}) == 4
    assert len(set(units_of(rows[["cluster"]].iloc[3:]))) == 3


def test_one_image_of_a_class_is_refused() -> None:
    """Whoever judges it has never seen another."""
    with pytest.raises(DataError, match="one image only"):
        suspects.fold_of(np.array([0, 0, 1, 1]), np.array([0, 1, 2, 2]), 2, 0)


def test_ranking_is_silent(capfd: pytest.CaptureFixture[str]) -> None:
    """cleanlab likes to talk."""
    features, targets, _ = planted(1, 200)
    found = suspects.out_of_fold(features, targets, np.arange(len(targets)), 5, 0)
    suspects.rank(rows(targets), LABELS, found)
    assert capfd.readouterr() == ("", "")


class Sources(HTMLParser):
    """Everything a page would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.figures: list[dict[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [str(v) for k, v in attrs if k == "src" or (tag == "link" and k == "href")]
        if tag == "figure":
            self.figures.append(dict(attrs))


def test_the_page_shows_the_first_suspects_and_needs_no_network(project: Path) -> None:
    """It is mailed around; a path may hold anything."""
    paths = write_images(Path("data/car/<b>'\"&"), 4, (320, 200))
    table = pd.DataFrame(
        {
            "path": [path.as_posix() for path in paths],
            "given": "car",
            "suggested": ["van", "</script>", "van", "car"],
            "score": [0.01, 0.2, 0.3, 0.9],
            "issue": ["yes", "", "", ""],
            "label": "car",
            "sha256": "0" * 64,
        }
    )
    html = suspects_page.render("car", table, ("car", "van", "</script>"), show=2)
    page = Sources()
    page.feed(html)
    assert all(source.startswith("data:") for source in page.found)
    assert [figure["data-path"] for figure in page.figures] == list(table["path"][:2])
    assert [figure["data-suggested"] for figure in page.figures] == ["van", "</script>"]
    # Two scripts begin and two end: no label ends one early.
    assert len(re.findall("<script", html)) == len(re.findall("</script", html)) == 2
    with pytest.raises(DataError, match="0000"):
        paths[0].unlink()
        suspects_page.render("car", table, ("car", "van"), show=2)


def test_a_page_without_suspects_says_so() -> None:
    """An empty gallery is good news, not an error."""
    table = pd.DataFrame(
        {"path": ["a"], "given": ["car"], "suggested": ["car"], "score": [1.0], "issue": [""]}
    )
    html = suspects_page.render("car", table, ("car",), show=5)
    assert "No label is disputed" in html
