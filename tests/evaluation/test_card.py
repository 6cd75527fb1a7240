"""The model card has its sections, true figures, and no way for a label to break it."""

import re
from dataclasses import replace

import pytest

from findings_made import made
from roadworthy.evaluation.card import limits, write_card
from roadworthy.evaluation.findings import Fitted
from scenes_made import scenes

SECTIONS = (
    "Model details",
    "Intended use",
    "Data",
    "Figures",
    "Figures by class",
    "Figures by slice",
    "Calibration and thresholds",
    "Robustness and behaviour",
    "Speed and size",
    "Limits",
    "Training cost",
    "Lineage",
)


@pytest.mark.parametrize("classes", [2, 13, 120])
def test_the_structure_is_the_common_one(classes: int) -> None:
    """Whoever knows one card finds the same things in this one."""
    card = write_card(made(classes, images=600))
    assert tuple(re.findall(r"^## (.*)$", card, re.M)) == SECTIONS
    assert "nan" not in card and len(card.splitlines()) < 200


def test_every_figure_has_its_interval_and_validation() -> None:
    """The numbers are the findings' own."""
    found = made(13)
    card = write_card(found)
    for name, one in found.figures.items():
        row = f"{one.value:.3f} | {one.low:.3f} to {one.high:.3f} | {found.validation[name].value:.3f}"
        assert row in card
    worst = found.slices.iloc[0]
    assert f"| {worst['slice']} | {worst['images']} | {100 * worst['accuracy']:.1f}% |" in card


def test_the_cuts_are_whole_and_the_baseline_is_named() -> None:
    """A cut of 0.9996 is not "100.0%", one of 0.9962 not 0.996; what the baseline sees is said alike."""
    found = made(2, fitted=Fitted(1.3, 0.9962, 0.9996))
    card = write_card(found)
    assert "threshold 0.9962 for police" in card and "below a probability of 0.9996 are" in card
    assert "whatever the threshold" in card and "whatever" not in write_card(made(13))
    assert card.count("size, format and colours alone") == 2


def test_limits_come_from_what_was_found() -> None:
    """Which changes hurt, which checks failed; and what holds for every classifier."""
    said = " ".join(limits(made(2)))
    assert "occlusion" in said and "'blank' failed" in said and "for any image" in said


def test_what_was_not_measured_is_said() -> None:
    """No figure is better than a made-up one."""
    found = made(13)
    bare = replace(
        found,
        speed=None,
        spent=None,
        **{name: getattr(found, name).head(0) for name in ("stress", "behaviour", "slices")},
    )
    card = write_card(bare)
    for words in (
        "Not in this copy",
        "was not measured",
        "was not checked",
        "No slice",
    ):
        assert words in card


def test_a_hostile_label_stays_text() -> None:
    """Labels are folder names of anybody's collection."""
    label = "a|b](x)<script>\n## Limits"
    found = made(2)
    card = write_card(replace(found, labels=("other", label), task="<b>"))
    assert "<script" not in card and "<b>" not in card
    assert len(re.findall("^## Limits", card, re.M)) == 1
    assert r"a\|b\](x)" in card


def test_scenes_have_their_part_where_they_were_searched() -> None:
    """The figures with their intervals, before speed; a task that searches nothing has no such part."""
    seen = scenes(24)
    card = write_card(made(2, scenes=seen))
    found = re.findall(r"^## (.*)$", card, re.M)
    assert found == [*SECTIONS[:8], "Scenes", *SECTIONS[8:]] and "nan" not in card
    for one in seen.figures.values():
        assert f"| {one.value:.3f} | {one.low:.3f} to {one.high:.3f} |" in card
