"""The sentences say what the findings say, and no more."""

from dataclasses import replace

import pytest

from findings_made import made
from roadworthy.evaluation.bootstrap import Estimate
from roadworthy.evaluation.findings import Findings
from roadworthy.evaluation.report import words
from scenes_made import scenes


@pytest.fixture
def clean() -> Findings:
    """A model that nothing speaks against."""
    found = made(2)
    return replace(
        found,
        behaviour=found.behaviour.assign(passed=True),
        slices=found.slices.assign(weak=False),
        stress=found.stress.assign(accuracy=0.9),
    )


def test_nothing_speaks_against_a_clean_model(clean: Findings) -> None:
    """A report that always warns is not read."""
    assert words.concerns(clean) == []
    assert "nothing" in words.verdict(clean)


def test_a_model_no_better_than_its_shortcut_is_a_grave_matter(clean: Findings) -> None:
    """The interval must lie above what size and colour give."""
    low = clean.figures["accuracy"].low
    (one,) = words.concerns(replace(clean, baseline=low))
    assert one.grave and "size" in one.words


def test_each_finding_has_its_concern(clean: Findings) -> None:
    """A failed check, a weak slice, a lost class, a wrong confidence, a change that hurts."""
    bad = made(2).behaviour.assign(passed=False).head(1)
    figures = clean.figures | {"ece": Estimate(0.2, 0.1, 0.3)}
    changes = {
        "Behaviour": {"behaviour": bad},
        "Slices": {"slices": clean.slices.assign(weak=[True] + [False] * (len(clean.slices) - 1))},
        "Per class": {"classes": clean.classes.assign(recall=[0.2, 0.9])},
        "Calibration": {"figures": figures},
        "Robustness": {"stress": clean.stress.assign(accuracy=[0.9] + [0.3] * 18)},
    }
    for section, change in changes.items():
        (one,) = words.concerns(replace(clean, **change))  # type: ignore[arg-type]
        assert one.section == section
        assert one.grave == (section == "Behaviour")


def test_the_headline_has_figure_interval_and_baseline() -> None:
    """A figure without its interval is no answer."""
    found = made(13, figures={"accuracy": Estimate(0.8741, 0.8391, 0.9041)})
    said = words.headline(found)
    assert "87.4% of 300 images" in said
    assert "83.9 to 90.4%, 95% interval" in said and "6.6%" in said


def test_the_band_is_where_no_answer_is_sure() -> None:
    """Around the threshold, not always around one half."""
    low, high = words.band(made(2))
    assert (low, high) == pytest.approx((0.4, 0.6))
    fitted = replace(made(2).fitted, threshold=0.2)
    assert words.band(made(2, fitted=fitted)) == pytest.approx((0.2, 0.6))


def test_the_change_that_costs_most_comes_first() -> None:
    """At its greatest strength, against the images as they are."""
    table = words.drops(made(13))
    assert table["change"][0] == "occlusion" and set(table["strength"]) == {3}
    assert table["loss"].is_monotonic_decreasing
    assert words.drops(made(13, stress=made(13).stress.head(0))).empty


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.43, "0.430"),
        (0.9962, "0.9962"),
        (0.00001, "0.00001"),
        (1 - 0.9962, "0.0038"),
        (1, "1.000"),
    ],
)
def test_a_cut_is_written_with_all_its_digits(value: float, said: str) -> None:
    """At 0.996 a sure model may say something else than at 0.9962."""
    assert words.cut(value) == said


def test_what_is_held_back_is_the_row_of_the_cut() -> None:
    """Exact, not that of the next confidence."""
    found = made(13)
    share = found.confidences.set_index("confidence").loc[0.6, "coverage"]
    assert 0 < share < 1
    assert words.held_back_in_words(found).startswith(f"{100 * (1 - share):.1f}% of the answers")


def test_a_cut_that_holds_everything_back_says_so() -> None:
    """There is no accuracy of no answers."""
    found = made(2)
    none = found.confidences.assign(coverage=0.0, accuracy=float("nan"))
    assert words.held_back_in_words(replace(found, confidences=none)) == "all answers are held back"


def test_a_search_that_fails_in_scenes_is_a_concern(clean: Findings) -> None:
    """Little area is grave, many false alarms and a size that is missed are not; a good one is none."""
    assert words.concerns(replace(clean, scenes=scenes(40, hit=1.0, alarms=0.1))) == []
    blind = words.concerns(replace(clean, scenes=scenes(40, hit=0.2, alarms=12.0)))
    assert [one.grave for one in blind] == [True, False, False]
    assert {one.section for one in blind} == {"Scenes"}
    assert "cars that are none" in blind[1].words and "small (" in blind[2].words
    (empty,) = words.concerns(replace(clean, scenes=scenes(1, alarms=0.0)))
    assert not empty.grave and "is not known" in empty.words
