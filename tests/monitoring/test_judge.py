"""The judgement of a window: one rate of false alarms for all its tests together."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring_worlds import live, reference
from roadworthy.monitoring.judge import holm, judge
from roadworthy.monitoring.reference import STATISTICS, Reference
from roadworthy.params import Monitor

PS = st.lists(st.none() | st.floats(0, 1), max_size=12)


@given(ps=PS, level=st.floats(0.001, 0.2))
def test_holm_alarms_where_the_books_say(ps: list[float | None], level: float) -> None:
    """Adjusted p-values of Holm (1979) up to the level, and no others; p alone decides, in order."""
    limits = holm(ps, level)
    made = sorted(p for p in ps if p is not None)
    worst, alarms = 0.0, 0
    for done, p in enumerate(made):
        worst = max(worst, p * (len(made) - done))
        alarms += worst <= level * (1 + 1e-12)
    found = [p for p, limit in zip(ps, limits, strict=True) if p is not None and p <= limit]
    assert abs(len(found) - alarms) == 0 or any(
        abs(p * (len(made) - n) - level) < 1e-9 for n, p in enumerate(made)
    )
    assert all(level / max(1, len(made)) <= limit <= level for limit in limits)


def test_alike_is_no_drift_and_says_so() -> None:
    """The usual day."""
    found = judge(reference(), live(), Monitor(), 0.9)
    assert found.enough and not found.drifted
    assert "like those of validation" in found.reason
    names = [test.name for test in found.tests]
    assert names == ["embedding", "answers", "confidence", *STATISTICS, "refused", "accuracy"]


def test_the_same_window_is_judged_the_same() -> None:
    """A judgement that changes with the hour cannot be discussed."""
    assert judge(reference(), live(), Monitor(), None, 3) == judge(
        reference(), live(), Monitor(), None, 3
    )


def test_the_reason_names_what_is_worst() -> None:
    """What a person reads first."""
    dark = {name: 0.5 * values for name, values in live().statistics.items()}
    found = judge(reference(), live(statistics=dark), Monitor(), None)
    assert found.drifted
    assert found.reason.startswith("Drifted: ") and "more" in found.reason
    assert {test.name for test in found.tests if test.alarm} == set(STATISTICS)


def test_too_few_images_say_nothing_of_images_but_refusals_count() -> None:
    """When everything is refused, no image comes that could look drifted."""
    window = live(30, requests=500, refused=470)
    found = judge(reference(), window, Monitor(), None)
    assert found.drifted and not found.enough
    assert [test.name for test in found.tests] == ["refused", "accuracy"]
    assert "94.0% of 500 images were refused" in found.reason
    assert "30 different images" in found.reason
    quiet = judge(reference(), live(30), Monitor(), None)
    assert not quiet.drifted and not quiet.enough


def test_an_older_bundle_is_watched_by_what_it_has() -> None:
    """Protects champions from before `reference.npz`; what is not tested is said."""
    wrong = np.zeros(60, bool)
    found = judge(Reference(), live(right=wrong), Monitor(), 0.9)
    assert found.drifted and not found.enough
    assert "export it again" in found.reason
    few = judge(reference(10), live(), Monitor(), None)
    assert not few.enough and "10 images to compare with" in few.reason


@pytest.mark.parametrize("alarms", [0.001, 0.2])
def test_a_clear_change_is_found_at_every_rate_of_false_alarms(alarms: float) -> None:
    """There must be permutations enough for p to come below the smallest limit."""
    known = reference()
    assert known.embeddings is not None
    window = live(embeddings=known.embeddings.astype(np.float32) + 3)
    found = judge(known, window, Monitor(false_alarms=alarms), None)
    assert [test.name for test in found.tests if test.alarm] == ["embedding"]
