"""SIGTERM ends a flow that was started by hand as Ctrl-C does: Prefect's temporary server goes too."""

import signal
import sys
from types import FrameType


def orderly() -> None:
    """Let SIGTERM leave by the front door; to be called before a flow is.

    Prefect hands the signal on when the flow has ended. By default that is a death on the spot, and
    the server that it started for us would live on.
    """
    signal.signal(signal.SIGTERM, _leave)


def _leave(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)
