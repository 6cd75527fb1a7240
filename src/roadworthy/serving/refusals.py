"""A request that is not answered: one shape for all of them, and what to do about it."""

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse


class Refusal(HTTPException):
    """A request that cannot be answered as it is.

    Args:
        status: HTTP status, 400 to 499 (500 when the fault is ours).
        error: one word for programs.
        message: what was wrong, for people.
        hint: what to do next.
    """

    def __init__(self, status: int, error: str, message: str, hint: str) -> None:
        super().__init__(status, message)
        self.error, self.message, self.hint = error, message, hint

    def answer(self, request_id: str) -> JSONResponse:
        """The response: `{error, message, hint, request_id}`."""
        body = {"error": self.error, "message": self.message, "hint": self.hint}
        headers = {"retry-after": "2"} if self.status_code == 429 else None
        return JSONResponse({**body, "request_id": request_id}, self.status_code, headers)


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
