"""Each rule breaks on its own fault and on no other, and the table of them is the documented one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis.extra.numpy as arrays
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frames import manifest, task, usable
from roadworthy.errors import ParamsError
from roadworthy.params import Validation
from roadworthy.quality import drift, shortcut, suite
from roadworthy.quality.rules import Facts, association, rules
from roadworthy.quality.suite import Verdict, judge

PAGE = Path(__file__).parents[2] / "docs/how-to/verdict.md"
Frames = tuple[pd.DataFrame, pd.DataFrame]


def facts(rows: pd.DataFrame, clean: pd.DataFrame, before: Any = None, **settings: Any) -> Facts:
    """As `validate` collects them, with an earlier version of the same kind."""
    now = drift.snapshot(rows, clean)
    # The forests take most of the time, and only a trace in the shape is ever planted.
    blind = shortcut.Shortcut(0, 2, "car", 0.5, 0.5, 0.5, 0.0, 0.0, ())
    found = shortcut.find(clean) if (clean["aspect"] == 1).any() else blind
    return Facts(task(**settings), rows, clean, found, drift.compare(before or now, now))


def _set(column: str, value: object, share: float = 0.3) -> Callable[[Frames], Frames]:
    """Another value in a share of the rows of every class."""

    def plant(frames: Frames) -> Frames:
        rows, _ = frames
        some = np.random.default_rng(1).random(len(rows)) < share
        rows[column] = rows[column].mask(some, value)
        return rows, usable(rows)

    return plant


def _spelled(frames: Frames) -> Frames:
    rows, _ = frames
    rows["label"] = [["BMW", "Audi", "bmw", "AUDI"][n % 4] for n in range(len(rows))]
    return rows, usable(rows)


def _made(frames: Frames) -> Frames:
    rows, _ = frames
    rows["label"] = [["BMW", "Toyta"][n % 2] for n in range(len(rows))]
    return rows, usable(rows)


def _one_class(frames: Frames) -> Frames:
    rows = frames[0][frames[0]["label"] == "car"]
    return rows, usable(rows)


def _kept(share: float) -> Callable[[Frames], Frames]:
    def plant(frames: Frames) -> Frames:
        rows, _ = frames
        rows = rows[(rows["label"] == "car") | (np.arange(len(rows)) < share * len(rows))]
        return rows.reset_index(drop=True), usable(rows)

    return plant


def _torn(frames: Frames) -> Frames:
    rows, clean = frames
    rows["sha256"] = rows["sha256"].mask(rows.index % 10 == 1, rows["sha256"].shift())
    return rows, clean


def _near(frames: Frames) -> Frames:
    rows, clean = frames
    return rows, clean.assign(cluster=pd.array(clean.index // 4, "Int64"))


def _squared(frames: Frames) -> Frames:
    rows, _ = frames
    rows["aspect"] = rows["aspect"].mask(rows["label"] == "car", 1.0)
    return rows, usable(rows)


def _sourced(frames: Frames) -> Frames:
    rows, _ = frames
    rows["source"] = np.where(rows["label"] == "car", "archive", "street")
    return rows, usable(rows)


OPEN = {"label": "{from: [folder]}"}
MAKES = {"label": "{from: [filename, folder]}"}
# A fault for each rule; what else must break with it; settings.
PLANTED: dict[str, tuple[Callable[[Frames], Frames], set[str], dict[str, Any]]] = {
    "readable share": (_set("readable", False), set(), {}),
    "labelled share": (_set("label", pd.NA), set(), {}),
    "known labels": (_spelled, set(), OPEN),
    "known makes": (_made, set(), MAKES),
    "classes": (_one_class, {"images in the smallest class", "imbalance"}, {"max_imbalance": 99}),
    "images in the smallest class": (_kept(0.1), set(), {"max_imbalance": 99}),
    "imbalance": (_kept(0.15), set(), {"max_imbalance": 3, "min_per_class": 1}),
    "exact copies under another label": (_torn, set(), {}),
    "near-duplicates": (_near, set(), {}),
    "shortcut": (_squared, set(), {}),
    "source mix": (_sourced, set(), {}),
    "height": (_set("height", 8.0), set(), {}),
    "width": (_set("width", 8.0), set(), {}),
    "aspect": (_set("aspect", 9.0), set(), {}),
    "usual mode": (_set("mode", "I;16"), set(), {}),
    "not too dark": (_set("brightness", 0.01), set(), {}),
    "not too bright": (_set("brightness", 0.99), set(), {}),
    "not blurry": (_set("sharpness", 0.0), set(), {}),
    "not flat": (_set("contrast", 0.0), set(), {}),
}


@pytest.fixture(autouse=True)
def no_docs(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are half of the time, and looked at elsewhere."""
    monkeypatch.setattr(suite, "_write_docs", lambda context, docs: None)


