"""What is fetched by URL, and what is never reached; nothing here asks the network."""

import asyncio
import socket
from collections.abc import Iterator, Sequence
from ipaddress import ip_network

import pytest

from fetching import fetcher, refusal, word
from odd_servers import Canary, Reply, Running, canary, message, picture, serving
from roadworthy.serving import addresses
from roadworthy.serving.fetch import Fetched
from serving.hostile_urls import HOSTILE

PNG = picture()


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Canary]:
    """What must not be reached, on the usual port of http."""
    with canary() as listening:
        monkeypatch.setitem(addresses.PORTS, "http", listening.port)
        yield listening


@pytest.mark.parametrize(("url", "error"), HOSTILE, ids=[repr(url)[:50] for url, _ in HOSTILE])
def test_hostile_urls_reach_nothing(closed: Canary, url: str, error: str) -> None:
    """Each is refused with its word, and no connection is made."""
    hostile = url.replace("{port}", str(closed.port))
    refused = asyncio.run(refusal(fetcher(url_networks=()).fetch(hostile)))
    assert refused.error == error
    assert closed.connections() == 0


def test_the_system_is_asked_for_names(closed: Canary) -> None:
    """This machine's own name is one, too."""
    refused = asyncio.run(refusal(fetcher(None, url_networks=()).fetch("http://localhost/")))
    assert refused.error == "url_not_allowed"
    assert closed.connections() == 0


def test_the_canary_sings(closed: Canary) -> None:
    """Were a hostile URL let through, these tests would notice."""

    async def run() -> None:
        await refusal(fetcher(url_seconds=0.2).fetch("http://127.0.0.1/"))

    asyncio.run(run())
    assert closed.connections() == 1


def test_one_message_for_all_that_is_closed(closed: Canary) -> None:
    """An answer tells neither what listens inside nor which names there are."""

    async def resolve(host: str) -> Sequence[str]:
        return {"inside.example": ["10.0.0.1"], "half.example": ["8.8.8.8", "10.0.0.1"]}.get(
            host, []
        )

    async def run() -> set[tuple[int, str, str]]:
        hosts = ("127.0.0.1", "127.0.0.2:1", "10.0.0.1", "inside.example", "half.example", "no.one")
        fetching = fetcher(resolve, url_networks=())
        refused = [await refusal(fetching.fetch(f"http://{host}/")) for host in hosts]
        return {(one.status_code, one.error, one.message) for one in refused}

    [(status, error, _)] = asyncio.run(run())
    assert (status, error) == (403, "url_not_allowed")
    assert closed.connections() == 0


def test_fetches_an_image() -> None:
    """The bytes as they are, and the last part of the path as the name."""

    async def run() -> tuple[list[Fetched], list[str]]:
        async with serving(message("200 OK", "Content-Type: text/plain\r\n", PNG)) as server:
            found = [await fetcher().fetch(server.url("/a/b.jpg?size=big"))]
            return found, server.heads

    found, [head] = asyncio.run(run())
    assert found == [Fetched("b.jpg", PNG)]
    assert head.startswith("GET /a/b.jpg?size=big HTTP/1.1\r\nHost: 127.0.0.1:")
    assert "Accept-Encoding: identity\r\n" in head
    assert not {"cookie", "authorization", "proxy"} & set(head.lower().split())


def test_fetches_by_ipv6() -> None:
    """An address in brackets, also in what the server is told its name is."""
    if not socket.has_dualstack_ipv6():
        pytest.skip("no IPv6 here")

    async def run() -> None:
        async with serving(message("200 OK", body=PNG), host="::1") as server:
            here = (ip_network("::1/128"),)
            await fetcher(url_networks=here).fetch(server.url("/a", "[0:0::1]"))
            assert f"Host: [::1]:{server.port}\r\n" in server.heads[0]

    asyncio.run(run())


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF"])
def test_every_format_is_known_by_its_first_bytes(kind: str) -> None:
    """What can be uploaded can be fetched, whatever its name and type say."""

    async def run() -> bytes:
        async with serving(message("200 OK", body=picture(kind))) as server:
            return (await fetcher().fetch(server.url("/"))).content

    assert asyncio.run(run()) == picture(kind)


def test_off_is_off(closed: Canary) -> None:
    """Without the setting nothing is asked, not even a name server."""

    async def resolve(host: str) -> Sequence[str]:
        raise AssertionError(host)

    off = fetcher(resolve, urls=False)
    refused = asyncio.run(refusal(off.fetch("http://example.org/")))
    assert (refused.status_code, refused.error) == (403, "urls_off")
    assert closed.connections() == 0


def test_a_name_is_resolved_once_and_that_address_is_asked(closed: Canary) -> None:
    """DNS rebinding: what the name stands for after it was checked does not matter."""
    asked: list[str] = []

    async def resolve(host: str) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["::1"]

    async def run() -> None:
        async with serving(message("200 OK", body=PNG)) as server:
            fetching = fetcher(resolve)
            url = server.url(host="pictures.example")
            assert (await fetching.fetch(url)).content == PNG
            assert f"Host: pictures.example:{server.port}" in server.heads[0]
            assert asked == ["pictures.example"]
            assert (await refusal(fetching.fetch(url))).error == "url_not_allowed"
            assert len(server.heads) == 1

    asyncio.run(run())


