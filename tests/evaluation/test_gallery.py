"""The same images in every run, the instructive ones first, and captions that can be read."""

import hashlib

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roadworthy.evaluation import gallery
from roadworthy.evaluation.findings import Shot


def named(number: object) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def predictions(seed: int, rows: int = 60, right: float = 0.8) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    label = rng.choice(["Audi", "BMW", "Fiat"], rows)
    wrong = rng.random(rows) > right
    return pd.DataFrame(
        {
            "path": [f"{n}.png" for n in range(rows)],
            "sha256": [named(n) for n in range(rows)],
            "label": label,
            "predicted": np.where(wrong, "Volvo", label),
            "probability": rng.random(rows).round(1),
        }
    )


def shot(label: str = "BMW", predicted: str = "BMW", *, heat: bool = False) -> Shot:
    row = {"sha256": "a", "path": "a.png", "label": label, "predicted": predicted}
    pixels = np.full((40, 100, 1), 99, np.uint8)
    return gallery.shot({**row, "probability": 0.91}, pixels, np.zeros((40, 100)) if heat else None)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=60), st.integers(1, 20))
def test_fixed_images_are_spread_over_the_labels(labels: list[str], count: int) -> None:
    """As many of each label as can be, none twice."""
    names = [named(n) for n in range(len(labels))]
    chosen = [labels[place] for place in gallery.fixed(labels, names, count)]
    assert len(chosen) == min(count, len(labels))
    assert len(set(chosen)) == min(count, len(set(labels)))
    assert chosen == sorted(chosen)
    most = max(chosen.count(label) for label in set(chosen))
    for label in set(labels):
        assert chosen.count(label) >= min(most - 1, labels.count(label))


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 30), st.integers(0, 500), st.randoms(use_true_random=False))
def test_fixed_images_stay_when_others_come(count: int, new: int, random: object) -> None:
    """Protects comparisons of runs: one more image changes one picture at most, of its own label."""
    labels = ["a", "b", "c", "c", "b"] * 12
    names = [named(n) for n in range(60)]
    before = {names[p]: labels[p] for p in gallery.fixed(labels, names, count)}
    order = list(range(61))
    random.shuffle(order)  # type: ignore[attr-defined]
    more, also = [*labels, "b"], [*names, named(f"new {new}")]
    more, also = [more[n] for n in order], [also[n] for n in order]
    after = {also[p]: more[p] for p in gallery.fixed(more, also, count)}
    gone = before.keys() - after.keys()
    assert len(gone) <= 1
    assert all(before[name] == "b" for name in gone)


def test_errors_come_surest_first_then_the_doubtful() -> None:
    """Protects the page: the worst at the top."""
    table = predictions(0)
    places = gallery.errors(table, 40)
    shown = table.iloc[places]
    wrong = (shown["label"] != shown["predicted"]).to_numpy()
    count = int(wrong.sum())
    assert count == (table["label"] != table["predicted"]).sum()
    assert wrong[:count].all()
    assert shown["probability"][:count].is_monotonic_decreasing
    assert shown["probability"][count:].is_monotonic_increasing
    assert len(gallery.errors(table, 3)) == 3


@pytest.mark.parametrize("right", [0.0, 0.5, 1.0])
def test_explained_images_are_of_their_kind_and_none_comes_twice(right: float) -> None:
    """Protects a model without errors, and one without a right answer."""
    table = predictions(1, right=right)
    found = gallery.explained(table, 6)
    assert list(found) == ["best", "worst", "doubtful"]
    every = np.concatenate(list(found.values()))
    assert len(set(every)) == len(every)
    hit = table["label"] == table["predicted"]
    assert hit.iloc[found["best"]].all() and not hit.iloc[found["worst"]].any()
    assert len(found["best"]) == (6 if right else 0)
    assert len(found["worst"]) == (6 if right < 1 else 0)
    if right == 1:
        assert table["label"].iloc[found["best"]].nunique() == 3


def test_places_do_not_depend_on_the_index() -> None:
    """A table of test rows keeps the numbers it had among all rows."""
    table = predictions(2)
    moved = table.set_axis(range(500, 560))
    assert (gallery.errors(table, 9) == gallery.errors(moved, 9)).all()


def test_long_names_stay_in_their_place() -> None:
    """Captions of neighbours ran into each other; the probability is never cut."""
    room = gallery.TILE - 3 * gallery.MARGIN
    for name in ("BMW", "Mercedes-Benz", "Aston Martin V8 Vantage Convertible 2012", "W" * 80):
        line = gallery._elided("said ", name, " 0.91", room)
        assert gallery._font().getlength(line) <= room
        assert line.startswith("said ") and line.endswith(" 0.91")
    assert gallery._elided("said ", "Mercedes-Benz", " 0.91", room) == "said Mercedes-Benz 0.91"


def test_the_font_has_the_letters_of_makes() -> None:
    """A box instead of a letter is no name."""
    missing, *letters = [bytes(gallery._font().getmask(letter)) for letter in "\uffffŠëéöüß…"]
    assert len({missing, *letters}) == 1 + len(letters)


def test_a_sheet_has_room_for_all() -> None:
    """Rows of six, of three where heat stands beside; errors have a red frame."""
    plain = gallery.sheet([shot()] * 7)
    assert plain.size == (6 * gallery.TILE, 2 * (gallery.TILE + gallery.CAPTION))
    warm = gallery.sheet([shot(heat=True), shot(predicted="Audi"), shot()])
    assert warm.size == (6 * gallery.TILE, gallery.TILE + gallery.CAPTION)
    wrong = 2 * gallery.TILE + 3
    assert warm.getpixel((wrong, 3)) == (220, 38, 38)
    assert warm.getpixel((3, 3)) == (156, 163, 175)


@pytest.mark.parametrize(("heat", "pictures"), [(False, 1), (True, 2)])
def test_a_sheet_is_no_wider_than_its_pictures(heat: bool, pictures: int) -> None:
    """Protects images that are shown one by one: not a picture and five white places."""
    one = gallery.sheet([shot(heat=heat)])
    assert one.size == (pictures * gallery.TILE, gallery.TILE + gallery.CAPTION)
    assert gallery.sheet([shot()] * 4).width == 4 * gallery.TILE


def test_a_shot_holds_what_was_said() -> None:
    """Protects the report's captions; grey images are shown as well."""
    one = shot(predicted="Audi", heat=True)
    assert one.wrong and one.probability == 0.91
    assert one.image.mode == "RGB" and one.image.size == (100, 40)
    assert one.heat is not None and one.heat.width == 224
