"""What one caller may take from the others: body size, time to send it, requests at once.

Pure ASGI, so that a body over the limit is never held in memory or on disk, and counted as it
arrives: a missing or lying Content-Length changes nothing.
"""

import asyncio
from time import monotonic

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from roadworthy.serving.refusals import Refusal, request_id

FORM_BYTES = 64 * 1024
"""What a form adds to its files."""
DRAINED = 4
"""A refused body is read and thrown away up to this many times the limit: most callers only look at
the answer when they have sent everything."""


class Limits:
    """Middleware that refuses with 413 (too large), 408 (too slow) or 429 (too many at once).

    Args:
        app: what answers.
        max_bytes: largest body.
        seconds: longest time for sending the body.
        requests: most requests at once.
    """

    def __init__(
        self, app: ASGIApp, max_bytes: int, seconds: float = 30.0, requests: int = 64
    ) -> None:
        self.app, self.max_bytes, self.seconds, self.requests = app, max_bytes, seconds, requests
        self.running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer or refuse one request."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        body = _Body(receive, self.max_bytes, monotonic() + self.seconds)
        if _declared(scope) > self.max_bytes:
            body.refusal = too_large(self.max_bytes)
        elif self.running >= self.requests:
            body.refusal = _too_many(self.requests)
        else:
            await self._answer(scope, body, send)
        if body.refusal and not body.answered:
            await body.drain()
            await body.refusal.answer(request_id(scope))(scope, receive, send)

    async def _answer(self, scope: Scope, body: "_Body", send: Send) -> None:
        async def guarded(message: Message) -> None:
            # After a refusal, what the application says about its broken body is not sent.
            if body.refusal is None or body.answered:
                body.answered = True
                await send(message)

        self.running += 1
        try:
            await self.app(scope, body.receive, guarded)
        except Exception:
            if body.refusal is None:
                raise
        finally:
            self.running -= 1


class _Body:
    """A request body that is counted while it is received."""

    def __init__(self, receive: Receive, max_bytes: int, deadline: float) -> None:
        self._receive, self._max_bytes, self._deadline = receive, max_bytes, deadline
        self._seen = 0
        self._complete = False
        self.refusal: Refusal | None = None
        self.answered = False

    async def receive(self) -> Message:
        if self.refusal:
            raise self.refusal
        if self._complete:
            # Now it is only about when the caller leaves, for which there is no hurry.
            return await self._receive()
        try:
            message = await self._next()
        except TimeoutError:
            self.refusal = _too_slow()
            raise self.refusal from None
        if self._seen > self._max_bytes:
            self.refusal = too_large(self._max_bytes)
            raise self.refusal
        return message

    async def drain(self) -> None:
        try:
            while not self._complete and self._seen <= DRAINED * self._max_bytes:
                await self._next()
        except TimeoutError:
            return

    async def _next(self) -> Message:
        message = await asyncio.wait_for(self._receive(), max(0.0, self._deadline - monotonic()))
        self._seen += len(message.get("body", b""))
        self._complete = message["type"] != "http.request" or not message.get("more_body", False)
        return message


def too_large(max_bytes: int) -> Refusal:
    """The refusal of a body or file over `max_bytes`."""
    return Refusal(
        413,
        "too_large",
        f"the request is over {max_bytes:,} bytes",
        "send fewer or smaller images; /info tells the limits",
    )


def _too_slow() -> Refusal:
    return Refusal(408, "too_slow", "the body took too long to arrive", "send smaller images")


def _too_many(requests: int) -> Refusal:
    return Refusal(429, "busy", f"{requests} requests are already being answered", "try again soon")


def _declared(scope: Scope) -> int:
    lengths = [value for name, value in scope["headers"] if name == b"content-length"]
    return int(lengths[0]) if lengths and lengths[0].isdigit() else 0
