"""Every request gets an id, is counted and timed, and gets an answer even when we break."""

import logging
import re
import uuid
from collections.abc import Set
from time import perf_counter

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from roadworthy.serving.metrics import Metrics
from roadworthy.serving.refusals import fault

HEADER = "x-request-id"
PLAIN = re.compile(r"[A-Za-z0-9._-]{1,64}")
log = logging.getLogger(__name__)


class Trace:
    """Outermost middleware; a caller's own `x-request-id` is kept when it is short and plain.

    Args:
        app: what answers.
        metrics: where to count.
        routes: the paths that are counted by name.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, routes: Set[str]) -> None:
        self.app, self.metrics, self.routes = app, metrics, routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        start = perf_counter()
        status = 0
        given = Headers(scope=scope).get(HEADER, "")
        name = given if PLAIN.fullmatch(given) else uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = name

        async def named(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[HEADER] = name
            await send(message)

        try:
            await self.app(scope, receive, named)
        except Exception:
            log.exception("request %s failed", name)
            if status:
                raise
            await fault().answer(name)(scope, receive, named)
        finally:
            route = scope["path"] if scope["path"] in self.routes else None
            self.metrics.request(scope["method"], route, status or 499, perf_counter() - start)
