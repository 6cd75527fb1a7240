"""Tell people: every Prefect block that `retrain.notify` names gets the notice.

A notice is a courtesy: one that cannot be delivered is logged, and changes nothing else.
"""

import logging
from typing import Any

from roadworthy import environment, params
from roadworthy.errors import RoadworthyError

# Prefect reads its settings when it is imported.
environment.apply()

from prefect.blocks.abstract import NotificationBlock  # noqa: E402
from prefect.blocks.core import Block  # noqa: E402
from prefect.exceptions import MissingContextError  # noqa: E402
from prefect.logging import get_logger, get_run_logger  # noqa: E402

from flows import mail  # noqa: E402, F401  (so that a `mail/...` block can be loaded)


def notify(subject: str, body: str) -> None:
    """Tell every block in `retrain.notify`; whatever goes wrong is logged.

    Args:
        subject: one line.
        body: plain text, with line ends.
    """
    try:
        names = params.load().retrain.notify
    except RoadworthyError as error:
        _log().warning("nobody is told of %r: %s", subject, error)
        return
    for name in names:
        tell(name, subject, body)


def tell(name: str, subject: str, body: str) -> bool:
    """Tell one block, named as `TYPE/NAME`; whether it was delivered."""
    try:
        block: Any = Block.load(name)
        if not isinstance(block, NotificationBlock):
            raise TypeError("it is no notification block: see `prefect block type ls`")
        # Apprise only says False otherwise.
        with block.raise_on_failure():
            sent: Any = block
            sent.notify(body, subject)
    # Any block of any package may be named here, and fail in its own way.
    except Exception as error:
        _log().warning("%s was not told of %r: %s", name, subject, _short(error))
        return False
    return True


def _short(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 300 else f"{text[:300]} ..."


def _log() -> "logging.Logger | logging.LoggerAdapter[Any]":
    try:
        return get_run_logger()
    except MissingContextError:
        return get_logger("roadworthy.notify")
