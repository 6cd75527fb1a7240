"""The hand-over: one champion at every moment, as a whole or not at all, and a way back."""

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cheap_versions import bundle_of, cheap_version
from roadworthy.errors import BundleError, OvertakenError, TrackingError
from roadworthy.tracking import handover, history, registry, store
from roadworthy.tracking.handover import hand_over, recover, roll_back, withdrawn
from roadworthy.tracking.history import Decision, Verdict
from roadworthy.tracking.registry import Version


def decided(old: Version | None, new: Version, verdict: Verdict = "promoted") -> Decision:
    return Decision(
        task="car",
        decision=verdict,
        reason="Better.",
        from_version=old.number if old else None,
        to_version=new.number,
        when="2026-11-21T07:12:00.000+00:00",
        who="ada",
        forced="we need it" if verdict == "forced" else None,
    )


def promoted(content: str) -> Version:
    """A new version that takes over from whoever is champion."""
    new, old = cheap_version(content), registry.champion("car")
    registry.move("car", "challenger", new)
    hand_over(decided(old, new), old, new)
    return new


def verdicts() -> list[str]:
    return [decision.decision for decision in history.read("car")]


def test_the_champion_changes(any_store: str) -> None:
    """Protects a promotion: aliases, record, pages, and nothing left over."""
    one = promoted("one")
    assert registry.aliases("car") == {"champion": 1}
    two = cheap_version("two")
    registry.move("car", "challenger", two)
    hand_over(decided(one, two), one, two, {"decision.md": "# Better"})
    assert registry.aliases("car") == {"champion": 2, "previous": 1}
    assert history.read("car")[-1] == decided(one, two)
    assert history.pending("car") == []
    folder = Path("mlruns/artifacts") / history.EXPERIMENT
    assert [path.read_text() for path in folder.rglob("decision.md")] == ["# Better"]
    assert len(list(folder.rglob("decision.json"))) == 2


def test_who_was_overtaken_changes_nothing(any_store: str) -> None:
    """Protects the champion from one that was judged against another: exactly one of two wins."""
    one, two, three = promoted("one"), cheap_version("two"), cheap_version("three")
    hand_over(decided(one, two), one, two)
    with pytest.raises(OvertakenError, match="is car/2 by now, not car/1 that was judged against"):
        hand_over(decided(one, three), one, three)
    with pytest.raises(OvertakenError, match="is car/2 by now, not none"):
        hand_over(decided(None, three), None, three)
    assert registry.aliases("car") == {"champion": 2, "previous": 1}
    assert verdicts() == ["promoted", "promoted"]
    hand_over(decided(two, three), two, three)
    assert registry.aliases("car") == {"champion": 3, "previous": 2}


RACING = """
    import sys
    from roadworthy.errors import OvertakenError
    from roadworthy.tracking import handover, registry
    from roadworthy.tracking.history import Decision
    number, when = int(sys.argv[1]), "2026-11-21T07:12:00.000+00:00"
    old, new = registry.version("car", 1), registry.version("car", number)
    decision = Decision("car", "promoted", "Better.", 1, number, when, "ada")
    print("ready", flush=True)
    sys.stdin.readline()
    try:
        handover.hand_over(decision, old, new)
        print("won")
    except OvertakenError:
        print("overtaken")
"""


@pytest.mark.slow
def test_of_processes_that_promote_at_once_one_wins(any_store: str) -> None:
    """Protects the champion from a race: the others are told, and nothing of theirs is left."""
    promoted("one")
    numbers = [cheap_version(content).number for content in ("two", "three", "four")]
    command = [sys.executable, "-c", textwrap.dedent(RACING)]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    running = [subprocess.Popen([*command, str(n)], env=dict(os.environ), **pipes) for n in numbers]
    for one in running:
        assert one.stdout.readline() == "ready\n"
    for one in running:
        one.stdin.write("go\n")
        one.stdin.flush()
    ends = [one.communicate(timeout=120)[0].strip() for one in running]
    assert sorted(ends) == ["overtaken", "overtaken", "won"]
    winner = numbers[ends.index("won")]
    assert registry.aliases("car") == {"champion": winner, "previous": 1}
    assert verdicts() == ["promoted", "promoted"]


