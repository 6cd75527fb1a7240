"""The one shape of what is not answered."""

import json

from fastapi import FastAPI, Request, Response
from starlette.testclient import TestClient

from roadworthy.serving.refusals import WORD, Refusal, fault, request_id


def test_one_shape_with_its_own_headers() -> None:
    """The headers are those of the refusal, and the word is left for whoever counts."""
    app, seen = FastAPI(), []

    @app.exception_handler(Refusal)
    async def refused(request: Request, refusal: Refusal) -> Response:
        seen.append(request.scope["state"])
        return refusal.answer(request_id(request.scope))

    @app.get("/")
    async def index(request: Request) -> None:
        request.state.request_id = "r1"
        raise Refusal(429, "word", "message", "hint", {"Retry-After": "7"})

    answer = TestClient(app).get("/")
    assert answer.status_code == 429
    assert answer.json() == {
        "error": "word",
        "message": "message",
        "hint": "hint",
        "request_id": "r1",
    }
    assert answer.headers["retry-after"] == "7"
    assert seen[0][WORD] == "word"


def test_our_own_fault_tells_nothing() -> None:
    """A 500 has the shape too, and no headers of its own."""
    body = json.loads(bytes(fault().answer("r2").body))
    assert (body["error"], body["request_id"]) == ("internal", "r2")
    assert request_id({}) == request_id(None) == ""
