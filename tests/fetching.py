"""A fetcher that may fetch from this machine, and what becomes of fetching."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import ip_network
from typing import Any

import pytest

from odd_servers import Reply, serving
from roadworthy.serving.fetch import Fetcher
from roadworthy.serving.refusals import Refusal
from roadworthy.serving.settings import Settings

TRUSTS_NOBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
NAMES = {"localhost": ["::1", "127.0.0.1"], "metadata": ["169.254.169.254"]}
HERE = (ip_network("127.0.0.1/32"),)


async def names(host: str) -> Sequence[str]:
    return NAMES.get(host, [])


def fetcher(
    resolve: Callable[[str], Awaitable[Sequence[str]]] | None = names,
    tls: ssl.SSLContext | None = None,
    **changes: Any,
) -> Fetcher:
    """One that may fetch from 127.0.0.1."""
    chosen = {"urls": True, "url_networks": HERE, "url_seconds": 5.0, **changes}
    return Fetcher(Settings(**chosen), resolve, tls or TRUSTS_NOBODY)


async def refusal(fetching: Awaitable[object]) -> Refusal:
    with pytest.raises(Refusal) as caught:
        await fetching
    assert 400 <= caught.value.status_code < 500
    return caught.value


def word(reply: Reply | bytes, path: str = "/car.png", **changes: Any) -> str:
    """What becomes of fetching from a server that answers like this."""

    async def run() -> str:
        async with serving(reply) as server:
            return (await refusal(fetcher(**changes).fetch(server.url(path)))).error

    return asyncio.run(run())
