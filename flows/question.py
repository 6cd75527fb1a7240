"""Ask a person about a proposal of `ingest`, in Prefect's pages: yes, no, or later."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal
from uuid import UUID

from roadworthy import environment

# Prefect reads its settings when it is imported.
environment.apply()

from prefect import get_run_logger  # noqa: E402
from prefect.flow_runs import pause_flow_run, resume_flow_run  # noqa: E402
from prefect.input import RunInput  # noqa: E402
from prefect.runtime import flow_run  # noqa: E402
from pydantic import Field  # noqa: E402

from flows import drift, notify  # noqa: E402
from roadworthy.pipeline.ingest import COMMAND, OUT, PAGE  # noqa: E402
from roadworthy.pipeline.proposal import Proposal  # noqa: E402

POLL_SECONDS = 5
SPARE_SECONDS = 600
"""After which Prefect itself ends a question that nobody could answer."""


class Answer(RunInput):
    """Do these images come into the data?"""

    answer: Literal["later", "yes", "no"] = Field(
        default="later", description="no: they are never proposed again under these labels"
    )
    without: str = Field(
        default="",
        description="Images to leave out for good: the eight digits below each, with commas",
    )


def ask(found: Proposal, hours: float, again: int = 0) -> Answer:
    """What a person says; `later` where nobody can be asked, or nobody answers in time.

    Args:
        again: how often was asked before, in this run: each time is another question.
    """
    served = drift.served() and hours > 0
    notify.notify(f"ingest: {found.size} new images wait for a yes", _body(found, served, hours))
    if not served:
        get_run_logger().info("look at %s, then: %s", OUT / PAGE, COMMAND)
        return Answer()
    question = Answer.with_initial_data(description=_description(found))
    seconds = hours * 3600
    with _late(seconds):
        said: Answer = pause_flow_run(
            wait_for_input=question,
            timeout=int(seconds + SPARE_SECONDS),
            poll_interval=POLL_SECONDS,
            key=f"{found.digest[:16]}-{again}",
        )
    return said


@contextmanager
def _late(seconds: float) -> Iterator[None]:
    """Answer `later` ourselves when the time is up: Prefect would call the run failed."""
    number = flow_run.id
    assert number is not None
    timer = threading.Timer(
        seconds, lambda: resume_flow_run(UUID(number), run_input={"answer": "later"})
    )
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _body(found: Proposal, served: bool, hours: float) -> str:
    lines = [
        f"{part.task}: {', '.join(f'{count} {label}' for label, count in part.counts.items())}"
        for part in found.parts
        if part.taken
    ]
    lines += [f"Page: {_page()}", f"In a terminal: {COMMAND}"]
    if served and flow_run.ui_url:
        lines.append(f"Or within {hours:g} hours, `Resume`: {flow_run.ui_url}")
    return "\n".join(lines)


def _description(found: Proposal) -> str:
    return (
        f"**{found.size} new images**, proposal {found.digest[:8]}. Look at the artifacts of this run "
        f"(`ingest-images` shows them), or at `{_page()}`."
    )


def _page() -> Path:
    return (OUT / PAGE).resolve()