def test_the_next_address_is_tried() -> None:
    """A host with an address that does not answer can still be fetched from."""

    async def resolve(host: str) -> Sequence[str]:
        return ["127.0.0.2", "127.0.0.1"]

    async def run() -> None:
        async with serving(message("200 OK", body=PNG)) as server:
            fetching = fetcher(resolve, url_networks=(ip_network("127.0.0.0/30"),))
            assert (await fetching.fetch(server.url(host="two.example"))).content == PNG

    asyncio.run(run())


def redirecting(*places: str) -> Reply:
    """`/0` leads to the first place, `/1` to the second and so on; `/car.png` is an image."""

    async def reply(path: str, writer: asyncio.StreamWriter) -> None:
        if path == "/car.png":
            writer.write(message("200 OK", body=PNG))
        else:
            writer.write(message("302 Found", f"Location: {places[int(path[1:])]}\r\n"))

    return reply


def test_redirects_are_followed_a_little() -> None:
    """Three are usual; the name is that of the URL that was given."""

    async def run() -> Fetched:
        async with serving(redirecting("/1", "2", "/car.png")) as server:
            return await fetcher().fetch(server.url("/0"))

    assert asyncio.run(run()) == Fetched("0", PNG)


@pytest.mark.parametrize(
    ("place", "error"),
    [
        ("http://127.0.0.2:{port}/", "url_not_allowed"),
        ("http://[::1]:{port}/", "url_not_allowed"),
        ("http://169.254.169.254/latest/", "url_not_allowed"),
        ("//localhost.invalid/", "url_not_allowed"),
        ("file:///etc/passwd", "url_failed"),
        ("gopher://127.0.0.1:{port}/", "url_failed"),
        ("http://a:b@127.0.0.1:{port}/", "url_failed"),
        ("http://2130706433:{port}/", "url_failed"),
        ("\\\\127.0.0.2\\", "url_failed"),
        ("http://\xff/", "url_failed"),
        ("", "url_failed"),
        ("/0", "url_failed"),
        ("/car.png\r\nLocation: /car.png", "url_failed"),
    ],
)
def test_redirects_open_nothing(closed: Canary, place: str, error: str) -> None:
    """A place that may not be given may not be redirected to; nobody is led in circles."""
    where = redirecting(place.replace("{port}", str(closed.port)))
    assert word(where, "/0") == error
    assert closed.connections() == 0


def test_four_redirects_are_too_many() -> None:
    """One more than is followed, though each is allowed."""
    assert word(redirecting("/1", "/2", "/3", "/car.png"), "/0") == "url_failed"


def test_a_proxy_of_the_environment_is_not_used(
    closed: Canary, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy would resolve the name again, and reach what we cannot check."""
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{closed.port}")

    async def run() -> bytes:
        async with serving(message("200 OK", body=PNG)) as server:
            return (await fetcher().fetch(server.url())).content

    assert asyncio.run(run()) == PNG
    assert closed.connections() == 0


def test_a_hanging_resolver_is_not_waited_for() -> None:
    """The time is that of the whole fetch, the name's included."""

    async def resolve(host: str) -> Sequence[str]:
        await asyncio.sleep(60)
        return []

    fetching = fetcher(resolve, url_seconds=0.1)
    assert asyncio.run(refusal(fetching.fetch("http://slow.example/"))).error == "url_slow"


def test_the_limits_are_for_the_whole_request() -> None:
    """Many URLs of allowed size are together no more than one may be; the order is kept."""

    async def reply(path: str, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.02 if path == "/0.png" else 0)
        writer.write(message("200 OK", body=PNG + path.encode()))

    async def run() -> None:
        async with serving(reply) as server:
            urls = [server.url(f"/{number}.png") for number in range(9)]
            found = await fetcher().fetch_all(urls)
            assert [one.filename for one in found] == [f"{number}.png" for number in range(9)]
            assert [one.content for one in found] == [
                PNG + f"/{number}.png".encode() for number in range(9)
            ]
            small = fetcher(url_bytes=8 * len(PNG))
            assert (await refusal(small.fetch_all(urls))).error == "too_large"
            mixed = await refusal(fetcher().fetch_all([urls[0], "ftp://x/"]))
            assert (mixed.error, mixed.message[:6]) == ("bad_url", "url 2 ")

    asyncio.run(run())


def test_the_server_is_asked_as_often_as_it_is_used() -> None:
    """No connection is kept for later, where its address would not be checked again."""

    async def run() -> Running:
        async with serving(message("200 OK", body=PNG)) as server:
            fetching = fetcher()
            for _ in range(3):
                await fetching.fetch(server.url())
            return server

    assert len(asyncio.run(run()).heads) == 3
