import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from roadworthy.serving import limits
from roadworthy.serving.limits import Limits
from roadworthy.serving.refusals import Refusal

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

    def __init__(
        self,
        chunks: list[bytes],
        length: int | None = None,
        delay: float = 0.0,
        headers: list[tuple[bytes, bytes]] | None = None,
    ) -> None:
        self.chunks, self.delay, self.sent = chunks, delay, 0
        if headers is None:
            chunked = (b"transfer-encoding", b"chunked")
            headers = [(b"content-length", str(length).encode()) if length is not None else chunked]
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

    async def run() -> None:
        work = Work()
        app = Limits(work, 100, requests=1)
        first = asyncio.create_task(Caller([b"x"] * 5).ask(app))
        await work.begun.wait()
        quick = Caller([b"x"])
        status, body = await quick.ask(app)
        assert (status, body["error"]) == (429, "busy")
        assert (b"retry-after", b"2") in quick.answer[0]["headers"]
        # What has no body is answered: figures are wanted when all is busy.
        assert await Caller([b""], headers=[]).ask(Limits(echo, 100, requests=1)) == (200, 0)
        work.go.set()
        assert await first == (200, 5)
        assert await Caller([b"x"]).ask(app) == (200, 1)
        nothing_left(app)

    asyncio.run(run())


class Work:
    """Reads the body, then works until told to finish."""

    def __init__(self) -> None:
        self.begun, self.go = asyncio.Event(), asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def worked(message: Message) -> None:
            self.begun.set()
            await self.go.wait()
            await send(message)

        await echo(scope, receive, worked)


def nothing_left(app: Limits) -> None:
    """Whatever happened, every place and every byte was given back."""
    assert (len(app.arriving), len(app.working), app.held, app.draining) == (0, 0, 0, 0)


class Silent(Caller):
    """Announces a body and never sends it."""

    async def receive(self) -> Message:
        await asyncio.sleep(60)
        raise AssertionError("waited for ever")


def test_slow_bodies_do_not_starve_the_others() -> None:
    """However many send slowly, one who has sent is answered, and the slow ones run out of time."""

    async def run() -> None:
        app = Limits(echo, 100, seconds=0.6, requests=2, bodies=128)
        slow = [asyncio.create_task(Silent([], 50).ask(app)) for _ in range(127)]
        await asyncio.sleep(0)
        assert await Caller([b"x"] * 3, 3).ask(app) == (200, 3)
        slow.append(asyncio.create_task(Silent([], 50).ask(app)))
        await asyncio.sleep(0)
        status, body = await Caller([b"x"], 1).ask(app)
        assert (status, body["error"]) == (429, "busy")  # none of them is old enough to give way
        answers = await asyncio.gather(*slow)
        assert {(status, body["error"]) for status, body in answers} == {(408, "too_slow")}
        nothing_left(app)

    asyncio.run(run())


def test_a_body_that_arrives_for_long_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Holding all places for bodies does not keep others out."""
    monkeypatch.setattr(limits, "PUSHED_SECONDS", 0.0)

    async def run() -> None:
        app = Limits(echo, 100, requests=2, bodies=3)
        slow = [asyncio.create_task(Silent([], 50).ask(app)) for _ in range(3)]
        await asyncio.sleep(0)
        assert await Caller([b"x"] * 3, 3).ask(app) == (200, 3)
        status, body = await slow[0]
        assert (status, body["error"]) == (408, "too_slow")
        assert not slow[1].done() and not slow[2].done()
        for task in slow[1:]:
            task.cancel()
        await asyncio.gather(*slow, return_exceptions=True)
        nothing_left(app)

    asyncio.run(run())


def test_the_first_byte_is_waited_for_less(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who announces a body and sends nothing loses the place long before the slow ones do."""
    monkeypatch.setattr(limits, "FIRST", 0.001)

    class Late(Caller):
        async def body(self) -> AsyncIterator[Message]:
            yield {"type": "http.request", "body": b"x", "more_body": True}
            await asyncio.sleep(0.2)
            yield {"type": "http.request", "body": b"x", "more_body": False}

    app = Limits(echo, 100, seconds=50)
    assert ask(Silent([], 2), app)[1]["error"] == "too_slow"
    assert ask(Late([], 2), app) == (200, 2)


def test_the_bytes_of_all_together_are_limited() -> None:
    """Many bodies of allowed size are together no more than fits."""

    async def run() -> None:
        work = Work()
        app = Limits(work, 100, held=150)
        first = asyncio.create_task(Caller([b"x" * 100]).ask(app))
        await work.begun.wait()
        status, body = await Caller([b"x" * 51]).ask(app)
        assert (status, body["error"]) == (429, "busy")
        work.go.set()
        assert await first == (200, 100)
        nothing_left(app)

    asyncio.run(run())


