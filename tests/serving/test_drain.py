"""Told to stop, a process answers what has reached it, and refuses the rest at once."""

import http.client
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from roadworthy.serving.drain import Drain
from support import free_port

# Handed its listening socket by a parent that keeps it open, as BentoML does.
SERVER = """
import asyncio, socket, sys
from contextlib import asynccontextmanager
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from roadworthy.serving.drain import Drain

drain = Drain()

@asynccontextmanager
async def life(app):
    assert drain.watch()
    yield
    print("ended", flush=True)

async def answer(request: Request):
    body = await request.body()
    print("begun", flush=True)
    await asyncio.sleep(float(request.query_params.get("seconds", 0)))
    return PlainTextResponse(str(len(body)))

app = drain.closing(Starlette(routes=[Route("/", answer, methods=["POST"])], lifespan=life))
port = socket.socket(fileno=int(sys.argv[1]))
uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[port])
"""
QUICK = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\nconnection: close\r\n\r\nabc"
DEFAULT_SIGNALS = ("env", "--default-signal=INT,QUIT,TERM,HUP")


class Server:
    """A process that serves, and what it says."""

    def __init__(self) -> None:
        self.port = free_port()
        self.listener = socket.create_server(("127.0.0.1", self.port))
        number = self.listener.fileno()
        self.process = subprocess.Popen(
            [*DEFAULT_SIGNALS, sys.executable, "-c", SERVER, str(number)],
            pass_fds=[number],
            stdout=subprocess.PIPE,
            text=True,
        )

    def said(self) -> str:
        """Its next line; waits for it."""
        assert self.process.stdout
        return self.process.stdout.readline().strip()

    def connect(self) -> http.client.HTTPConnection:
        """A connection on which something was answered, and that waits for more."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("POST", "/", b"abc")
        assert self.said() == "begun"
        answer = connection.getresponse()
        assert (answer.read(), answer.getheader("connection")) == (b"3", None)
        return connection

    def stop(self) -> None:
        """Ask it to."""
        self.process.send_signal(signal.SIGTERM)


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.process.kill()
    server.process.wait()
    assert server.process.stdout
    server.process.stdout.close()
    server.listener.close()


def refused(server: Server) -> bool:
    try:
        socket.create_connection(("127.0.0.1", server.port), timeout=30).close()
    except ConnectionRefusedError:
        return True
    return False


def wait_until_refused(server: Server) -> None:
    while not refused(server):
        threading.Event().wait(0.01)


def test_what_was_begun_is_answered(server: Server) -> None:
    """A request at work and a body on its way are answered; newcomers are refused meanwhile."""
    working, sending = server.connect(), server.connect()
    working.request("POST", "/?seconds=1.5", b"abcd")
    assert server.said() == "begun"
    sending.putrequest("POST", "/")
    sending.putheader("content-length", "6")
    sending.endheaders(b"abc")
    server.stop()
    wait_until_refused(server)
    sending.send(b"def")
    for connection, length in ((sending, b"6"), (working, b"4")):
        answer = connection.getresponse()
        assert (answer.read(), answer.getheader("connection")) == (length, "close")
    assert server.process.wait(20) in (0, -signal.SIGTERM)
    assert [server.said(), server.said()] == ["begun", "ended"]


def test_a_request_on_a_kept_connection_is_answered(server: Server) -> None:
    """Who has a connection may not know yet that the process is about to go."""
    kept = server.connect()
    server.stop()
    wait_until_refused(server)
    kept.request("POST", "/", b"ab")
    answer = kept.getresponse()
    assert (answer.read(), answer.getheader("connection")) == (b"2", "close")
    assert server.process.wait(20) in (0, -signal.SIGTERM)


@pytest.mark.parametrize("round_number", range(3))
def test_newcomers_are_answered_or_refused(server: Server, round_number: int) -> None:
    """A connection that was taken in is never dropped half-way, however many come at the moment."""
    answers: list[bytes] = []
    lost: list[OSError] = []

    def ask() -> None:
        while True:
            try:
                connection = socket.create_connection(("127.0.0.1", server.port), timeout=30)
            except ConnectionRefusedError:
                return
            with connection:
                try:
                    connection.sendall(QUICK)
                    answers.append(connection.recv(12))
                except OSError as error:
                    lost.append(error)

    callers = [threading.Thread(target=ask) for _ in range(16)]
    for caller in callers:
        caller.start()
    for _ in range(200):
        assert server.said() == "begun"
    server.stop()
    assert server.process.stdout
    rest = server.process.stdout.read()
    for caller in callers:
        caller.join()
    assert not lost
    assert set(answers) == {b"HTTP/1.1 200"}
    assert len(answers) == 200 + rest.count("begun")


def test_silent_connections_hold_nothing_up(server: Server) -> None:
    """Somebody who keeps a connection and says nothing is left after a second, also if told twice."""
    kept = server.connect()
    server.stop()
    server.stop()
    assert server.process.wait(20) in (0, -signal.SIGTERM)
    assert kept.sock.recv(1) == b""
    kept.close()


def test_the_port_can_be_used_again_by_the_parent(server: Server) -> None:
    """BentoML starts a new worker on the same socket when one of them ends."""
    server.connect().close()
    server.stop()
    server.process.wait(20)
    assert refused(server)
    server.listener.listen()
    assert not refused(server)


def test_other_servers_keep_their_handler() -> None:
    """Where no uvicorn is, as in tests of the application, nothing is taken over."""
    before = signal.getsignal(signal.SIGTERM)
    assert not Drain().watch()
    assert signal.getsignal(signal.SIGTERM) is before
