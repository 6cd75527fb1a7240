"""How many requests a minute one client may make, and who a client is."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadworthy.serving import rates
from roadworthy.serving.rates import CLIENTS, Rates, client
from roadworthy.serving.refusals import Refusal
from roadworthy.serving.settings import Settings


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def nothing(scope: Any, receive: Any, send: Any) -> None:
    """Answers nothing."""


def made(rate: int, proxies: int = 0) -> tuple[Rates, Clock]:
    clock = Clock()
    return Rates(nothing, Settings(rate=rate, proxies=proxies), clock), clock


def scope(
    peer: str | None = "192.0.2.1",
    *forwarded: str,
    path: str = "/predict",
    method: str = "POST",
) -> dict[str, Any]:
    headers = [(b"x-forwarded-for", entry.encode()) for entry in forwarded]
    about = {"type": "http", "path": path, "method": method, "headers": headers}
    return {**about, "client": (peer, 1234) if peer else None}


def passes(app: Rates, of: dict[str, Any]) -> bool:
    try:
        asyncio.run(app(of, None, None))  # type: ignore[arg-type]
    except Refusal as refusal:
        assert (refusal.status_code, refusal.error) == (429, "rate_limited")
        return False
    return True


def test_over_the_rate_is_refused_until_it_is_refilled() -> None:
    """A burst is fine, then so many a minute; the answer says when to come again."""
    app, clock = made(60)
    assert [passes(app, scope()) for _ in range(11)] == [True] * 10 + [False]
    with pytest.raises(Refusal) as caught:
        asyncio.run(app(scope(), None, None))  # type: ignore[arg-type]
    assert caught.value.headers == {"Retry-After": "1"}
    assert passes(app, scope("192.0.2.2"))
    clock.now += 1
    assert passes(app, scope())
    assert not passes(app, scope())
    clock.now += 3600
    assert [passes(app, scope()) for _ in range(11)] == [True] * 10 + [False]


@given(
    rate=st.integers(1, 1000),
    waits=st.lists(st.floats(0, 30, allow_nan=False), min_size=1, max_size=200),
)
def test_never_more_than_the_rate_and_a_burst(rate: int, waits: list[float]) -> None:
    """However a client times its requests; and who waits as told gets through."""
    app, clock = made(rate)
    start, passed = clock.now, 0
    for wait in waits:
        clock.now += wait
        left = app.take("a")
        passed += not left
        if left:
            clock.now += left + 1e-6
            assert app.take("a") == 0
            passed += 1
    assert passed <= app.burst + rate * (clock.now - start) / 60 + 1e-6


def test_no_rate_no_limit() -> None:
    """Unset means unlimited, and nobody is remembered."""
    app, _ = made(0)
    assert all(passes(app, scope()) for _ in range(100))
    assert not app.buckets


def test_health_figures_and_the_page_are_free() -> None:
    """A monitor is never refused, and a page can always be loaded to say what is wrong."""
    app, _ = made(1)
    for path in ("/livez", "/readyz", "/metrics", "/", "/assets/x.js", "/samples/a.jpg"):
        assert all(passes(app, scope(path=path, method="GET")) for _ in range(3))
    assert [passes(app, scope(path="/info", method="GET")) for _ in range(2)] == [True, False]


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many clients come, the last ones are remembered."""
    monkeypatch.setattr(rates, "CLIENTS", 3)
    app, _ = made(1)
    for number in range(10):
        app.take(str(number))
    assert list(app.buckets) == ["7", "8", "9"]
    app.take("7")
    app.take("10")
    assert list(app.buckets) == ["9", "7", "10"]
    assert CLIENTS == 10_000


@pytest.mark.parametrize(
    ("expected", "proxies", "peer", "forwarded"),
    [
        ("192.0.2.1", 0, "192.0.2.1", ["198.51.100.7"]),
        ("198.51.100.7", 1, "192.0.2.1", ["198.51.100.7"]),
        ("198.51.100.7", 1, "192.0.2.1", ["6.6.6.6, 198.51.100.7"]),
        ("198.51.100.7", 1, "192.0.2.1", ["6.6.6.6", "198.51.100.7"]),
        ("198.51.100.7", 2, "192.0.2.1", ["6.6.6.6, 198.51.100.7, 10.0.0.1"]),
        ("192.0.2.1", 2, "192.0.2.1", ["6.6.6.6"]),
        ("192.0.2.1", 1, "192.0.2.1", []),
        ("192.0.2.1", 1, "192.0.2.1", ["unknown"]),
        ("192.0.2.1", 1, "192.0.2.1", ["\xff"]),
        ("198.51.100.7", 1, "192.0.2.1", ["198.51.100.7:4711"]),
        ("2001:db8:1:2::/64", 1, "192.0.2.1", ["[2001:db8:1:2::3]:4711"]),
        ("2001:db8:1:2::/64", 0, "2001:db8:1:2:ffff::9", []),
        ("fe80::/64", 0, "fe80::1%eth0", []),
        ("192.0.2.1", 0, "::ffff:192.0.2.1", []),
        ("", 0, None, []),
        ("", 0, "/run/socket", []),
    ],
)
def test_who_the_client_is(
    expected: str, proxies: int, peer: str | None, forwarded: list[str]
) -> None:
    """Only what a trusted proxy wrote is believed; a whole IPv6 network is one client."""
    assert client(scope(peer, *forwarded), proxies) == expected


@given(st.lists(st.text(max_size=30)), st.integers(0, 3))
def test_any_header_names_somebody(forwarded: list[str], proxies: int) -> None:
    """Whatever is sent as X-Forwarded-For, nothing is raised."""
    client(scope("192.0.2.1", *forwarded), proxies)
