"""A request that is not answered: one shape for all of them, and what to do about it."""

from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

WORD = "refusal"
"""Where in a request's state its refusal's word is, for whoever counts and logs."""


class Refusal(HTTPException):
    """A request that cannot be answered as it is.

    Args:
        status: HTTP status, 400 to 499 (500 when the fault is ours).
        error: one word for programs, from the code and never from the request: it is counted.
        message: what was wrong, for people.
        hint: what to do next.
        headers: such as `Retry-After`.
    """

    def __init__(
        self,
        status: int,
        error: str,
        message: str,
        hint: str,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, message, dict(headers or {}))
        self.error, self.message, self.hint = error, message, hint

    def answer(self, request_id: str) -> JSONResponse:
        """The response: `{error, message, hint, request_id}`."""
        return _Answer(self, request_id)


class _Answer(JSONResponse):
    """Leaves the word in the request's state."""

    def __init__(self, refusal: Refusal, request_id: str) -> None:
        body = {"error": refusal.error, "message": refusal.message, "hint": refusal.hint}
        super().__init__({**body, "request_id": request_id}, refusal.status_code, refusal.headers)
        self.error = refusal.error

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("state", {})[WORD] = self.error
        await super().__call__(scope, receive, send)


# Where a request gets its name and where everybody finds it.
def request_id(scope: object) -> str:
    """The id of the request with this ASGI scope; empty before it has one."""
    state = scope.get("state", {}) if isinstance(scope, dict) else {}
    return str(state.get("request_id", ""))


def fault() -> Refusal:
    """Something broke on our side; says nothing of the inside."""
    return Refusal(
        500,
        "internal",
        "the service failed to answer",
        "try again; if it stays, report the request_id, which the log has too",
    )


def too_long() -> Refusal:
    """There was more to do than could be done in time."""
    return Refusal(
        503,
        "overloaded",
        "the service could not answer in time",
        "try again later, or send fewer images",
        {"retry-after": "10"},
    )
