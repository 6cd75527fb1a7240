"""Great Expectations really judges, and its answers become a plain verdict."""

import json
from pathlib import Path

import pandas as pd
import pytest

from frames import manifest, task, usable
from roadworthy.quality import drift, shortcut
from roadworthy.quality.rules import Facts, rules
from roadworthy.quality.suite import judge


def facts(rows: pd.DataFrame, clean: pd.DataFrame, **settings: object) -> Facts:
    return Facts(task(**settings), rows, clean, shortcut.find(clean))


def test_good_images_pass_and_the_docs_are_written(tmp_path: Path) -> None:
    """Its pages are there, so it ran; every rule is answered once, in the order of the table."""
    rows = manifest()
    known = facts(rows, usable(rows))
    verdict = judge(known, tmp_path)
    assert verdict.passed, verdict.broken("error")
    assert not verdict.broken("warn")
    assert (tmp_path / "index.html").is_file()
    asked = [rule.name for rule in rules(known.plan.validation) if not rule.over_time]
    assert [finding.name for finding in verdict.findings] == asked
    assert verdict.changes == ()


def test_what_is_tracked_does_not_know_the_earlier_version(tmp_path: Path) -> None:
    """DVC hashes the JSON; a drift that stops the road stops it, and the JSON says the same as ever."""
    rows = manifest()
    clean = usable(rows)
    alone = facts(rows, clean, levels={"drift of width": "error"})
    other = rows.assign(width=100.0)
    moved = drift.compare(drift.snapshot(other, usable(other)), drift.snapshot(rows, clean))
    first, later = (
        judge(alone, tmp_path / "a"),
        judge(Facts(alone.plan, rows, clean, alone.shortcut, moved), tmp_path / "b"),
    )
    assert (first.passed, later.passed) == (True, False)
    assert [finding.name for finding in later.broken("error")] == ["drift of width"]
    assert json.dumps(first.as_dict()) == json.dumps(later.as_dict())


@pytest.mark.parametrize("column", ["readable", "label"])
def test_nothing_usable_is_a_verdict_too(column: str, tmp_path: Path) -> None:
    """A wrong folder must be answered with what is wrong in it, and no stack trace."""
    rows = manifest(30)
    rows[column] = False if column == "readable" else pd.NA
    verdict = judge(facts(rows, usable(rows)), tmp_path)
    assert not verdict.passed
    assert verdict.usable == 0
    assert {"classes", "images in the smallest class"} <= {f.name for f in verdict.broken("error")}


def test_a_share_of_odd_images_is_let_pass(tmp_path: Path) -> None:
    """One dark image in a hundred is life, and is counted."""
    rows = manifest(100)
    rows.loc[0, "brightness"] = 0.0
    verdict = judge(facts(rows, usable(rows)), tmp_path)
    (dark,) = [f for f in verdict.findings if f.name == "not too dark"]
    assert dark.passed
    assert dark.observed == "1 of 100 outside"
    assert dark.wanted == "at least 0.06 in 90% of images"


def test_the_json_holds_the_alarm_by_name(tmp_path: Path) -> None:
    """A program that reads the verdict learns which feature gives the label away."""
    rows = manifest()
    rows["aspect"] = rows["aspect"].mask(rows["label"] == "car", 1.0)
    values = judge(facts(rows, usable(rows)), tmp_path).as_dict()
    assert values["alarm"] and values["passed"]
    assert values["shortcut"]["features"][0]["feature"] == "aspect"
