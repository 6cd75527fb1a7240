"""What the promotion history says: who is champion, and where a rollback would go. Pure."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import reduce

from roadworthy.tracking.history import MOVING, Decision


@dataclass(frozen=True)
class State:
    """The champions of a task, one on top of the other, as the decisions left them."""

    stack: tuple[int, ...] = ()
    """Version numbers; the last one is on the road. A rollback takes it off."""
    withdrawn: Mapping[int, str] = field(default_factory=dict)
    """Versions that were rolled back from, and not made champion since, and why."""

    @property
    def champion(self) -> int | None:
        """The version on the road."""
        return self.stack[-1] if self.stack else None

    def previous(self, known: Collection[int] | None = None) -> int | None:
        """Where a rollback would go.

        Args:
            known: the versions that still exist; None takes all for existing.
        """
        below = (
            number
            for number in reversed(self.stack[:-1])
            if number != self.champion and (known is None or number in known)
        )
        return next(below, None)

    def at(self, champion: int | None) -> "State":
        """The same with `champion` on top, should somebody have put it there by hand."""
        if champion is None or champion == self.champion:
            return self
        return State((*self.stack, champion), self.withdrawn)

    def after(self, decision: Decision) -> "State":
        """The state that a decision about the same task leads to."""
        target = decision.to_version
        if target is None or decision.decision not in MOVING:
            return self
        now = self.at(decision.from_version)
        withdrawn = {**now.withdrawn}
        if decision.decision == "rolled_back":
            stack = _down_to(target, now.stack[:-1])
            withdrawn |= dict.fromkeys(now.stack[-1:], decision.reason)
        else:
            stack = now.at(target).stack
        withdrawn.pop(target, None)
        return State(stack, withdrawn)


def _down_to(target: int, below: tuple[int, ...]) -> tuple[int, ...]:
    """What is left of the stack; a version that was never in it comes on top."""
    if target not in below:
        return (*below, target)
    return below[: len(below) - below[::-1].index(target)]


def replay(decisions: Iterable[Decision]) -> State:
    """The state after these decisions about one task, oldest first."""
    return reduce(State.after, decisions, State())
