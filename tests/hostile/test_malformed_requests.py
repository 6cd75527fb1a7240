"""A service among malformed requests: each gets a 4xx or a closed door, and the next caller an answer."""

import json
import socket
from contextlib import ExitStack
from time import sleep

import pytest

from hostile.requests import GOOD, Request, requests
from hostile.server import Server
from hostile.wire import HANGS, Answer, ask, file, upload

ALL = requests()
SLOW = [request for request in ALL if "too_slow" in request.allowed]
GROWTH = 30_000_000


def word(answer: Answer) -> str:
    """As `Answer.word`; what the HTTP server itself refuses never comes to the application."""
    if answer.status == 400 and "x-request-id" not in answer.headers:
        return "bad_http"
    return answer.word


def check(server: Server, request: Request) -> None:
    """One request, and the answer it gets."""
    found = ask(server.port, *request.parts, pause=request.pause, half=request.half)
    words = {word(answer) for answer in found} or {"closed"}
    assert words <= request.allowed, (request.name, words, [one.body[:300] for one in found])
    assert not any("set-cookie" in one.headers for one in found), request.name


def usual(server: Server) -> None:
    """A usual request is answered as ever."""
    [answer] = ask(server.port, GOOD)
    assert answer.word == "answered"


def test_there_are_enough() -> None:
    """A collection that shrinks unseen protects nobody."""
    assert len({request.parts for request in ALL}) >= 150
    assert len({request.name for request in ALL}) == len(ALL)


@pytest.mark.parametrize("request_", ALL, ids=str)
def test_it_is_refused_and_the_next_one_is_answered(server: Server, request_: Request) -> None:
    """No 5xx, no hang, one shape; nobody else notices."""
    check(server, request_)
    usual(server)


def test_nothing_is_left_behind(server: Server) -> None:
    """Neither memory, nor connections, nor an error of ours in the log."""
    quick = [request for request in ALL if request not in SLOW]
    for request in quick:
        check(server, request)
    before = server.memory
    for request in quick:
        check(server, request)
    usual(server)
    assert server.memory - before < GROWTH
    assert server.connections <= 1
    assert "Traceback" not in server.output.read_text(errors="replace")


def test_callers_that_leave(server: Server) -> None:
    """In the middle of a head, of a body, or before the answer."""
    for cut in (10, 150, 400, len(GOOD) // 2, len(GOOD) - 1, len(GOOD)):
        for _ in range(5):
            ask(server.port, GOOD[:cut], leave=True)
    usual(server)


def test_many_who_never_finish(server: Server) -> None:
    """A hundred half heads and a hundred half bodies are open; who asks properly is answered."""
    with ExitStack() as open_ones:
        for number in range(200):
            one = open_ones.enter_context(
                socket.create_connection(("127.0.0.1", server.port), HANGS)
            )
            one.sendall(GOOD[:60] if number % 2 else GOOD[:-20])
        for _ in range(5):
            usual(server)
    sleep(0.2)
    usual(server)


def test_what_was_said_stays_in_the_log_as_one_line(server: Server) -> None:
    """Names and comments of callers cannot write log lines of their own."""
    name = b"a%0d%0aforged\xe2\x80\xa8line\x85.png"
    [answer] = ask(
        server.port, upload("/predict", [file(b"no", name)], "X-Request-Id: forged\tline")
    )
    assert answer.word == "unusable_image"
    for line in server.output.read_text(errors="replace").splitlines():
        assert not line.startswith("forged")
    journals = [path for path in (server.output.parent / "log").rglob("*.jsonl*") if path.is_file()]
    for path in journals:
        for line in path.read_bytes().splitlines():
            json.loads(line)
    assert journals
