"""Servers that answer too much, too slowly, wrongly or not at all, and what they keep from others."""

import asyncio
import gzip
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fetching import fetcher, refusal, word
from odd_servers import Reply, canary, certificate, message, picture, serving
from roadworthy.serving import fetch
from roadworthy.serving.limits import Limits
from roadworthy.serving.refusals import Refusal

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


def from_client(address: str) -> dict[str, object]:
    body = [(b"content-length", b"1")]
    return {"type": "http", "headers": body, "client": (address, 1), "state": {}}


async def within(address: str, fetching: Callable[[], Awaitable[object]], held: int = 9999) -> str:
    """How fetching ends inside of a request of this client: a refusal's word, or nothing."""
    words = []

    async def app(scope: object, receive: object, send: object) -> None:
        try:
            await fetching()
        except Refusal as refused:
            words.append(refused.error)

    await Limits(app, 9999, held=held)(from_client(address), no_body, ignored)
    return "".join(words)


async def no_body() -> dict[str, object]:
    raise AssertionError("is not read")


async def ignored(message: object) -> None:
    pass


def test_one_client_cannot_take_all_places(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its next request hears that it is busy, another one's is answered."""
    monkeypatch.setattr(fetch, "PLACE_SECONDS", 0.05)

    async def run() -> None:
        async with serving(silent) as slow, serving(message("200 OK", body=PNG)) as quick:
            fetching = fetcher(url_seconds=30)
            urls = [slow.url()] * 5
            tasks = [
                asyncio.create_task(within("192.0.2.1", lambda: fetching.fetch_all(urls)))
                for _ in range(fetch.PLACES_CLIENT // fetch.PLACES_EACH)
            ]
            while len(slow.heads) < fetch.PLACES_CLIENT:
                await asyncio.sleep(0.01)
            assert await within("192.0.2.1", lambda: fetching.fetch(quick.url())) == "busy"
            assert await within("192.0.2.2", lambda: fetching.fetch(quick.url())) == ""
            assert (await fetching.fetch(quick.url())).content == PNG
            assert len(slow.heads) == fetch.PLACES_CLIENT
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            assert await within("192.0.2.1", lambda: fetching.fetch(quick.url())) == ""

    asyncio.run(run())


def test_no_place_is_busy_and_not_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose server is quick is not told that it is slow; and is answered when there is a place."""
    monkeypatch.setattr(fetch, "PLACE_SECONDS", 0.05)

    async def run() -> None:
        async with serving(silent) as slow, serving(message("200 OK", body=PNG)) as quick:
            fetching = fetcher(url_seconds=30)
            tasks = [
                asyncio.create_task(within(f"192.0.2.{number}", lambda: fetching.fetch(slow.url())))
                for number in range(fetch.PLACES)
            ]
            while len(slow.heads) < fetch.PLACES:
                await asyncio.sleep(0.01)
            refused = await refusal(fetching.fetch(quick.url()))
            assert (refused.status_code, refused.error) == (429, "busy")
            assert "Retry-After" in (refused.headers or {})
            tasks[0].cancel()
            await asyncio.gather(tasks[0], return_exceptions=True)
            assert (await fetching.fetch(quick.url())).content == PNG
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(run())


def test_what_is_fetched_counts_as_held() -> None:
    """Small requests that let much be fetched are together no more than fits."""

    async def run() -> None:
        async with serving(message("200 OK", body=PNG)) as server:
            fetching = fetcher()
            urls = [server.url()] * 3
            for most, ends in ((3 * len(PNG), ""), (3 * len(PNG) - 1, "busy")):
                assert await within("192.0.2.1", lambda: fetching.fetch_all(urls), most) == ends

    asyncio.run(run())
