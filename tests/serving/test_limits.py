import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from roadworthy.serving.limits import Limits

Message = dict[str, Any]


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Reads the whole body, as an application does, and says how long it was."""
    length, more = 0, True
    while more:
        message = await receive()
        length += len(message.get("body", b""))
        more = message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(length).encode()})


class Caller:
    """Sends chunks and keeps the answer."""

    def __init__(self, chunks: list[bytes], length: int | None = None, delay: float = 0.0) -> None:
        self.chunks, self.delay, self.sent = chunks, delay, 0
        headers = [] if length is None else [(b"content-length", str(length).encode())]
        self.scope = {"type": "http", "headers": headers, "state": {"request_id": "r1"}}
        self.answer: list[Message] = []
        self.feed = self.body()

    async def body(self) -> AsyncIterator[Message]:
        for number, chunk in enumerate(self.chunks):
            await asyncio.sleep(self.delay)
            self.sent += len(chunk)
            more = number + 1 < len(self.chunks)
            yield {"type": "http.request", "body": chunk, "more_body": more}

    async def receive(self) -> Message:
        async for message in self.feed:
            return message
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        self.answer.append(message)

    async def ask(self, app: Any) -> tuple[int, Any]:
        await app(self.scope, self.receive, self.send)
        assert [m["type"] for m in self.answer] == ["http.response.start", "http.response.body"]
        return self.answer[0]["status"], json.loads(self.answer[1]["body"])


def ask(caller: Caller, app: Any) -> tuple[int, Any]:
    return asyncio.run(caller.ask(app))


def test_a_body_within_the_limit_arrives_whole() -> None:
    """The limit counts, it does not cut: exactly the limit is allowed."""
    assert ask(Caller([b"x" * 50, b"x" * 50]), Limits(echo, 100)) == (200, 100)


def test_too_much_is_refused_with_and_without_content_length() -> None:
    """A missing, honest or lying Content-Length: all are 413, in the one shape."""
    for length in (None, 101, 5):
        status, body = ask(Caller([b"x" * 50, b"x" * 51], length), Limits(echo, 100))
        assert (status, body["error"], body["request_id"]) == (413, "too_large", "r1")


def test_an_endless_body_is_not_read_to_its_end() -> None:
    """A refused caller cannot keep us reading."""
    caller = Caller([b"x" * 50] * 1000)
    assert ask(caller, Limits(echo, 100))[0] == 413
    assert caller.sent < 1000


def test_a_slow_body_is_refused() -> None:
    """Somebody who sends a byte now and then does not hold a place for ever."""
    status, body = ask(Caller([b"x"] * 100, delay=0.05), Limits(echo, 1000, seconds=0.12))
    assert (status, body["error"]) == (408, "too_slow")


def test_too_many_at_once_are_refused_and_the_place_is_given_back() -> None:
    """Over the limit is 429 with a hint when to come again; afterwards all is as before."""
    app = Limits(echo, 100, requests=1)

    async def both() -> list[tuple[int, Any]]:
        slow, quick = Caller([b"x"] * 5, delay=0.02), Caller([b"x"])
        first = asyncio.create_task(slow.ask(app))
        await asyncio.sleep(0.01)
        second = await quick.ask(app)
        assert (b"retry-after", b"2") in quick.answer[0]["headers"]
        return [await first, second, await Caller([b"x"]).ask(app)]

    first, second, third = asyncio.run(both())
    assert first == (200, 5)
    assert (second[0], second[1]["error"]) == (429, "busy")
    assert third == (200, 1)


def test_an_application_that_swallows_the_error_changes_nothing() -> None:
    """A framework that turns the broken body into an answer of its own is overruled."""

    async def stubborn(scope: Any, receive: Any, send: Any) -> None:
        try:
            await echo(scope, receive, send)
        except Exception:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"{}"})

    assert ask(Caller([b"x" * 101]), Limits(stubborn, 100))[0] == 413
