"""Writing to a disk that may be full: an outage is said once, and ends by itself."""

import logging
from collections.abc import Callable
from time import monotonic

PAUSE_SECONDS = 1.0
"""After a failure nothing is tried for so long."""
log = logging.getLogger(__name__)


class Attempts:
    """Of writing one kind of thing, by one thread.

    Args:
        what: is written, for the log.
        pause: seconds after a failure in which nothing is tried.
    """

    def __init__(self, what: str, pause: float = PAUSE_SECONDS) -> None:
        self.what, self.pause = what, pause
        self._failing = False
        self._again = 0.0

    def __call__(self, work: Callable[[], object]) -> bool:
        """Whether `work` was done without an OSError."""
        if self._failing and monotonic() < self._again:
            return False
        try:
            work()
        except OSError as error:
            if not self._failing:
                log.error("%s cannot be written and is lost: %s", self.what, error)
            self._failing, self._again = True, monotonic() + self.pause
            return False
        if self._failing:
            log.warning("%s is written again", self.what)
        self._failing = False
        return True
