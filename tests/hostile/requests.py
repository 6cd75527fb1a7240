"""Malformed requests, byte by byte, and what may be said to each."""

from collections.abc import Iterator
from dataclasses import dataclass

from broken_files import PNG
from hostile.wire import BOUNDARY, file, form, upload

HTTP = frozenset({"bad_http"})
"""The HTTP server itself refuses what it cannot read."""
CLOSED = frozenset({"closed"})
ANSWERED = frozenset({"answered"})
FORM = frozenset({"invalid", "no_image"})
MULTIPART = f"multipart/form-data; boundary={BOUNDARY.decode()}"
GOOD = upload("/predict", [file(PNG)])


@dataclass(frozen=True)
class Request:
    """What is sent, and the words with which it may be answered."""

    name: str
    parts: tuple[bytes, ...]
    allowed: frozenset[str]
    half: bool = False
    """Whether the sending side is closed afterwards."""
    pause: float = 0.0
    """Seconds between the parts."""

    def __str__(self) -> str:
        return self.name


def requests() -> list[Request]:
    """All of them."""
    from hostile import forms

    return [*_lines(), *_lengths(), *_chunks(), *_connections(), *forms.cases()]


def _request(line: str, *headers: str, body: bytes = b"") -> bytes:
    lines = (line, "Host: localhost", "Connection: close", *headers)
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def _lines() -> Iterator[Request]:
    """Request lines and heads."""
    lines = {
        "no method": ("/ HTTP/1.1", HTTP),
        "a method of punctuation": ("<> / HTTP/1.1", HTTP),
        "a method that nobody knows": ("BREW /predict HTTP/1.1", frozenset({"method"})),
        "TRACE": ("TRACE /predict HTTP/1.1", frozenset({"method"})),
        "a tunnel": ("CONNECT 127.0.0.1:22 HTTP/1.1", HTTP | {"not_found", "method"}),
        "another server's address": (
            "GET http://127.0.0.1:22/secret HTTP/1.1",
            frozenset({"not_found"}),
        ),
        "an address without a slash": ("GET tasks HTTP/1.1", HTTP | {"not_found"}),
        "a star": ("OPTIONS * HTTP/1.1", HTTP | {"not_found", "method"}),
        "HTTP/0.9": ("GET /tasks", HTTP),
        "HTTP/3.0": ("GET /tasks HTTP/3.0", HTTP | ANSWERED),
        "the beginning of HTTP/2": ("PRI * HTTP/2.0", HTTP | {"not_found"}),
        "a path of 60 kB": ("GET /" + "a" * 60_000 + " HTTP/1.1", HTTP | {"not_found"}),
        "a path of 8 kB": ("GET /" + "a" * 8_000 + " HTTP/1.1", frozenset({"not_found"})),
        "a path up and away": (
            "GET /assets/../../../../etc/passwd HTTP/1.1",
            frozenset({"not_found"}),
        ),
        "a path up and away, encoded": (
            "GET /assets/%2e%2e/%2e%2e/%2e%2e/etc/passwd HTTP/1.1",
            frozenset({"not_found"}),
        ),
        "a path up and away, twice encoded": (
            "GET /samples/%252e%252e%252fetc/passwd HTTP/1.1",
            frozenset({"not_found"}),
        ),
        "a path with a null byte": ("GET /assets/a%00.js HTTP/1.1", frozenset({"not_found"})),
        "a path with backslashes": (
            "GET /assets/..\\..\\etc\\passwd HTTP/1.1",
            frozenset({"not_found"}),
        ),
        "a path of percent nonsense": ("GET /%zz%f%%ff%c0%af HTTP/1.1", frozenset({"not_found"})),
        "a path of bytes": ("GET /\xff\xfe HTTP/1.1", HTTP | {"not_found"}),
        "a path of many slashes": ("GET " + "/" * 3000 + " HTTP/1.1", frozenset({"not_found"})),
        "a query of 30 kB": ("GET /tasks?" + "a=b&" * 7_500 + " HTTP/1.1", HTTP | ANSWERED),
        "another method": ("PUT /predict HTTP/1.1", frozenset({"method"})),
    }
    for name, (line, allowed) in lines.items():
        yield Request(name, (_request(line),), allowed)
    heads = {
        "a header without a colon": ("Nonsense", HTTP),
        "a header with a space before its colon": ("A : b", HTTP),
        "a header that goes on in the next line": ("A: b\r\n c", HTTP | ANSWERED),
        "a header with a null byte": ("A: b\0c", HTTP),
        "a header with a line end alone": ("A: b\nC: d", HTTP | ANSWERED),
        "a header of 60 kB": ("A: " + "b" * 60_000, HTTP | ANSWERED),
        "a thousand headers": ("\r\n".join(f"A{n}: b" for n in range(1000)), HTTP | ANSWERED),
        "a name that injects a header": ("X-Request-Id: a%0d%0aSet-Cookie: b=c", ANSWERED),
        "a name of 60 kB": ("X-Request-Id: " + "a" * 50_000, HTTP | ANSWERED),
        "two hosts": ("Host: 127.0.0.1:22", HTTP | ANSWERED),
        "a forwarder that lies": (
            "X-Forwarded-For: 127.0.0.1, ::1, <script>, " + "1.1.1.1," * 200,
            ANSWERED,
        ),
        "an expectation that nobody has": ("Expect: miracles", HTTP | ANSWERED),
        "an upgrade to nothing": ("Upgrade: websocket\r\nConnection: Upgrade", HTTP | ANSWERED),
    }
    for name, (head, allowed) in heads.items():
        yield Request(name, (_request("GET /tasks HTTP/1.1", head),), allowed)
    yield Request("no host", (b"GET /tasks HTTP/1.1\r\nConnection: close\r\n\r\n",), HTTP)
    yield Request(
        "line ends alone",
        (b"GET /tasks HTTP/1.1\nHost: a\nConnection: close\n\n",),
        HTTP | ANSWERED,
    )
    yield Request(
        "TLS", (b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + bytes(200) + b"\r\n\r\n",), HTTP
    )
    yield Request("a PNG instead of a request", (PNG + b"\r\n\r\n",), HTTP)
    yield Request("null bytes instead of a request", (bytes(100_000),), HTTP)
    yield Request("nothing but line ends", (b"\r\n" * 100 + b"x\r\n\r\n",), HTTP)


