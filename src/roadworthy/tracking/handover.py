"""The hand-over: another version becomes champion, as a whole or not at all, and can be undone.

All of it happens under the task's claim: the decision is written down as pending, the aliases move
(`champion` in one step, so that there is exactly one at every moment), and the decision is settled.
Whatever a crash leaves is finished or voided by the next one that holds the claim.
"""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime

from roadworthy.errors import OvertakenError, TrackingError
from roadworthy.tracking import fields, history, registry
from roadworthy.tracking.claim import WAIT_SECONDS, Claim, claim
from roadworthy.tracking.history import Decision
from roadworthy.tracking.registry import CHALLENGER, CHAMPION, FORCED, PREVIOUS, Version
from roadworthy.tracking.replay import State, replay

log = logging.getLogger(__name__)


def hand_over(
    decision: Decision,
    champion: Version | None,
    challenger: Version,
    pages: Mapping[str, str] | None = None,
    wait_seconds: float = WAIT_SECONDS,
) -> None:
    """Make `challenger` champion, as `decision` (promoted or forced) says.

    Args:
        champion: the version that it was judged against; None judged by floors alone.
        pages: texts by file name, kept beside the decision.

    Raises:
        OvertakenError: the champion is another one by now: judge again. Nothing was changed.
        TrackingError: the registry cannot be reached or refuses. What was begun is undone now or,
            at the latest, by the next one that asks.
    """
    task, old = decision.task, champion.number if champion else None
    said = (decision.decision, decision.from_version, decision.to_version)
    if said[0] not in ("promoted", "forced") or said[1:] != (old, challenger.number):
        raise ValueError(f"the decision {said} is not about {old} and {challenger.number}")
    if old == challenger.number:
        raise ValueError(f"{challenger.name} is the champion already")
    with claim(task, wait_seconds) as held:
        state = recover_claimed(task)
        standing = registry.aliases(task).get(CHAMPION)
        if standing != old:
            raise OvertakenError(
                f"the champion of {task} is {_named(task, standing)} by now, not "
                f"{_named(task, old)} that was judged against: judge again"
            )
        _carry_out(held, decision, state, pages)


def recover(task: str, wait_seconds: float = WAIT_SECONDS) -> State:
    """Finish or undo what a crash left, and give `previous` to what the history says.

    Returns:
        The state, with the aliases in agreement.

    Raises:
        TrackingError: the registry cannot be reached or refuses, or somebody holds the claim.
    """
    with claim(task, wait_seconds):
        return recover_claimed(task)


def roll_back(
    task: str,
    to: int | None = None,
    reason: str = "",
    who: str | None = None,
    pages: Mapping[str, str] | None = None,
    wait_seconds: float = WAIT_SECONDS,
) -> Decision:
    """Put an earlier version back on the road; the files of the champion are not looked at.

    Args:
        to: a version that was champion once; None takes the champion before, again and again.
        who: None is the user of this process.

    Raises:
        OvertakenError: there was a promotion meanwhile.
        BundleError: the files of that version are not the ones that were registered.
        TrackingError: there is nothing to go back to, or no such version.
    """
    number = _target(task, recover(task, wait_seconds), to)
    target = registry.version(task, number)
    # Files may have to be fetched: nobody has to wait for that.
    registry.bundle_folder(target)
    with claim(task, wait_seconds) as held:
        state = recover_claimed(task)
        if _target(task, state, to) != number:
            raise OvertakenError(
                f"the champion of {task} is {_named(task, state.champion)} by now: "
                f"look at `roadworthy history --task {task}`, and roll back again if that is meant"
            )
        words = f"Rolled back from {_named(task, state.champion)} to {target.name}"
        decision = Decision(
            task=task,
            decision="rolled_back",
            reason=f"{words}: {reason}" if reason else f"{words}.",
            from_version=state.champion,
            to_version=number,
            when=datetime.now(UTC).isoformat(timespec="milliseconds"),
            who=who or fields.user(),
            digest=target.digest,
        )
        _carry_out(held, decision, state, pages)
    return decision