def test_a_decision_about_something_else_is_refused(project: Path) -> None:
    """Protects the record from telling another story than the aliases."""
    one, two = promoted("one"), cheap_version("two")
    for decision in (decided(None, two), decided(one, one), decided(one, two, "refused")):
        with pytest.raises(ValueError, match="is not about 1 and 2"):
            hand_over(decision, one, two)
    with pytest.raises(ValueError, match="car/1 is the champion already"):
        hand_over(decided(one, one), one, one)


def test_what_was_forced_is_marked(project: Path) -> None:
    """Protects people from a champion that passed no gate without a sign of it."""
    one, two = promoted("one"), cheap_version("two")
    hand_over(decided(one, two, "forced"), one, two)
    tags = store.client().get_model_version("car", "2").tags
    assert tags[registry.FORCED] == "we need it"
    assert verdicts() == ["promoted", "forced"]


class Breaks:
    """A function of a module that fails at its `at`-th call, before or after it did its work."""

    def __init__(self, real: Callable[..., Any], at: int, after: bool) -> None:
        self.real, self.at, self.after, self.calls = real, at, after, 0

    def __call__(self, *arguments: Any) -> Any:
        self.calls += 1
        if self.calls == self.at and not self.after:
            raise TrackingError("the registry went away")
        result = self.real(*arguments)
        if self.calls == self.at:
            raise TrackingError("the answer was lost")
        return result


# The three moves: previous, champion, challenger away.
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_move_that_fails_is_undone_or_finished(
    project: Path, monkeypatch: pytest.MonkeyPatch, at: int, after: bool
) -> None:
    """Protects the promise that a promotion happens as a whole or not at all, and says which."""
    one, _, three = promoted("one"), promoted("two"), cheap_version("three")
    two = registry.champion("car")
    assert two is not None
    registry.move("car", "challenger", three)
    with monkeypatch.context() as patch:
        patch.setattr(registry, "move", Breaks(registry.move, at, after))
        if at == 1 or (at == 2 and not after):
            with pytest.raises(TrackingError, match=r"went away|was lost"):
                hand_over(decided(two, three), two, three)
            assert registry.aliases("car") == {"champion": 2, "previous": 1, "challenger": 3}
            assert verdicts() == ["promoted"] * 2
        else:
            hand_over(decided(two, three), two, three)
            assert registry.aliases("car") == {"champion": 3, "previous": 2}
            assert verdicts() == ["promoted"] * 3
    assert history.pending("car") == []
    assert one.number == 1