def _predict(*headers: str, body: bytes = b"") -> bytes:
    return _request("POST /predict HTTP/1.1", *headers, body=body)


def _lengths() -> Iterator[Request]:
    body = form(file(PNG))
    kind = f"Content-Type: {MULTIPART}"
    lengths = {
        "a length that is negative": ("-5", HTTP),
        "a length with a sign": (f"+{len(body)}", HTTP),
        "a length of words": ("many", HTTP),
        "a length in hexadecimal": (hex(len(body)), HTTP),
        "a length of 5,000 digits": ("9" * 5000, HTTP | {"too_large"}),
        "a length of 5,000 zeros": ("0" * 5000 + str(len(body)), HTTP | {"too_large"} | ANSWERED),
        "a length of 10 TB": ("10000000000000", frozenset({"too_large"})),
        "a length that is empty": ("", HTTP),
        "a length with a comma": (f"{len(body)}, {len(body)}", HTTP | ANSWERED | {"bad_length"}),
        "a length that is too short": ("100", FORM),
        "a length of 0": ("0", FORM),
    }
    for name, (length, allowed) in lengths.items():
        yield Request(name, (_predict(kind, f"Content-Length: {length}", body=body),), allowed)
    two = (f"Content-Length: {len(body)}", "Content-Length: 5")
    yield Request("two lengths", (_predict(kind, *two, body=body),), HTTP)
    yield Request("no length", (_predict(kind, body=body),), FORM)
    longer = f"Content-Length: {len(body) + 50}"
    yield Request(
        "a length that is too long", (_predict(kind, longer, body=body),), frozenset({"too_slow"})
    )
    yield Request(
        "a length that is too long, and an end",
        (_predict(kind, longer, body=body),),
        HTTP | CLOSED,
        half=True,
    )
    # What one server takes for the body, another one takes for a second request.
    smuggled = b"0\r\n\r\nGET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"
    both = _predict(
        kind, f"Content-Length: {len(smuggled)}", "Transfer-Encoding: chunked", body=smuggled
    )
    yield Request("a length and chunks", (both,), HTTP | {"bad_length"})
    for word in ("xchunked", "identity", "chunked, identity", "gzip, chunked", "\x0bchunked"):
        yield Request(
            f"a transfer as {word!r}",
            (_predict(kind, f"Transfer-Encoding: {word}", body=b"0\r\n\r\n"),),
            HTTP | FORM,
        )


