"""Replay: what a list of decisions says about who is champion, and where a rollback goes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadworthy.tracking.history import Decision, Verdict
from roadworthy.tracking.replay import State, replay


def said(verdict: Verdict, old: int | None, new: int | None) -> Decision:
    when = "2026-11-21T07:12:00.000+00:00"
    return Decision("car", verdict, f"{verdict} {old} {new}", old, new, when, "ada")


def promoted(*numbers: int) -> list[Decision]:
    before = (None, *numbers[:-1])
    return [said("promoted", old, new) for old, new in zip(before, numbers, strict=True)]


def test_rolling_back_twice_goes_two_back() -> None:
    """Protects `rollback` from going to and fro between the last two champions."""
    state = replay(promoted(1, 2, 3))
    assert (state.champion, state.previous()) == (3, 2)
    state = state.after(said("rolled_back", 3, 2))
    assert (state.champion, state.previous()) == (2, 1)
    state = state.after(said("rolled_back", 2, 1))
    assert (state.champion, state.previous()) == (1, None)
    assert state.withdrawn == {3: "rolled_back 3 2", 2: "rolled_back 2 1"}


@pytest.mark.parametrize(
    ("to", "stack"),
    [(1, (1,)), (2, (1, 2)), (7, (1, 2, 3, 7))],
    ids=["the first", "in between", "never champion"],
)
def test_a_rollback_to_any_version(to: int, stack: tuple[int, ...]) -> None:
    """Protects `rollback --to`: what was above it is gone, what was below it stays."""
    state = replay([*promoted(1, 2, 3, 4), said("rolled_back", 4, to)])
    assert state.stack == stack
    assert set(state.withdrawn) == {4}


def test_what_is_promoted_again_is_no_longer_withdrawn() -> None:
    """Protects a forced return: the rule of the gate that refuses it looks at this."""
    state = replay([*promoted(1, 2), said("rolled_back", 2, 1), said("forced", 1, 2)])
    assert state == State((1, 2))


def test_versions_that_are_gone_are_passed_over() -> None:
    """Protects `previous` after pruning: it is what a rollback would really give."""
    state = replay(promoted(1, 2, 3, 4))
    assert state.previous({1, 4}) == 1
    assert state.previous({4}) is None


def test_an_alias_moved_by_hand_is_taken_in() -> None:
    """Protects the replay of a registry in which somebody moved the champion in MLflow."""
    state = replay(promoted(1, 2))
    assert state.at(7).stack == (1, 2, 7)
    assert state.at(None) == state.at(2) == state
    assert state.after(said("promoted", 7, 8)).stack == (1, 2, 7, 8)
    assert state.after(said("rolled_back", 7, 2)).stack == (1, 2)


def test_other_decisions_move_nothing() -> None:
    """Protects the state from lines that are only for the record."""
    others = [said("refused", 1, 2), said("failed", 1, None), said("unchanged", 1, 1)]
    assert replay([*promoted(1), *others]) == State((1,))


@given(st.lists(st.tuples(st.sampled_from(["promoted", "rolled_back"]), st.integers(1, 5))))
def test_the_champion_is_always_the_last_target(steps: list[tuple[Verdict, int]]) -> None:
    """Protects the one thing that must never be wrong, and a rollback that would change nothing."""
    state = State()
    for verdict, target in steps:
        if target != state.champion:
            state = state.after(said(verdict, state.champion, target))
            assert state.champion == target
            assert state.previous() != target
            assert target not in state.withdrawn
