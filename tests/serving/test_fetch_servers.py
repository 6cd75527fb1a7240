"""Servers that answer too much, too slowly, wrongly or not at all."""

import asyncio
import gzip
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fetching import fetcher, refusal, word
from odd_servers import Reply, canary, certificate, message, picture, serving

PNG = picture()


async def endless(path: str, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + PNG)
    while True:
        writer.write(bytes(100_000))
        await writer.drain()


async def dripping(path: str, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + PNG)
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.02)


async def dripping_head(path: str, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X-More: 1\r\n")
        await writer.drain()
        await asyncio.sleep(0.02)


async def silent(path: str, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


async def resetting(path: str, writer: asyncio.StreamWriter) -> None:
    writer.write(message("200 OK", "Content-Length: 9999\r\n", PNG))
    await writer.drain()
    writer.transport.abort()


BOMB = gzip.compress(bytes(10_000_000))


@pytest.mark.parametrize(
    ("error", "reply"),
    [
        ("too_large", message("200 OK", "Content-Length: 200001\r\n", PNG)),
        ("too_large", message("200 OK", "Content-Length: 99999999999999999999\r\n", PNG)),
        ("too_large", message("200 OK", body=PNG + bytes(200_000))),
        ("too_large", endless),
        ("url_failed", message("200 OK", "Content-Length: 5000\r\n", PNG)),
        ("url_failed", message("200 OK", f"Content-Length: {'9' * 5000}\r\n", PNG)),
        ("url_failed", message("200 OK", "Content-Length: -1\r\n", PNG)),
        ("url_failed", message("200 OK", "Content-Length: 1\r\nContent-Length: 2\r\n", PNG)),
        ("unusable_image", message("200 OK", "Content-Length: 5\r\n", PNG)),
        ("url_slow", dripping),
        ("url_slow", dripping_head),
        ("url_slow", silent),
        ("url_failed", message("200 OK", "Content-Encoding: gzip\r\n", BOMB)),
        ("url_failed", message("200 OK", "Content-Encoding: br, gzip\r\n", PNG)),
        ("url_failed", message("200 OK", "Transfer-Encoding: gzip\r\n", BOMB)),
        ("unusable_image", message("200 OK", body=BOMB)),
        ("unusable_image", message("200 OK", "Content-Type: image/png\r\n", b"<!doctype html>")),
        ("unusable_image", message("200 OK", "Content-Type: image/jpeg\r\n", b"%PDF-1.7" * 9)),
        ("unusable_image", message("200 OK", body=b"<svg xmlns='http://www.w3.org/2000/svg'/>")),
        ("unusable_image", message("200 OK")),
        ("url_failed", message("404 Not Found", body=PNG)),
        ("url_failed", message("500 Internal Server Error", body=PNG)),
        ("url_failed", message("206 Partial Content", body=PNG)),
        ("url_failed", message("304 Not Modified")),
        ("url_failed", message("204 No Content", "Content-Length: 0\r\n")),
        ("url_failed", message("101 Switching Protocols", "Upgrade: x\r\nConnection: upgrade\r\n")),
        ("url_failed", message("302 Found")),
        ("url_failed", message("302 Found", "Location: /a\r\nLocation: /b\r\n")),
        ("url_failed", b"SSH-2.0-OpenSSH_9.2\r\n"),
        ("url_failed", b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 300_000),
        ("url_failed", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
        ("url_failed", b""),
        ("url_failed", resetting),
    ],
)
def test_bad_servers_are_refused(error: str, reply: Reply | bytes) -> None:
    """Too much, too slow, broken off, compressed, no image, an error: a 4xx, and no waiting."""
    assert word(reply, url_bytes=200_000, url_seconds=0.5 if error == "url_slow" else 5) == error


@settings(max_examples=60)
@given(st.one_of(st.binary(max_size=200), st.binary(max_size=80).map(lambda b: b"HTTP/1.1 " + b)))
def test_any_answer_is_an_image_or_a_refusal(reply: bytes) -> None:
    """Whatever a server says, nothing but a Refusal comes out."""
    assert word(reply) in {"url_failed", "unusable_image"}


def test_nobody_listens() -> None:
    """A closed port of an allowed host."""
    with canary() as free:
        port = free.port
    refused = asyncio.run(refusal(fetcher().fetch(f"http://127.0.0.1:{port}/")))
    assert (refused.error, "cannot be reached" in refused.message) == ("url_failed", True)


def test_certificates_are_verified(tmp_path: Path) -> None:
    """Against the name in the URL, not against the address; self-signed ones are not trusted."""
    server_tls, trusting = certificate(tmp_path, "pictures.example")

    async def resolve(host: str) -> Sequence[str]:
        return ["127.0.0.1"]

    async def run() -> None:
        async with serving(message("200 OK", body=PNG), server_tls) as server:
            right, wrong = server.url(host="pictures.example"), server.url(host="other.example")
            assert (await fetcher(resolve, trusting).fetch(right)).content == PNG
            for url, fetching in (
                (wrong, fetcher(resolve, trusting)),
                (server.url(), fetcher(resolve, trusting)),
                (right, fetcher(resolve)),
            ):
                refused = await refusal(fetching.fetch(url))
                assert (refused.error, "certificate" in refused.message) == ("url_failed", True)
            assert len(server.heads) == 1

    asyncio.run(run())


def test_no_step_down_from_https(tmp_path: Path) -> None:
    """What began encrypted does not go on in the open."""
    server_tls, trusting = certificate(tmp_path, "127.0.0.1")

    async def run() -> None:
        async with serving(message("200 OK", body=PNG)) as plain:
            leading = message("301 Moved", f"Location: {plain.url()}\r\n")
            async with serving(leading, server_tls) as server:
                refused = await refusal(fetcher(tls=trusting).fetch(server.url()))
            assert (refused.error, plain.heads) == ("url_failed", [])

    asyncio.run(run())
