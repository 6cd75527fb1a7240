"""What should happen next: nothing twice, nothing that cannot help."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from roadworthy.monitoring.evidence import Judgement, Test
from roadworthy.monitoring.outcome import decide
from roadworthy.monitoring.state import Started

NOW = datetime(2026, 11, 3, 12, tzinfo=UTC)


def judgement(*alarms: str, enough: bool = True) -> Judgement:
    tests = tuple(Test(name, 0.001, 0.002, 0.5, True, f"{name} differs") for name in alarms)
    return Judgement(tests, bool(tests), enough, "Reason.")


def what(found: Judgement, labels: int = 0, *begun: tuple[str, float], **changes: Any) -> str:
    """What is wanted, after things that were started so many hours ago."""
    started = [Started(until=NOW - timedelta(hours=hours), what=one) for one, hours in begun]
    values = {"least_new": 20, "cooldown_hours": 24.0, **changes}
    return decide(found, labels, started=started, until=NOW, **values)[0]


@pytest.mark.parametrize(
    ("alarms", "labels", "wanted"),
    [
        ((), 100, "nothing"),
        (("embedding",), 20, "retrain"),
        (("embedding",), 19, "labels"),
        (("accuracy",), 0, "labels"),
        (("refused",), 100, "nothing"),
        (("refused", "brightness"), 100, "retrain"),
    ],
)
def test_drift_wants_training_only_where_there_is_something_to_learn(
    alarms: tuple[str, ...], labels: int, wanted: str
) -> None:
    """Without labels, people are asked; what is refused is seen by no training."""
    assert what(judgement(*alarms), labels) == wanted


def test_nothing_is_started_again_within_the_cooldown() -> None:
    """Not by the hour, as long as the same drift lasts; afterwards it is."""
    found = judgement("embedding")
    assert what(found, 50, ("retrain", 23.9)) == "nothing"
    assert what(found, 50, ("retrain", 24.0)) == "retrain"
    assert what(found, 0, ("labels", 1)) == "nothing"
    assert what(found, 0, ("retrain", 1)) == "nothing"
    assert what(found, 50, ("retrain", 1), cooldown_hours=0) == "retrain"


def test_labels_that_came_are_used_at_once() -> None:
    """That they were asked for yesterday does not keep training from starting."""
    assert what(judgement("embedding"), 50, ("labels", 1)) == "retrain"


def test_a_judgement_that_is_made_again_says_the_same() -> None:
    """What was started for this very moment, or later, is no reason against it."""
    assert what(judgement("embedding"), 50, ("retrain", 0), ("retrain", -5)) == "retrain"


def test_the_advice_is_for_people() -> None:
    """It says what was done, when, and when it may be again."""
    begun = [Started(until=NOW - timedelta(hours=1), what="retrain")]
    advice = decide(judgement("red"), 50, 20, begun, NOW, 24.0)[1]
    assert advice == "Training was started 2026-11-03 11:00; not again before 2026-11-04 11:00."
    assert "3 labelled" in decide(judgement("red"), 3, 20, [], NOW, 24.0)[1]
    assert "Wait" in decide(judgement(enough=False), 0, 20, [], NOW, 24.0)[1]
