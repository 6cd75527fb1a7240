"""Every request gets an id, is counted, timed and logged, and gets an answer even when we break.

The log has one JSON object per line. It never has what was sent: no image, no file name, no query,
no header but the request's id.
"""

import asyncio
import json
import logging
import re
import sys
import uuid
from collections.abc import Set
from datetime import UTC, datetime
from time import perf_counter
from typing import Any, TextIO

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from roadworthy.serving.metrics import METHODS, OTHER, Metrics
from roadworthy.serving.rates import client
from roadworthy.serving.refusals import WORD, Refusal, fault, too_long
from roadworthy.serving.tally import Tally

HEADER = "x-request-id"
PLAIN = re.compile(r"[A-Za-z0-9._-]{1,64}")
LEFT = 499
"""Status of a request whose caller left before it was answered; nginx's number."""
LONGEST = 20_000
"""Characters of a traceback."""
log = logging.getLogger(__name__)


class Trace:
    """Outermost middleware; a caller's own `x-request-id` is kept when it is short and plain.

    Args:
        app: what answers.
        metrics: where to count.
        routes: the paths that are counted and logged by name.
        proxies: trusted ones in front; see `rates.client`.
        seconds: longest time for a request; then 503.
        tally: counts requests on disk; None: nothing is kept.
    """

    def __init__(
        self,
        app: ASGIApp,
        metrics: Metrics,
        routes: Set[str],
        proxies: int = 0,
        seconds: float = 60.0,
        tally: Tally | None = None,
    ) -> None:
        self.app, self.metrics, self.routes = app, metrics, routes
        self.proxies, self.seconds, self.tally = proxies, seconds, tally

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        seen = _Seen(scope, receive, send)
        try:
            async with asyncio.timeout(self.seconds) as deadline:
                await self.app(scope, seen.receive, seen.send)
        except TimeoutError:
            if seen.status or not deadline.expired():
                raise
            await too_long().answer(seen.name)(scope, seen.receive, seen.send)
        except Refusal as refusal:
            if seen.status:
                raise
            await refusal.answer(seen.name)(scope, seen.receive, seen.send)
        except Exception:
            log.exception("failed", extra={"fields": {"request_id": seen.name}})
            if seen.status:
                raise
            await fault().answer(seen.name)(scope, seen.receive, seen.send)
        finally:
            self._note(scope, seen)

    def _note(self, scope: Scope, seen: "_Seen") -> None:
        """Count and log a request that is over."""
        seconds = perf_counter() - seen.start
        route = scope["path"] if scope["path"] in self.routes else None
        word = scope["state"].get(WORD) if seen.status >= 400 else None
        self.metrics.request(scope["method"], route, seen.status or LEFT, seconds)
        if word:
            self.metrics.refused(word)
        # What only looks (the page, /metrics every few seconds) says nothing about the traffic.
        if self.tally and scope["method"] == "POST":
            self.tally.count(route, word)
        fields = {
            "request_id": seen.name,
            "client": client(scope, self.proxies),
            "method": scope["method"] if scope["method"] in METHODS else OTHER,
            "route": route or OTHER,
            "status": seen.status or LEFT,
            "seconds": round(seconds, 6),
            "bytes_in": seen.bytes_in,
            "bytes_out": seen.bytes_out,
            **({"refusal": word} if word else {}),
        }
        log.info("request", extra={"fields": fields})


class _Seen:
    """What passes by of one request."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        self.start = perf_counter()
        self.status = self.bytes_in = self.bytes_out = 0
        given = Headers(scope=scope).get(HEADER, "")
        self.name = given if PLAIN.fullmatch(given) else uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = self.name

    async def receive(self) -> Message:
        message = await self._receive()
        self.bytes_in += len(message.get("body", b""))
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            MutableHeaders(scope=message)[HEADER] = self.name
        self.bytes_out += len(message.get("body", b""))
        await self._send(message)


class JsonLines(logging.Formatter):
    """One JSON object on one line per record; a traceback is a field of it."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)[-LONGEST:]
        return json.dumps(line, default=str)


def log_json(stream: TextIO | None = None, level: int = logging.INFO) -> logging.Handler:
    """Let everything of this package be logged as JSON lines to `stream` (stderr), and only there.

    Called twice, it replaces its own handler.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines())
    logger = logging.getLogger("roadworthy")
    for old in [one for one in logger.handlers if isinstance(one.formatter, JsonLines)]:
        logger.removeHandler(old)
    logger.addHandler(handler)
    logger.setLevel(level)
    logger.propagate = False
    return handler
