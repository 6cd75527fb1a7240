"""Slow work in threads of its own, with a short queue before them: it must not starve quick work."""

from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

import anyio
import anyio.to_thread

from roadworthy.serving.refusals import Refusal

WAITING = 8
T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")


class Lane:
    """Runs blocking work.

    Args:
        at_once: threads.
        waiting: requests that may wait for one; more get 429.
    """

    def __init__(self, at_once: int = 1, waiting: int = WAITING) -> None:
        self.limiter, self.waiting = anyio.CapacityLimiter(at_once), waiting

    def check(self) -> None:
        """Make sure that there is room in the queue.

        Raises:
            Refusal: there is none.
        """
        if self.limiter.statistics().tasks_waiting >= self.waiting:
            raise Refusal(
                429,
                "busy",
                f"{self.waiting} requests of this kind already wait",
                "try again soon",
                {"retry-after": "5"},
            )

    async def run(self, work: Callable[[*Arguments], T], *arguments: *Arguments) -> T:
        """What `work` gives, when it is its turn."""
        return await anyio.to_thread.run_sync(work, *arguments, limiter=self.limiter)
