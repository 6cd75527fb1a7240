"""`POST /feedback`: somebody knows better, or agrees. Kept on disk before it is answered."""

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any

import anyio
import anyio.to_thread
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.config import JsonDict
from starlette.requests import Request

from roadworthy.serving.answers import REFUSALS, RefusalBody
from roadworthy.serving.champions import Champion
from roadworthy.serving.context import Context
from roadworthy.serving.journal import Journal, Lines, paths
from roadworthy.serving.record import now
from roadworthy.serving.records import opened
from roadworthy.serving.refusals import Refusal, request_id

NAME = "feedback"
COMMENT = 1_000
BODY_BYTES = 16_384
WRITERS = 4
"""Feedback that is written at the same time: the disk is waited for."""
HINT = 'send {"id": ID OF AN ANSWER, "task": TASK, "label": THE RIGHT LABEL}'
EXAMPLE: JsonDict = {"id": "0f8fad5bd9cb469fa16570867728950e", "task": "car", "label": "not_car"}
log = logging.getLogger(__name__)


class Given(BaseModel):
    """What a caller knows about one answer."""

    model_config = ConfigDict(extra="forbid", strict=True, json_schema_extra={"example": EXAMPLE})

    id: Annotated[str, Field(pattern="^[0-9a-f]{32}$", description="Of the prediction")]
    task: Annotated[str, Field(min_length=1, max_length=100, description="One of /tasks")]
    label: Annotated[str, Field(min_length=1, max_length=200, description="The right one")]
    comment: Annotated[str | None, Field(max_length=COMMENT)] = None


class Taken(BaseModel):
    """What was kept."""

    id: str
    task: str
    label: str
    known: bool = Field(description="Whether this process remembers giving that answer")


@dataclass(frozen=True, kw_only=True)
class Feedback:
    """One line."""

    id: str
    """Of the image in a request, as in the prediction log."""
    task: str
    label: str
    """The right one, says who sent this."""
    comment: str | None = None
    request_id: str
    """Of the request that brought the feedback."""
    known: bool
    """Whether the answer was remembered; else look for the id in the prediction log."""
    answered: str | None = None
    version: int | None = None
    """What was answered and by which version, where it was remembered."""
    at: str = field(default_factory=now)
    """UTC, ISO 8601."""


KNOWN = tuple(one.name for one in fields(Feedback))


def add_route(app: FastAPI, context: Context) -> None:
    """Let `app` answer `/feedback`.

    Raises:
        ParamsError: the folder of the log cannot be written.
    """
    settings = context.settings
    journal = opened(settings, NAME, forget=False) if settings.log else None
    writers = anyio.CapacityLimiter(WRITERS)
    schema = Given.model_json_schema()

    @app.post(
        "/feedback",
        status_code=202,
        responses={
            **{status: REFUSALS[status] for status in (404, 408, 413, 422, 429)},
            415: {"model": RefusalBody, "description": "Not JSON"},
            503: {"model": RefusalBody, "description": "The disk takes no more"},
        },
        openapi_extra={
            "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}
        },
        summary="Tell the right label",
    )
    async def feedback(request: Request) -> Taken:
        """Tell which label an answer should have had, be it another one or the same."""
        if journal is None or context.log is None:
            raise Refusal(
                404,
                "not_kept",
                "this service keeps no feedback",
                "its operator can set ROADWORTHY_LOG to a folder",
            )
        given = parse(await small_body(request))
        check(given, context.served.champions)
        answer = context.log.recent.get(given.id, given.task)
        entry = Feedback(
            **given.model_dump(),
            request_id=request_id(request.scope),
            known=answer is not None,
            answered=answer.label if answer else None,
            version=answer.version if answer else None,
        )
        await anyio.to_thread.run_sync(keep, journal, entry, limiter=writers)
        context.metrics.told(given.task, given.label == answer.label if answer else None)
        return Taken(id=given.id, task=given.task, label=given.label, known=entry.known)


async def small_body(request: Request) -> bytes:
    """The body of a request.

    Raises:
        Refusal: it is no JSON, or too large.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    # Also keeps pages of others from sending feedback in a visitor's name: JSON needs a preflight.
    if kind != "application/json":
        raise Refusal(415, "not_json", "the body is not declared as application/json", HINT)
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > BODY_BYTES:
            raise Refusal(413, "too_large", f"the body is over {BODY_BYTES:,} bytes", HINT)
    return bytes(body)


def parse(body: bytes) -> Given:
    """What a body says.

    Raises:
        Refusal: it does not have the right fields.
    """
    try:
        return Given.model_validate_json(body)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))[:60] or "body"
        raise Refusal(422, "invalid", f"{place}: {first['msg']}", HINT) from None


def check(given: Given, champions: Mapping[str, Champion]) -> None:
    """Make sure that the task is served and has that label.

    Raises:
        Refusal: it is not, or has not.
    """
    if given.task not in champions:
        known = ", ".join(champions)
        raise Refusal(
            404, "unknown_task", f"no task is called {given.task[:60]!r}", f"one of: {known}"
        )
    labels = champions[given.task].predictor.spec.labels
    if given.label not in labels:
        raise Refusal(
            422,
            "unknown_label",
            f"{given.task} has no label {given.label[:60]!r}",
            f"one of: {', '.join(labels)}; say in a comment what else it is",
        )


def keep(journal: Journal, entry: Feedback) -> None:
    """Write to the disk. Blocking.

    Raises:
        Refusal: that cannot be done.
    """
    try:
        journal.append([to_line(entry)], sync=True)
    except OSError as error:
        log.error("feedback cannot be written: %s", error)
        raise Refusal(
            503, "not_written", "the feedback could not be kept", "try again later"
        ) from None


def to_line(entry: Feedback) -> bytes:
    """JSON with a newline."""
    return json.dumps(asdict(entry), separators=(",", ":")).encode() + b"\n"


def read_feedback(folder: Path) -> list[Feedback]:
    """All feedback in the folder of a prediction log; what came last about an answer counts."""
    last: dict[tuple[str, str], Feedback] = {}
    for entry in Lines(paths(folder, NAME), _from_line):
        before = last.pop((entry.id, entry.task), None)
        last[entry.id, entry.task] = max(before or entry, entry, key=lambda one: one.at)
    return list(last.values())


def _from_line(line: bytes) -> Feedback:
    entry: dict[str, Any] = json.loads(line)
    return Feedback(**{name: entry[name] for name in KNOWN})
