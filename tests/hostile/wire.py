"""Bytes to a server and back, with nothing in between that would make them well-formed."""

import io
import json
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from http.client import HTTPMessage, HTTPResponse
from time import sleep
from typing import Any

HANGS = 60.0
"""Seconds without a byte after which nobody expects one any more."""
BOUNDARY = b"a-boundary-that-no-file-has"
REFUSAL = {"error", "message", "hint", "request_id"}
INSIDES = re.compile(r"Traceback|site-packages|\.py\b|File \"|0x[0-9a-f]{8}|<class|object at ")


@dataclass(frozen=True)
class Answer:
    """One response."""

    status: int
    headers: HTTPMessage
    body: bytes

    def json(self) -> Any:
        """The body, which must be strict JSON: neither NaN nor infinity."""

        def never(word: str) -> None:
            raise AssertionError(f"{word} is no JSON")

        return json.loads(self.body, parse_constant=never)

    @property
    def word(self) -> str:
        """`answered`, or the word of a refusal in its one right shape."""
        if self.status < 400:
            return "answered"
        assert self.status < 500, (self.status, self.body)
        assert self.headers.get_content_type() == "application/json", self.body
        body = self.json()
        assert set(body) == REFUSAL, body
        assert all(isinstance(text, str) and text for text in body.values()), body
        assert body["request_id"] == self.headers["x-request-id"]
        assert len(body["message"]) < 1000, body
        assert not INSIDES.search(body["message"] + body["hint"]), body
        return str(body["error"])


class _Received:
    """What `http.client` takes for a socket."""

    def __init__(self, data: io.BytesIO) -> None:
        self.data = data

    def makefile(self, mode: str) -> io.BytesIO:
        return self.data


def ask(
    port: int, *parts: bytes, pause: float = 0.0, half: bool = False, leave: bool = False
) -> list[Answer]:
    """Send parts, one after the other, and read until the server closes.

    Args:
        pause: seconds between the parts.
        half: close the sending side afterwards.
        leave: close without reading.

    Raises:
        TimeoutError: the server neither answers nor closes.
    """
    with socket.create_connection(("127.0.0.1", port), HANGS) as connection:
        try:
            for number, part in enumerate(parts):
                sleep(pause if number else 0.0)
                connection.sendall(part)
            if half:
                connection.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it has heard enough; what it said can perhaps still be read
        return [] if leave else answers(_all(connection))


def _all(connection: socket.socket) -> bytes:
    data = bytearray()
    try:
        while part := connection.recv(1 << 16):
            data += part
    except ConnectionResetError:
        pass
    return bytes(data)


def answers(data: bytes) -> list[Answer]:
    """The responses in what was received."""
    file, found = io.BytesIO(data), []
    # `http.client` closes what it has read to the end.
    file.close = lambda: None  # type: ignore[method-assign]
    while file.tell() < len(data):
        response = HTTPResponse(_Received(file))  # type: ignore[arg-type]
        response.begin()
        body = response.read()
        if response.status >= 200:
            found.append(Answer(response.status, response.headers, body))
    return found


def post(path: str, body: bytes, kind: str, *headers: str) -> bytes:
    """A whole request, after which the connection is closed."""
    lines = (
        f"POST {path} HTTP/1.1",
        "Host: localhost",
        f"Content-Type: {kind}",
        f"Content-Length: {len(body)}",
        "Connection: close",
        *headers,
    )
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def form(*parts: bytes) -> bytes:
    """A multipart body."""
    between = b"--" + BOUNDARY
    return b"".join(between + b"\r\n" + part + b"\r\n" for part in parts) + between + b"--\r\n"


def field(name: bytes, value: bytes) -> bytes:
    """A part of a form that is no file."""
    return b'Content-Disposition: form-data; name="' + name + b'"\r\n\r\n' + value


def file(content: bytes, filename: bytes = b"car.jpg", name: bytes = b"file") -> bytes:
    """A part of a form that is a file."""
    head = b'Content-Disposition: form-data; name="' + name + b'"; filename="' + filename
    return head + b'"\r\nContent-Type: image/jpg\r\n\r\n' + content


def upload(path: str, parts: Iterable[bytes], *headers: str) -> bytes:
    """A whole request with a form."""
    return post(path, form(*parts), f"multipart/form-data; boundary={BOUNDARY.decode()}", *headers)
