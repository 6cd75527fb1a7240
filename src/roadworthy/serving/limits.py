"""What one caller may take from the others: body size, time to send it, requests at once.

Pure ASGI, so that a body over the limit is never held in memory or on disk, and counted as it
arrives: a missing or lying Content-Length changes nothing. Bodies that still arrive have places of
their own: however many callers send slowly, those who have sent are answered.
"""

import asyncio
from collections.abc import Callable
from contextvars import ContextVar
from time import monotonic

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from roadworthy.serving.refusals import Refusal, request_id

FORM_BYTES = 64 * 1024
"""What a form adds to its files."""
DRAINED = 4
"""A refused body is read and thrown away up to this many times the limit: most callers only look at
the answer when they have sent everything."""
FIRST = 1 / 3
"""Share of the time for a body in which its first byte must come."""
PUSHED_SECONDS = 2.0
"""A body that has been arriving for longer gives its place to a newcomer when there is none left."""
HELD = 16
"""As many of the largest bodies may be held at once, with what is fetched for their requests."""
DIGITS = 18
"""Of a Content-Length; `int` would refuse to read thousands of them."""


class Limits:
    """Middleware that refuses with 413 (too large), 408 (too slow) or 429 (too many at once).

    A `Refusal` that is raised inside is answered too, after the body has been read and thrown away.

    Args:
        app: what answers.
        max_bytes: largest body; a function where that may change, called once a request.
        seconds: longest time for sending the body.
        requests: most requests that are worked on at once.
        bodies: most bodies that arrive at once; None: four times `requests`.
        held: most bytes of all bodies that are arriving or worked on, and of what was fetched for
            them (see `charge`); None: what 16 of the largest bodies have.
    """

    def __init__(
        self,
        app: ASGIApp,
        max_bytes: int | Callable[[], int],
        seconds: float = 30.0,
        requests: int = 64,
        bodies: int | None = None,
        held: int | None = None,
    ) -> None:
        self.app, self.seconds, self.requests = app, seconds, requests
        self.max_bytes = max_bytes if callable(max_bytes) else lambda: max_bytes
        self.bodies = bodies or 4 * requests
        self.most_held = held
        self.arriving: dict[_Body, None] = {}  # in the order of their coming
        self.working: set[_Body] = set()
        self.held = 0
        self.draining = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer or refuse one request."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        body = _Body(receive, scope, self)

        async def told(message: Message) -> None:
            # Nobody is there to be told, or what the application says about a broken body.
            if body.gone or (body.refusal and not body.answered):
                return
            await _tell(body, message, send)

        token = _current.set(body)
        try:
            body.refusal = _strange_length(scope) or self._enter(body)
            if body.refusal is None:
                await self._answer(scope, body, told)
            if body.refusal and not body.answered and not body.gone:
                body.answered = True
                await body.refusal.answer(request_id(scope))(scope, receive, told)
        finally:
            _current.reset(token)
            self._leave(body)

    async def _answer(self, scope: Scope, body: "_Body", send: Send) -> None:
        try:
            await self.app(scope, body.receive, send)
        except Refusal as refusal:
            if body.answered:
                raise
            body.refusal = body.refusal or refusal
        except Exception:
            if body.refusal is None and not body.gone:
                raise

    def _enter(self, body: "_Body") -> Refusal | None:
        """Give a place to a request, or say why not."""
        if not body.announced:
            return None  # what has no body is little work, and figures are wanted when all is busy
        if body.declared > body.most:
            return too_large(body.most)
        if len(self.working) >= self.requests:
            return _too_many(self.requests)
        if len(self.arriving) >= self.bodies and not self._push_out():
            return _too_many(self.bodies)
        self.arriving[body] = None
        return None

    def _push_out(self) -> bool:
        """Take the place of the body that has been arriving longest, where that is long."""
        oldest = next(iter(self.arriving))
        if monotonic() - oldest.start < PUSHED_SECONDS:
            return False
        del self.arriving[oldest]
        oldest.hurry()
        return True

    def took(self, body: "_Body", count: int) -> Refusal | None:
        """Count bytes of a body that goes on to the application, or say why it may not."""
        full = self.hold(body, count)
        if body.seen > body.most:
            return too_large(body.most)
        if full:
            return full
        if body.complete and body.seen and body not in self.working:
            if len(self.working) >= self.requests:
                return _too_many(self.requests)
            self.arriving.pop(body, None)
            self.working.add(body)
        return None

    def hold(self, body: "_Body", count: int) -> Refusal | None:
        """Count bytes that are held until a request is over, or say that there is no room."""
        self.held += count
        body.held += count
        if self.held > (self.most_held or HELD * body.most):
            return _too_many(len(self.arriving) + len(self.working))
        return None

    def _leave(self, body: "_Body") -> None:
        self.arriving.pop(body, None)
        self.working.discard(body)
        self.held -= body.held