def test_what_is_fetched_for_a_request_is_held_too() -> None:
    """Bytes that come by another way than the body fill the same budget, and leave it again."""

    async def fetching(scope: Any, receive: Any, send: Any) -> None:
        assert limits.current() is scope
        async with asyncio.TaskGroup() as group:
            group.create_task(charging(90))
        await echo(scope, receive, send)

    async def charging(count: int) -> None:
        limits.charge(count)

    async def run() -> None:
        app = Limits(fetching, 100, held=100)
        assert await Caller([b"x" * 10]).ask(app) == (200, 10)
        nothing_left(app)
        assert (await Caller([b"x" * 11]).ask(app))[0] == 429
        nothing_left(app)
        full = Limits(fetching, 100, held=80)
        with pytest.raises(ExceptionGroup) as caught:
            await Caller([b"x"]).ask(full)
        assert isinstance(refusal := caught.value.exceptions[0], Refusal)
        assert (refusal.status_code, refusal.error) == (429, "busy")
        nothing_left(full)
        limits.charge(1000)  # outside of a request

    asyncio.run(run())


def test_the_limit_may_grow_while_it_runs() -> None:
    """A followed champion that takes larger images is not held to the limit of the first one."""
    most = [100]
    app = Limits(echo, lambda: most[0])
    assert ask(Caller([b"x" * 101]), app)[0] == 413
    most[0] = 101
    assert ask(Caller([b"x" * 101], 101), app) == (200, 101)


@pytest.mark.parametrize(
    ("status", "lengths"),
    [
        (400, [b"-1"]),
        (400, [b"+5"]),
        (400, [b"5,5"]),
        (400, [b"5 "]),
        (400, [b""]),
        (400, [b"0x5"]),
        (400, ["٥".encode()]),
        (400, [b"5", b"6"]),
        (200, [b"5", b"5"]),
        (200, [b"5"]),
        (200, [b"0" * 5000 + b"5"]),
        (413, [b"9" * 5000]),
        (413, [b"9" * 19]),
        (413, [b"101"]),
    ],
)
def test_strange_lengths(status: int, lengths: list[bytes]) -> None:
    """No Content-Length breaks us, and none that two programs read differently is taken."""
    headers = [(b"content-length", length) for length in lengths]
    answered = ask(Caller([b"x" * 5], headers=headers), Limits(echo, 100))
    assert answered[0] == status
    both = [*headers, (b"transfer-encoding", b"chunked")]
    assert ask(Caller([b"x" * 5], headers=both), Limits(echo, 100))[0] == 400


def test_who_asks_first_need_not_send() -> None:
    """curl waits for a word before it sends much: it is refused before it has sent anything."""
    asking = [(b"content-length", b"101"), (b"expect", b"100-continue")]
    caller = Caller([b"x" * 101], headers=asking)
    assert ask(caller, Limits(echo, 100))[0] == 413
    assert caller.sent == 0
    assert (b"connection", b"close") in caller.answer[0]["headers"]


async def deaf(scope: Any, receive: Any, send: Any) -> None:
    """Answers without reading."""
    await send({"type": "http.response.start", "status": 404, "headers": []})
    await send({"type": "http.response.body", "body": b"0"})


def test_an_answer_waits_for_the_body_but_not_for_ever() -> None:
    """Most callers listen when they have sent; who never stops sending is cut off."""
    reading = Caller([b"x" * 50] * 3)
    assert ask(reading, Limits(deaf, 100))[0] == 404
    assert reading.sent == 150
    assert not reading.answer[0]["headers"]
    endless = Caller([b"x" * 50] * 1000)
    assert ask(endless, Limits(deaf, 100))[0] == 404
    assert endless.sent < 1000
    assert (b"connection", b"close") in endless.answer[0]["headers"]


def test_a_refusal_from_inside_is_answered() -> None:
    """Whoever asks too often or without a key gets the one shape, after sending."""

    async def refusing(scope: Any, receive: Any, send: Any) -> None:
        raise Refusal(401, "no_key", "no key", "send one")

    caller = Caller([b"x" * 50] * 3)
    status, body = ask(caller, Limits(refusing, 100))
    assert (status, body["error"], body["request_id"]) == (401, "no_key", "r1")
    assert caller.sent == 150


def test_a_caller_who_leaves_is_no_error() -> None:
    """Half a body and then nobody: nothing is raised, nothing is sent."""

    async def framework(scope: Any, receive: Any, send: Any) -> None:
        if (await receive())["more_body"] and (await receive())["type"] == "http.disconnect":
            raise RuntimeError("nobody is there")

    class Leaving(Caller):
        async def body(self) -> AsyncIterator[Message]:
            yield {"type": "http.request", "body": b"x", "more_body": True}

    async def run() -> None:
        app, caller = Limits(framework, 100), Leaving([], 50)
        await app(caller.scope, caller.receive, caller.send)
        assert caller.answer == []
        nothing_left(app)

    asyncio.run(run())


def test_an_application_that_swallows_the_error_changes_nothing() -> None:
    """A framework that turns the broken body into an answer of its own is overruled."""

    async def stubborn(scope: Any, receive: Any, send: Any) -> None:
        try:
            await echo(scope, receive, send)
        except Exception:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"{}"})

    assert ask(Caller([b"x" * 101]), Limits(stubborn, 100))[0] == 413
