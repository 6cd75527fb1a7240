"""How many requests a minute one client may make.

A token bucket per client, kept here and not taken from a library: `limits`, the usual one, has no
token bucket, keeps every client it ever saw until a timer thread forgets it, and brings 2 MB.
"""

import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Network, ip_address
from time import monotonic

from starlette.types import ASGIApp, Receive, Scope, Send

from roadworthy.serving.keys import is_page
from roadworthy.serving.refusals import Refusal
from roadworthy.serving.settings import Settings

FREE = frozenset({"/livez", "/readyz", "/metrics"})
CLIENTS = 10_000
"""Clients that are remembered; the one that was silent longest is forgotten first."""
BURST = 10
"""Requests that may come at once, or a sixth of the rate where that is more."""
NETWORK_BITS = 64
"""One customer has at least this IPv6 network: its addresses are one client."""


@dataclass
class _Bucket:
    tokens: float
    at: float


class Rates:
    """Middleware that raises 429 `rate_limited`; whoever is outside of it must answer.

    The page's own files are free, else a page could not even say what is wrong.

    Args:
        app: what answers.
        settings: `rate`, `proxies`.
        clock: seconds.
    """

    def __init__(
        self, app: ASGIApp, settings: Settings, clock: Callable[[], float] = monotonic
    ) -> None:
        self.app, self.rate, self.proxies, self._clock = app, settings.rate, settings.proxies, clock
        self.burst = min(self.rate, max(BURST, self.rate // 6))
        self.buckets: OrderedDict[str, _Bucket] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on or refuse one request."""
        if scope["type"] == "http" and self.rate and not self._is_free(scope):
            wait = self.take(client(scope, self.proxies))
            if wait:
                raise _too_often(self.rate, wait)
        await self.app(scope, receive, send)

    def take(self, name: str) -> float:
        """Take one token of a client; where it has none, the seconds until it has."""
        now = self._clock()
        bucket = self.buckets.pop(name, None) or _Bucket(self.burst, now)
        refilled = bucket.tokens + (now - bucket.at) * self.rate / 60
        tokens = min(float(self.burst), refilled)
        enough = tokens >= 1
        self.buckets[name] = _Bucket(tokens - enough, now)
        if len(self.buckets) > CLIENTS:
            self.buckets.popitem(last=False)
        return 0.0 if enough else (1 - tokens) * 60 / self.rate

    @staticmethod
    def _is_free(scope: Scope) -> bool:
        return scope["path"] in FREE or is_page(scope)


def client(scope: Scope, proxies: int = 0) -> str:
    """Who asks: an IPv4 address or an IPv6 /64 network; empty where the server does not know.

    Args:
        proxies: trusted ones in front. Each adds whom it saw to the end of `X-Forwarded-For`, so
            that the entry this far from the end was written by one of them, and those before it by
            anybody.
    """
    peer = str((scope.get("client") or ("",))[0])
    seen = [
        entry.strip()
        for name, value in scope["headers"]
        if name == b"x-forwarded-for"
        for entry in value.decode("latin-1").split(",")
    ]
    told = seen[-proxies] if 0 < proxies <= len(seen) else peer
    return _network(told) or _network(peer)


def _network(text: str) -> str:
    host = text[1:].partition("]")[0] if text.startswith("[") else text
    if host.count(":") == 1:  # IPv4 with a port
        host = host.partition(":")[0]
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return ""
    if address.version == 4:
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(IPv6Network((int(address), NETWORK_BITS), strict=False))


def _too_often(rate: int, wait: float) -> Refusal:
    seconds = math.ceil(wait)
    return Refusal(
        429,
        "rate_limited",
        f"one client may make {rate} requests a minute",
        f"try again in {seconds} s",
        {"Retry-After": str(seconds)},
    )
