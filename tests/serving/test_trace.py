"""Every request is counted and logged in one line, without what was sent."""

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from roadworthy.serving.metrics import Metrics
from roadworthy.serving.refusals import Refusal
from roadworthy.serving.trace import LONGEST, JsonLines, Trace, log_json

SECRET = "secret-picture"
Message = dict[str, Any]


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """What is logged, and afterwards logging as it was."""
    logger, stream = logging.getLogger("roadworthy"), io.StringIO()
    before = (list(logger.handlers), logger.level, logger.propagate)
    log_json(io.StringIO())
    log_json(stream)
    yield stream
    logger.handlers[:], logger.propagate = before[0], before[2]
    logger.setLevel(before[1])


async def good(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"12345"})


async def refusing(scope: Any, receive: Any, send: Any) -> None:
    raise Refusal(401, "no_key", "message", "hint")


async def broken(scope: Any, receive: Any, send: Any) -> None:
    raise RuntimeError("two\nlines")


async def broken_late(scope: Any, receive: Any, send: Any) -> None:
    await good(scope, receive, send)
    raise RuntimeError("late")


async def left(scope: Any, receive: Any, send: Any) -> None:
    scope["state"]["refusal"] = "invalid"


def ask(app: Any, path: str = "/predict", method: str = "POST") -> tuple[list[Message], Metrics]:
    """The messages of the answer, and the figures."""
    metrics, sent = Metrics(), []
    scope = {
        "type": "http",
        "path": path,
        "method": method,
        "client": ("2001:db8::1", 1),
        "query_string": SECRET.encode(),
        "headers": [(b"x-request-id", b"r1"), (b"authorization", SECRET.encode())],
    }

    async def receive() -> Message:
        return {"type": "http.request", "body": SECRET.encode()}

    async def send(message: Any) -> None:
        sent.append(message)

    traced = Trace(app, metrics, frozenset({"/predict"}))
    asyncio.run(traced(scope, receive, send))
    return sent, metrics


def test_a_request_is_one_line(lines: io.StringIO) -> None:
    """Who, what, how long, how much; and nothing that was sent."""
    ask(good)
    [line] = [json.loads(line) for line in lines.getvalue().splitlines()]
    seconds, time = line.pop("seconds"), line.pop("time")
    assert isinstance(seconds, float) and time.endswith("+00:00")
    assert line == {
        "level": "info",
        "logger": "roadworthy.serving.trace",
        "message": "request",
        "request_id": "r1",
        "client": "2001:db8::/64",
        "method": "POST",
        "route": "/predict",
        "status": 200,
        "bytes_in": len(SECRET),
        "bytes_out": 5,
    }
    ask(good, f"/{SECRET}", SECRET)
    assert SECRET not in lines.getvalue()
    assert json.loads(lines.getvalue().splitlines()[1])["route"] == "other"


def test_refusals_are_answered_counted_and_logged_by_their_word(lines: io.StringIO) -> None:
    """Also those of a middleware that nobody inside answers."""
    sent, metrics = ask(refusing)
    assert (sent[0]["status"], json.loads(sent[1]["body"])["request_id"]) == (401, "r1")
    assert json.loads(lines.getvalue())["refusal"] == "no_key"
    [line] = [
        line
        for line in metrics.text().decode().splitlines()
        if line.startswith("roadworthy_refusals_total{")
    ]
    assert line.endswith(" 1.0")


def test_a_fault_is_one_line_with_its_traceback(lines: io.StringIO) -> None:
    """The caller gets an id, and the log has the rest under that id."""
    sent, _ = ask(broken)
    assert sent[0]["status"] == 500
    error, request = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert (error["level"], error["request_id"]) == ("error", "r1")
    assert "RuntimeError: two\nlines" in error["traceback"]
    assert (request["status"], request["refusal"]) == (500, "internal")


def test_a_fault_after_the_answer_began_ends_the_connection(lines: io.StringIO) -> None:
    """There is no way to take an answer back: the server must see the error."""
    with pytest.raises(RuntimeError):
        ask(broken_late)
    assert len(lines.getvalue().splitlines()) == 2


def test_a_caller_who_left_is_499(lines: io.StringIO) -> None:
    """And is no refusal of ours, whatever somebody inside wanted to answer."""
    ask(left)
    line = json.loads(lines.getvalue())
    assert (line["status"], "refusal" in line) == (499, False)


def test_long_tracebacks_are_cut() -> None:
    """A recursion without end does not fill the log."""

    def endless(depth: int) -> None:
        if depth:
            endless(depth - 1)
        raise ValueError("x" * 2 * LONGEST)

    try:
        endless(5)
    except ValueError as error:
        found = (type(error), error, error.__traceback__)
    record = logging.LogRecord("a", logging.ERROR, "", 0, "%s", ("text",), found)
    line = JsonLines().format(record)
    assert "\n" not in line
    assert len(json.loads(line)["traceback"]) == LONGEST