class _Body:
    """A request body that is counted while it is received."""

    def __init__(self, receive: Receive, scope: Scope, limits: Limits) -> None:
        self._receive, self._limits, self.scope = receive, limits, scope
        self.most = limits.max_bytes()
        names = {name for name, _ in scope["headers"]}
        self.declared = _declared(scope)
        self.announced = bool(self.declared or b"transfer-encoding" in names)
        self.complete = False
        self._waits = b"expect" in names
        self.seen = self.held = 0
        self.gone = False
        """The caller left before the last byte."""
        self.refusal: Refusal | None = None
        self.answered = False
        self.start = monotonic()
        self._deadline = self.start + limits.seconds
        self._timer: asyncio.Timeout | None = None

    async def receive(self) -> Message:
        if self.refusal:
            raise self.refusal
        if self.complete:
            # Now it is only about when the caller leaves, for which there is no hurry.
            return await self._receive()
        try:
            message = await self._next()
        except TimeoutError:
            self.refusal = _too_slow()
            raise self.refusal from None
        if not self.gone:
            self.refusal = self._limits.took(self, len(message.get("body", b"")))
        if self.refusal:
            raise self.refusal
        return message

    async def drain(self) -> None:
        """Read the rest and throw it away, within limits."""
        # Who asks before sending, as curl does, hears the refusal instead of "continue".
        if (self._waits and not self.seen) or self._limits.draining >= self._limits.bodies:
            return
        self._limits.draining += 1
        try:
            while not self.complete and self.seen <= DRAINED * self.most:
                await self._next()
        except TimeoutError:
            return
        finally:
            self._limits.draining -= 1

    def charge(self, count: int) -> None:
        if full := self._limits.hold(self, count):
            raise full

    def hurry(self) -> None:
        """Give up waiting for more, now."""
        self._deadline = 0.0
        if self._timer and not self._timer.expired():
            self._timer.reschedule(0.0)

    async def _next(self) -> Message:
        deadline = self._deadline
        if not self.seen:
            deadline = min(deadline, self.start + FIRST * self._limits.seconds)
        left = deadline - monotonic()
        if left <= 0:
            raise TimeoutError
        try:
            async with asyncio.timeout(left) as self._timer:
                message = await self._receive()
        finally:
            self._timer = None
        self.seen += len(message.get("body", b""))
        self.gone = message["type"] != "http.request"
        self.complete = self.gone or not message.get("more_body", False)
        return message


_current: ContextVar[_Body | None] = ContextVar("_current", default=None)
"""The request that is answered here; tasks that it starts see it too."""


def charge(count: int) -> None:
    """Count bytes that the current request holds besides its body, until it is over.

    Nothing where no `Limits` is outside.

    Raises:
        Refusal: all requests together hold too much.
    """
    if body := _current.get():
        body.charge(count)


def current() -> Scope | None:
    """The scope of the current request; None where no `Limits` is outside."""
    body = _current.get()
    return body.scope if body else None


async def _tell(body: _Body, message: Message, send: Send) -> None:
    """Send, after the rest of the body has been read; or close where that takes too long."""
    if message["type"] == "http.response.start":
        body.answered = True
        if body.announced and not body.complete:
            await body.drain()
        if body.announced and not body.complete:
            MutableHeaders(scope=message)["connection"] = "close"
    await send(message)


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
    return Refusal(
        429,
        "busy",
        f"{requests} requests are already being received or answered",
        "try again soon",
        {"Retry-After": "2"},
    )


def _strange_length(scope: Scope) -> Refusal | None:
    """The refusal of a Content-Length that two programs could read differently (RFC 9112, 6.3)."""
    lengths = {value for name, value in scope["headers"] if name == b"content-length"}
    coded = any(name == b"transfer-encoding" for name, _ in scope["headers"])
    if len(lengths) + coded > 1 or not all(value.isdigit() for value in lengths):
        return Refusal(
            400,
            "bad_length",
            "the request does not say in one way how long it is",
            "send one Content-Length, or Transfer-Encoding: chunked",
        )
    return None


def _declared(scope: Scope) -> int:
    lengths = [value for name, value in scope["headers"] if name == b"content-length"]
    digits = lengths[0].lstrip(b"0") if lengths else b""
    return int(digits[: DIGITS + 1]) if digits.isdigit() else 0