def withdrawn(task: str) -> dict[int, str]:
    """Versions that were rolled back from, and not made champion since, and why."""
    return dict(replay(history.read(task)).withdrawn)


def _carry_out(
    held: Claim, decision: Decision, state: State, pages: Mapping[str, str] | None
) -> None:
    task, after = decision.task, state.after(decision)
    before_it = after.previous(registry.numbers(task))
    if after.champion is None:
        raise ValueError(f"{decision.decision} makes no champion")
    try:
        entry = history.begin(decision, pages)
        held.check()
        _point(task, PREVIOUS, before_it)
        held.check()
        _point(task, CHAMPION, after.champion)
        _conclude(decision, entry)
    except Exception as error:
        if not _came_true(held, decision, error):
            raise
    except BaseException as error:
        _came_true(held, decision, error)
        raise


def _conclude(decision: Decision, entry: str) -> None:
    """What is left to do once the champion is the one that the decision names."""
    task, number = decision.task, decision.to_version
    if number is not None and registry.aliases(task).get(CHALLENGER) == number:
        registry.move(task, CHALLENGER, None)
    if number is not None and decision.forced is not None:
        registry.describe(registry.version(task, number), tags={FORCED: decision.forced})
    history.settle(entry)


def _came_true(held: Claim, decision: Decision, error: BaseException) -> bool:
    """Tidy up after an error at once; whether the decision was carried out all the same."""
    try:
        held.check()
        state = recover_claimed(decision.task)
    except TrackingError as again:
        log.error("the next promotion will tidy up: %s", again)
        return False
    done = state.champion == decision.to_version
    if done:
        log.warning("carried out in spite of an error: %s", error)
    return done


def recover_claimed(task: str) -> State:
    """`recover`, for those who hold the claim already."""
    aliases, entries = registry.aliases(task), history.entries(task)
    champion, settled = aliases.get(CHAMPION), []
    for entry in entries:
        # The champion is moved in one step, and nobody else moves it while this is pending.
        if not entry.pending or entry.decision.to_version == champion:
            settled.append(entry.decision)
        if entry.pending:
            log.warning("a promotion of %s was cut off: %s", task, entry.decision.reason)
            if entry.decision.to_version == champion:
                _conclude(entry.decision, entry.run_id)
            else:
                history.void(entry.run_id)
    known, state = registry.numbers(task), replay(settled)
    if champion is None and state.champion in known:
        log.warning("%s had lost its champion: %s is back", task, state.champion)
        _point(task, CHAMPION, state.champion)
    state = state.at(champion)
    if aliases.get(PREVIOUS) != state.previous(known):
        _point(task, PREVIOUS, state.previous(known))
    if champion is not None and aliases.get(CHALLENGER) == champion:
        registry.move(task, CHALLENGER, None)
    return state


def _target(task: str, state: State, to: int | None) -> int:
    known = registry.numbers(task)
    number = state.previous(known) if to is None else to
    if number is None:
        raise TrackingError(
            f"{task} has nothing to go back to: no champion before "
            f"{_named(task, state.champion)} is left; `--to` takes any that was champion once"
        )
    if number not in known:
        there = ", ".join(map(str, sorted(known))) or "none"
        raise TrackingError(f"{task}/{number} is not in the registry; there are: {there}")
    if number == registry.aliases(task).get(CHAMPION):
        raise TrackingError(f"{task}/{number} is the champion already")
    if to is not None and number not in _champions(task):
        raise TrackingError(
            f"{task}/{number} was never champion: the gate decides, `promote` asks it"
        )
    return number


def _champions(task: str) -> set[int | None]:
    """Versions that were champion at some time."""
    moved = [line for line in history.read(task) if line.decision in history.MOVING]
    return {number for line in moved for number in (line.from_version, line.to_version)}


def _point(task: str, alias: str, number: int | None) -> None:
    registry.move(task, alias, None if number is None else registry.version(task, number))


def _named(task: str, number: int | None) -> str:
    return "none" if number is None else f"{task}/{number}"