def _chunks() -> Iterator[Request]:
    head = _predict(f"Content-Type: {MULTIPART}", "Transfer-Encoding: chunked")
    bodies = {
        "a chunk of a negative size": (b"-1\r\nx\r\n0\r\n\r\n", HTTP),
        "a chunk of no size": (b"\r\nx\r\n0\r\n\r\n", HTTP),
        "a chunk of 32 digits": (b"f" * 32 + b"\r\nx", HTTP | {"too_slow", "too_large"}),
        "a chunk with a sign": (b"+5\r\nhello\r\n0\r\n\r\n", HTTP),
        "a chunk in words": (b"five\r\nhello\r\n0\r\n\r\n", HTTP),
        "a chunk that is longer than it says": (b"2\r\nhello\r\n0\r\n\r\n", HTTP),
        "a chunk with an extension of 100 kB": (
            b"1;" + b"a" * 100_000 + b"\r\nx\r\n0\r\n\r\n",
            HTTP | FORM,
        ),
        "chunks of one byte": (b"1\r\nx\r\n" * 20_000 + b"0\r\n\r\n", FORM),
        "chunks with a tail of headers": (b"0\r\n" + b"A: b\r\n" * 500 + b"\r\n", HTTP | FORM),
        "chunks that do not end": (b"5\r\nhello\r\n", frozenset({"too_slow"})),
    }
    for name, (body, allowed) in bodies.items():
        # What is wrong with a body may be seen while it is already being read as a form.
        yield Request(name, (head + body,), allowed | {"closed", "invalid"})


def _connections() -> Iterator[Request]:
    kept = b"GET /tasks HTTP/1.1\r\nHost: localhost\r\n\r\n"
    last = _request("GET /tasks HTTP/1.1")
    yield Request("a hundred requests at once", (kept * 100 + last,), ANSWERED)
    yield Request(
        "two posts at once", (GOOD.replace(b"Connection: close\r\n", b"") + GOOD,), ANSWERED
    )
    yield Request("a request and rubbish", (kept + b"\0\1\2rubbish\r\n\r\n",), ANSWERED | HTTP)
    yield Request("a request without its end, and an end", (GOOD[:-50],), HTTP | CLOSED, half=True)
    yield Request("half a head, and an end", (b"GET /tasks HTT",), HTTP | CLOSED, half=True)
    yield Request("nothing, and an end", (b"",), CLOSED, half=True)
    yield Request("a whole request, and an end", (GOOD,), ANSWERED | CLOSED, half=True)
    cut = len(GOOD) // 2
    slowly = (*(GOOD[n : n + 1] for n in range(40)), GOOD[40:])
    yield Request("a head byte by byte", slowly, ANSWERED, pause=0.01)
    yield Request("a body in two halves", (GOOD[:cut], GOOD[cut:]), ANSWERED, pause=0.3)
    waits = GOOD.replace(b"Connection: close", b"Connection: close\r\nExpect: 100-continue")
    head = waits.index(b"\r\n\r\n") + 4
    yield Request("a body after a wait", (waits[:head], waits[head:]), ANSWERED, pause=0.3)
    large = _predict(
        "Expect: 100-continue", "Content-Length: 99999999", f"Content-Type: {MULTIPART}"
    )
    yield Request("a wait for what is too large", (large,), frozenset({"too_large"}))
    never = _predict("Expect: 100-continue", "Content-Length: 500", f"Content-Type: {MULTIPART}")
    yield Request("a wait, and no body", (never,), frozenset({"too_slow"}))