def broken(verdict: Verdict) -> set[str]:
    return {f.name for f in (*verdict.findings, *verdict.changes) if not f.passed}


@pytest.mark.parametrize("name", PLANTED)
def test_a_fault_breaks_its_rule_and_no_other(name: str, tmp_path: Path) -> None:
    """A rule that never breaks protects nobody; one that breaks for another's fault misleads."""
    plant, also, settings = PLANTED[name]
    rows = manifest()
    rows, clean = plant((rows, usable(rows)))
    found = broken(judge(facts(rows, clean, **settings), tmp_path))
    assert found - also == {name}


MOVED: dict[str, Callable[[Frames], Frames]] = {
    "drift of labels": _kept(0.3),
    "drift of sources": _set("source", "elsewhere", 0.5),
    "drift of brightness": _set("brightness", 0.9),
    "drift of contrast": _set("contrast", 0.5),
    "drift of sharpness": _set("sharpness", 0.2),
    "drift of aspect": _set("aspect", 3.0),
    "drift of width": _set("width", 2000.0),
    "drift of classes": _set("label", "van", 0.15),
}


@pytest.mark.parametrize("name", MOVED)
def test_a_change_breaks_its_rule_over_time(name: str, tmp_path: Path) -> None:
    """Each is good on its own; only beside the earlier version does it show."""
    first = manifest()
    before = drift.snapshot(first, usable(first))
    rows, clean = MOVED[name]((first, usable(first)))
    verdict = judge(facts(rows, clean, before, label="{from: [folder]}"), tmp_path)
    assert broken(verdict) == {name}
    assert verdict.passed


def test_every_rule_has_its_fault() -> None:
    """A new rule is not done without one."""
    assert {*PLANTED, *MOVED} == {rule.name for rule in rules(Validation())}


def test_every_rule_is_documented_with_its_level_and_setting() -> None:
    """What stops the road must be there to be read."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    for rule in rules(Validation()):
        (line,) = [text for text in lines if text.startswith(f"| {rule.name} |")]
        assert f"| {rule.level} |" in line
        assert f"`{rule.setting}`" in line or not rule.setting


def test_levels_are_set_by_name(tmp_path: Path) -> None:
    """A team decides what stops its road."""
    rows = manifest()
    rows, clean = _squared((rows, usable(rows)))
    strict = judge(facts(rows, clean, levels={"shortcut": "error"}), tmp_path)
    assert not strict.passed
    off = judge(facts(rows, clean, levels={"shortcut": "off"}), tmp_path)
    assert off.off == ("shortcut",)
    assert "shortcut" not in {f.name for f in off.findings}


def test_an_unknown_rule_stops_with_the_nearest_names() -> None:
    """A mistyped name would leave the old level in force without a word."""
    with pytest.raises(ParamsError, match="'shortcutt'; did you mean shortcut"):
        rules(Validation(levels={"shortcutt": "error"}))


def test_dropped_classes_are_not_missed() -> None:
    """With `drop`, what is left is judged; with `refuse`, an empty class of a closed list counts."""
    rows = manifest(labels=("car",))
    for choice, least in (("drop", 200), ("refuse", 0)):
        known = Facts(task(small_classes=choice), rows, usable(rows), shortcut.find(usable(rows)))
        (rule,) = [r for r in rules(known.plan.validation) if r.name.startswith("images in")]
        assert callable(rule.measure)
        assert rule.measure(known).value == least


COUNTS = arrays.arrays(
    np.int64, st.tuples(st.integers(2, 5), st.integers(2, 5)), elements=st.integers(0, 60)
)


@given(COUNTS)
def test_association_is_a_share_and_knows_no_names(counts: np.ndarray) -> None:
    """Cramer's V: within 0 and 1, the same whichever way the table is turned or ordered."""
    value = association(counts.astype(float))
    assert 0 <= value <= 1
    assert association(counts.T.astype(float)) == pytest.approx(value, abs=1e-6)
    assert association(counts[::-1].astype(float)) == pytest.approx(value, abs=1e-6)


@given(st.integers(2, 6), st.integers(5, 100))
def test_association_of_what_tells_all_and_nothing(kinds: int, each: int) -> None:
    """1 where the source is the label, 0 where it says nothing."""
    assert association(np.eye(kinds) * each) == pytest.approx(1)
    assert association(np.full((kinds, kinds), float(each))) == 0
