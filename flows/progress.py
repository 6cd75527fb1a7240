"""How far a stage is, in the Prefect UI: from the lines that it prints."""

import contextvars
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from roadworthy import environment

# Prefect reads its settings when it is imported.
environment.apply()

from prefect.artifacts import create_progress_artifact, update_progress_artifact  # noqa: E402
from prefect.logging import get_logger  # noqa: E402

from flows import artifacts  # noqa: E402

LINE = re.compile(r"^.+: (?P<done>\d+)/(?P<total>\d+)(?= |$)")
"""What `roadworthy.progress` prints where there is no terminal."""
EVERY_SECONDS = 3.0
LAST_SECONDS = 5.0
"""How long the end of a stage waits for its last figure to be shown."""


class Meter:
    """Takes lines, and knows how far the work is."""

    def __init__(self) -> None:
        self.percent = 0.0
        self.words = ""

    def line(self, text: str) -> None:
        """One line of the stage's output."""
        if (found := LINE.match(text)) and int(found["total"]):
            self.percent = 100 * min(int(found["done"]) / int(found["total"]), 1.0)
            self.words = text


@contextmanager
def shown(stage: str) -> Iterator[Meter]:
    """Show the meter's figure while the block runs.

    From a thread of its own: a server that is slow, or away, holds up no training.
    """
    meter, end = Meter(), threading.Event()
    context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(_show, stage, meter, end), daemon=True)
    thread.start()
    try:
        yield meter
        meter.percent = 100.0
    finally:
        end.set()
        thread.join(timeout=LAST_SECONDS)


def _show(stage: str, meter: Meter, end: threading.Event) -> None:
    try:
        number = create_progress_artifact(
            progress=0.0, key=artifacts.key("progress", stage), description=stage
        )
        assert isinstance(number, UUID)
        told = ("", 0.0)
        ended = False
        while not ended:
            ended = end.wait(EVERY_SECONDS)
            if (now := (meter.words, meter.percent)) != told:
                said = meter.words or stage
                update_progress_artifact(number, meter.percent, description=said)
                told = now
    # Prefect's client fails in many ways when its server is away.
    except Exception as error:
        get_logger("roadworthy.progress").warning("progress is not shown any more: %s", error)