def test_an_interrupted_hand_over_is_tidied_up_by_the_next(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Protects the registry from Ctrl-C, and from a store that is gone for good in the middle."""
    one, two = promoted("one"), cheap_version("two")

    def gone(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(handover, "_conclude", gone)
        patch.setattr(handover, "recover_claimed", lambda task: handover.State((one.number,)))
        with pytest.raises(KeyboardInterrupt):
            hand_over(decided(one, two), one, two)
    assert [decision.to_version for decision in history.pending("car")] == [2]
    assert recover("car").stack == (1, 2)
    assert registry.aliases("car") == {"champion": 2, "previous": 1}
    assert verdicts() == ["promoted", "promoted"]


def test_a_rollback_and_another(any_store: str) -> None:
    """Protects the way back: two steps go two back, and then there is nothing left."""
    promoted("one"), promoted("two"), promoted("three")
    decision = roll_back("car", reason="it calls buses cars", who="ada")
    assert decision.reason == "Rolled back from car/3 to car/2: it calls buses cars"
    assert registry.aliases("car") == {"champion": 2, "previous": 1}
    assert history.read("car")[-1] == decision
    roll_back("car")
    assert registry.aliases("car") == {"champion": 1}
    assert list(withdrawn("car")) == [3, 2]
    with pytest.raises(TrackingError, match="no champion before car/1 is left"):
        roll_back("car")
    roll_back("car", to=3)
    assert registry.aliases("car") == {"champion": 3}
    assert list(withdrawn("car")) == [2, 1]


def test_a_broken_champion_is_no_obstacle(any_store: str) -> None:
    """Protects the service on its worst day: files damaged, tags gone, and still a way back."""
    one, two = promoted("one"), promoted("two")
    model = store.client().get_logged_model(two.model_uri.removeprefix("models:/"))
    (bundle_of(model.artifact_location) / "weights").unlink()
    store.client().delete_model_version_tag("car", "2", registry.DIGEST)
    roll_back("car")
    assert registry.champion("car") == one


def test_nobody_rolls_back_to_damaged_files(project: Path) -> None:
    """Protects the road from a version whose files are not those that passed the gate."""
    one, two = promoted("one"), promoted("two")
    model = store.client().get_logged_model(one.model_uri.removeprefix("models:/"))
    (bundle_of(model.artifact_location) / "weights").write_text("changed")
    with pytest.raises(BundleError, match="not what was registered as car/1"):
        roll_back("car")
    assert registry.champion("car") == two
    assert verdicts() == ["promoted", "promoted"]


def test_a_rollback_says_what_is_wrong(project: Path) -> None:
    """Protects those who mistype the version, or have nothing to go back to."""
    with pytest.raises(
        TrackingError, match="car has nothing to go back to: no champion before none"
    ):
        roll_back("car")
    promoted("one")
    with pytest.raises(TrackingError, match="car/9 is not in the registry; there are: 1"):
        roll_back("car", to=9)
    with pytest.raises(TrackingError, match="car/1 is the champion already"):
        roll_back("car", to=1)
    cheap_version("refused")
    with pytest.raises(TrackingError, match="car/2 was never champion: the gate decides"):
        roll_back("car", to=2)


def test_a_promotion_during_a_rollback_stops_it(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Protects a new champion from a rollback that was meant for the one before."""
    promoted("one"), promoted("two")
    real = registry.bundle_folder

    def meanwhile(version: Version) -> Path:
        promoted("three")
        return real(version)

    monkeypatch.setattr(registry, "bundle_folder", meanwhile)
    with pytest.raises(OvertakenError, match="is car/3 by now"):
        roll_back("car")
    assert registry.aliases("car") == {"champion": 3, "previous": 2}


def test_a_champion_lost_or_moved_by_hand(project: Path) -> None:
    """Protects against what people do in MLflow: an alias that is gone comes back, another stays."""
    one, two = promoted("one"), promoted("two")
    registry.move("car", "champion", None)
    registry.move("car", "previous", None)
    recover("car")
    assert registry.aliases("car") == {"champion": 2, "previous": 1}
    registry.move("car", "champion", one)
    assert recover("car").stack == (1, 2, 1)
    assert registry.aliases("car") == {"champion": 1, "previous": 2}
    three = cheap_version("three")
    hand_over(decided(one, three), one, three)
    roll_back("car")
    assert registry.aliases("car") == {"champion": one.number, "previous": two.number}


def test_a_champion_deleted_by_hand(any_store: str) -> None:
    """Protects the road after somebody deleted the champion's version: rollback and promotion go on."""
    one = promoted("one")
    promoted("two")
    store.client().delete_model_version("car", "2")
    assert registry.champion("car") is None
    decision = roll_back("car")
    assert (decision.from_version, decision.to_version) == (2, one.number)
    assert registry.aliases("car") == {"champion": 1}
    store.client().delete_model_version("car", "1")
    three = cheap_version("three")
    hand_over(decided(None, three), None, three)
    assert registry.aliases("car") == {"champion": 3}
