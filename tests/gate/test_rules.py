"""Every rule of the gate, with a challenger built to fail just that rule."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from roadworthy.bundle.format import Lineage
from roadworthy.errors import ParamsError
from roadworthy.evaluation.answers import Answers
from roadworthy.gate import rules
from roadworthy.gate.evidence import Evidence, Side, figures
from roadworthy.params import Promote
from scenes_made import detections

ROWS = 400
TARGETS = np.arange(ROWS) % 2
# The images that are dark: the same share of both classes.
DARK = np.arange(ROWS) % 8 < 2
LINEAGE = Lineage(
    git_commit="c0ffee", git_dirty=False, data_version="d.dir", params_hash="p", run_id="r"
)
SETTINGS: dict[str, Any] = {
    "bootstrap": 300,
    "floors": {"accuracy": 0.8, "ece": 0.1},
    "class_drop": 0.05,
    "slice_drop": 0.05,
    "max_ece": 0.1,
    "max_latency_ms": 50.0,
    "max_megabytes": 100.0,
}


# What a search finds in whole scenes, and one that finds less.
FOUND, LESS = detections(36, hit=0.9), detections(36, hit=0.6)


def answers(wrong: np.ndarray, sure: float = 0.95) -> Answers:
    """Answers of a binary model that is wrong where `wrong` says."""
    predicted = np.where(wrong, 1 - TARGETS, TARGETS)
    probabilities = np.full((ROWS, 2), 1 - sure)
    probabilities[np.arange(ROWS), predicted] = sure
    return Answers(TARGETS, predicted, probabilities, np.arange(ROWS))


def shaken(accuracy: float) -> pd.DataFrame:
    rows = [("none", 0, 1.0, 1.0, 1.0), ("blur", 1, accuracy, accuracy, accuracy)]
    return pd.DataFrame(rows, columns=["change", "strength", "accuracy", "low", "high"])


def side(name: str, given: Answers, **changes: Any) -> Side:
    values: dict[str, Any] = {
        "name": name,
        "answers": given,
        "figures": figures(given),
        "stress": shaken(0.8),
        "latency_ms": 10.0,
        "megabytes": 90.0,
        "trained_on": np.zeros(ROWS, bool),
        "detections": FOUND,
    }
    return Side(**{**values, **changes})


def every(step: int) -> np.ndarray:
    """Wrong in one of `step` images, in both classes and in the dark as elsewhere."""
    wrong = np.zeros(ROWS, bool)
    wrong[np.flatnonzero(TARGETS == 0)[::step]] = True
    wrong[np.flatnonzero(TARGETS == 1)[::step]] = True
    return wrong


CHAMPION = side("car/1", answers(every(9)))
GOOD = side("car/2", answers(every(25)))


def evidence(challenger: Side = GOOD, champion: Side | None = CHAMPION, **changes: Any) -> Evidence:
    values: dict[str, Any] = {
        "labels": ("other", "car"),
        "rows": pd.DataFrame({"sha256": [f"{n:064x}" for n in range(ROWS)]}),
        "challenger": challenger,
        "champion": champion,
        "parts": {"brightness low": np.flatnonzero(DARK), "brightness high": np.flatnonzero(~DARK)},
        "verdict": "passed",
        "lineage": LINEAGE,
        "uncommitted": [],
        "scenes": len(FOUND),
    }
    return Evidence(**{**values, **changes})


def failed(given: Evidence, **settings: Any) -> list[str]:
    rulings = rules.judge(given, Promote.model_validate({**SETTINGS, **settings}))
    return [ruling.rule for ruling in rulings if not ruling.passed]


def challenger(**changes: Any) -> Evidence:
    return evidence(replace(GOOD, **changes))


def one_image_better() -> Evidence:
    wrong = ~CHAMPION.answers.correct
    wrong[np.flatnonzero(wrong)[0]] = False
    return evidence(side("car/2", answers(wrong)))


def worse_on_one_class() -> Evidence:
    """Perfect on the class where the champion is weak; on the other it loses 11 of 200."""
    weak = np.flatnonzero(TARGETS == 0)[::3]
    strong = np.flatnonzero(TARGETS == 1)[::8][:11]
    champion = side("car/1", answers(np.isin(np.arange(ROWS), weak)))
    return evidence(side("car/2", answers(np.isin(np.arange(ROWS), strong))), champion)


def worse_in_the_dark() -> Evidence:
    """Better in all, and in both classes, but not in the dark."""
    wrong = ~CHAMPION.answers.correct & DARK
    more = np.flatnonzero(DARK & ~wrong)[:8]
    wrong[more] = True
    return evidence(side("car/2", answers(wrong)))


def overconfident() -> Evidence:
    given = answers(every(25), sure=0.6)
    return challenger(answers=given, figures=figures(given))


def leaked(who: str) -> Evidence:
    seen = np.zeros(ROWS, bool)
    seen[3] = True
    if who == "challenger":
        return challenger(trained_on=seen)
    return evidence(champion=replace(CHAMPION, trained_on=seen))


SPOILT: dict[str, tuple[str, Callable[[], Evidence]]] = {
    "a tie": ("better", lambda: evidence(replace(CHAMPION, name="car/2"))),
    "a difference that may be luck": ("better", one_image_better),
    "a class that got worse": ("classes", worse_on_one_class),
    "a slice that got worse": ("slices", worse_in_the_dark),
    "probabilities that cannot be believed": ("calibration", overconfident),
    "bad weather": ("robustness", lambda: challenger(stress=shaken(0.7))),
    "no figure of bad weather": ("robustness", lambda: challenger(stress=shaken(float("nan")))),
    "fewer cars found in scenes": ("scenes", lambda: challenger(detections=LESS)),
    "no search": ("scenes", lambda: challenger(detections=None)),
    "slow": ("latency", lambda: challenger(latency_ms=51.0, name="car/2")),
    "slower than the champion": ("latency", lambda: challenger(latency_ms=16.0)),
    "no latency": ("latency", lambda: challenger(latency_ms=float("nan"))),
    "large": ("size", lambda: challenger(megabytes=101.0)),
    "data that failed": ("data", lambda: evidence(verdict="failed")),
    "data that nobody judged": ("data", lambda: evidence(verdict=None)),
    "a test image it was trained on": ("unseen", lambda: leaked("challenger")),
    "a test image the champion was trained on": ("unseen", lambda: leaked("champion")),
    "no record of what it was trained on": ("unseen", lambda: challenger(trained_on=None)),
    "no lineage": ("lineage", lambda: evidence(lineage=None)),
    "no commit": (
        "lineage",
        lambda: evidence(lineage=LINEAGE.model_copy(update={"git_commit": None})),
    ),
    "trained on changed code": (
        "lineage",
        lambda: evidence(lineage=LINEAGE.model_copy(update={"git_dirty": True})),
    ),
    "judged by changed rules": ("lineage", lambda: evidence(uncommitted=["params.yaml"])),
    "judged outside of git": ("lineage", lambda: evidence(uncommitted=None)),
    "rolled back before": ("withdrawn", lambda: evidence(withdrawn="it saw cars in every cloud")),
}


def test_a_good_challenger_passes_every_rule() -> None:
    """Protects the others: they fail their rule, and not because nothing could pass."""
    assert failed(evidence()) == []


@pytest.mark.parametrize("what", SPOILT)
def test_a_challenger_fails_just_the_rule_it_breaks(what: str) -> None:
    """Protects each rule, and the reader from being told the wrong reason."""
    name, spoilt = SPOILT[what]
    assert failed(spoilt()) == [name]


def test_every_rule_has_a_challenger_that_fails_it() -> None:
    """Protects a rule that is added later from never having been seen to refuse."""
    assert {name for name, _ in SPOILT.values()} | {"floors"} == set(rules.RULES)


@pytest.mark.parametrize(
    ("floors", "rule"),
    [
        ({"accuracy": 0.99}, ["floors"]),
        ({"log_loss": 0.01}, ["floors"]),
        ({"accuracy": 0.9, "log_loss": 1.0}, []),
    ],
)
def test_a_first_champion_meets_absolute_floors(floors: dict[str, float], rule: list[str]) -> None:
    """Protects the road from a first model that merely exists; log loss is better when it is low."""
    assert failed(evidence(champion=None), floors=floors) == rule


def test_a_first_champion_is_asked_all_that_can_be_asked() -> None:
    """Protects the first promotion from being the easy one."""
    rulings = rules.judge(evidence(champion=None), Promote.model_validate(SETTINGS))
    asked = {ruling.rule for ruling in rulings}
    assert asked == set(rules.RULES) - {"better", "classes", "slices", "withdrawn"}
    assert failed(evidence(replace(GOOD, stress=shaken(0.2)), None)) == ["robustness"]


def test_a_missing_figure_fails_and_says_so() -> None:
    """Protects against a floor that is passed because nothing was measured."""
    bare = replace(GOOD, figures={}, trained_on=None, stress=shaken(math.nan), latency_ms=math.nan)
    given = evidence(bare, None, verdict=None)
    rulings = rules.judge(given, Promote.model_validate(SETTINGS))
    missing = [ruling.rule for ruling in rulings if ruling.missing]
    assert missing == ["floors", "calibration", "robustness", "latency", "data", "unseen"]
    assert not any(ruling.passed for ruling in rulings if ruling.missing)


def test_what_is_not_judged_is_shown() -> None:
    """Protects the reader from taking a rule that was not asked for one that was passed in silence."""
    given = evidence(replace(GOOD, stress=pd.DataFrame()), parts={})
    shown = {r.rule: r.figure for r in rules.judge(given, Promote.model_validate(SETTINGS))}
    assert (shown["robustness"], shown["slices"]) == ("not measured", "not judged")


def test_the_margin_must_be_exceeded_by_the_lower_end() -> None:
    """Protects `promote.margin`: the observed difference is not enough."""
    assert failed(evidence(), margin=0.0) == []
    assert failed(evidence(), margin=0.06) == ["better"]


def test_a_class_or_a_slice_may_have_its_own_limit() -> None:
    """Protects `promote.drops`: some losses are dearer than others."""
    assert failed(worse_in_the_dark(), drops={"brightness low": 0.5}) == []
    assert failed(evidence(), drops={"car": 0.0}) == []


@pytest.mark.parametrize(
    "settings",
    [
        {"floors": {"acuracy": 0.5}},
        {"metric": "speed"},
        {"metric": "ece_before"},
        {"drops": {"polcie": 0.0}},
    ],
)
def test_a_figure_that_does_not_exist_stops(settings: dict[str, Any]) -> None:
    """Protects against a misspelt floor, which would otherwise never be checked."""
    with pytest.raises(
        ParamsError, match=r"promote\.\w+ names (acuracy|speed|ece_before|polcie); known are"
    ):
        failed(evidence(), **settings)


@pytest.mark.parametrize("metric", ["accuracy", "macro_f1", "log_loss", "roc_auc"])
def test_any_figure_can_be_the_one_that_counts(metric: str) -> None:
    """Protects `promote.metric`, also where lower is better."""
    assert failed(evidence(), metric=metric) == []
    assert "better" in failed(evidence(CHAMPION, GOOD), metric=metric)


def test_small_parts_are_not_judged() -> None:
    """Protects a challenger from a slice of three images."""
    few = {"weather hail": np.flatnonzero(GOOD.answers.correct == False)[:3]}  # noqa: E712
    assert failed(evidence(parts=few)) == []
