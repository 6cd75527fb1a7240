"""Images by URL, fetched by the server without being a door to what only the server can reach.

Every connection is made by `Checked`, which resolves a name once, checks every address it stands
for and connects to one of exactly those: a name that changes its answer meanwhile (DNS rebinding)
changes nothing, and no redirect gets around it. No proxies, cookies or credentials are used, and
what is compressed is not unpacked.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any
from weakref import WeakValueDictionary

import httpcore
from PIL import Image

from roadworthy.data.images import FORMATS
from roadworthy.serving import limits
from roadworthy.serving.addresses import Network, Target, allowed, follow, parse, to_addresses
from roadworthy.serving.limits import too_large
from roadworthy.serving.rates import client
from roadworthy.serving.refusals import Refusal
from roadworthy.serving.settings import Settings

REDIRECTS = 3
PLACES = 16
"""Images that are fetched at the same time, of all requests."""
PLACES_CLIENT = 4
"""Of one client, so that nobody's slow servers keep the others out."""
PLACES_EACH = 2
"""Of one request."""
PLACE_SECONDS = 1.0
"""Longest wait for a place that others have."""
RESOLVERS = 8
"""Threads that wait for name servers; a name that hangs holds one of them and no other thread."""
SNIFFED = 16
"""Bytes by which Pillow's plugins know their format."""
HEADERS = [
    ("Accept", "image/*"),
    ("Accept-Encoding", "identity"),
    ("User-Agent", "roadworthy"),
]
HINT = "check that the URL leads to an image in a browser, or send the image itself as file"

Resolve = Callable[[str], Awaitable[Sequence[str]]]
Own = tuple[asyncio.Semaphore, asyncio.Semaphore]
"""Places of one request, and of its client."""
FAILURES = (
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.TimeoutException,
    OSError,
    ValueError,  # `ssl` of names that it does not like
)


@dataclass(frozen=True)
class Fetched:
    """An image that was given by its URL."""

    filename: str
    content: bytes


class Fetcher:
    """Fetches images as the settings allow. Made once per process.

    Args:
        settings: `urls`, `url_bytes`, `url_seconds`, `url_networks`.
        resolve: from a host name to its IP addresses; None asks the system.
        tls: whom to trust; None trusts the system's authorities, those of `certifi` and
            `SSL_CERT_FILE`.
    """

    def __init__(
        self,
        settings: Settings,
        resolve: Resolve | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._settings = settings
        self._places = _Places()
        self._threads = ThreadPoolExecutor(RESOLVERS, "resolve")
        self._backend = Checked(settings.url_networks, resolve or self._resolve)
        self._tls = tls or (httpcore.default_ssl_context() if settings.urls else None)

    async def fetch(self, url: str) -> Fetched:
        """One image; see `fetch_all`."""
        return (await self.fetch_all([url]))[0]

    async def fetch_all(self, urls: Sequence[str]) -> list[Fetched]:
        """The images of one request, in order.

        `url_bytes` and `url_seconds` are for all of them together.

        Raises:
            Refusal: one cannot or may not be fetched, says which; or others fetch too many.
        """
        if not self._settings.urls:
            raise _urls_off()
        scope = limits.current()
        own = self._places.of_request(client(scope, self._settings.proxies) if scope else "")
        budget = _Budget(self._settings.url_bytes)
        try:
            async with asyncio.timeout(self._settings.url_seconds), asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._named(f"url {number}", url, budget, own))
                    for number, url in enumerate(urls, 1)
                ]
        except TimeoutError:
            raise _too_slow(self._settings.url_seconds) from None
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None
        return [task.result() for task in tasks]

    def close(self) -> None:
        """Let the resolving threads go."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _named(self, name: str, url: str, budget: "_Budget", own: Own) -> Fetched:
        """One image, and in every refusal the name of its URL."""
        try:
            target = parse(url)
        except ValueError as error:
            raise Refusal(422, "bad_url", f"{name} {error}", HINT) from None
        try:
            async with self._places.taken(own):
                return Fetched(target.filename, await self._content(target, budget))
        except _FailedError as failed:
            raise Refusal(failed.status, failed.error, f"{name} {failed}", HINT) from None
        except FAILURES as error:
            raise Refusal(422, "url_failed", f"{name} {_why(error)}", HINT) from None

    async def _content(self, target: Target, budget: "_Budget") -> bytes:
        """What is there, or where the redirects lead."""
        for _ in range(REDIRECTS + 1):
            found = await self._ask(target, budget)
            if isinstance(found, bytes):
                return found
            try:
                target = follow(target, found)
            except ValueError as error:
                raise _FailedError(f"is redirected to a URL that {error}") from None
        raise _FailedError(f"is redirected more than {REDIRECTS} times")

    async def _ask(self, target: Target, budget: "_Budget") -> bytes | str:
        """The content, or the place that a redirect names."""
        # A pool for one request: no connection is used again for what was not checked.
        async with (
            httpcore.AsyncConnectionPool(self._tls, network_backend=self._backend) as pool,
            pool.stream(
                "GET",
                target.url,
                headers=[("Host", target.authority), *HEADERS],
                extensions={"timeout": {"connect": self._settings.url_seconds / 3}},
            ) as response,
        ):
            if response.status in (301, 302, 303, 307, 308):
                return _only(response, b"location")
            _check(response, budget)
            return await _body(response, budget)

    async def _resolve(self, host: str) -> Sequence[str]:
        """Ask the system, in a thread of our own: a resolver can hang for longer than we wait."""
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(
                self._threads, lambda: socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
            )
        except (OSError, UnicodeError):
            return []
        return [str(entry[4][0]) for entry in found]


class Checked(httpcore.AsyncNetworkBackend):
    """Connects to allowed addresses and to nothing else.

    Args:
        networks: allowed although they are not public.
        resolve: from a host name to its IP addresses, none where it has none.
    """

    def __init__(self, networks: Sequence[Network], resolve: Resolve) -> None:
        self._networks, self._resolve = networks, resolve
        self._tcp = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first of the host's addresses that answers.

        Raises:
            _FailedError: one of them is not allowed, or it has none: the same words for both, so that
                nobody learns which names and addresses there are inside.
        """
        try:
            addresses = to_addresses([host])
        except ValueError:
            addresses = to_addresses(await self._resolve(host))
        if not addresses or not all(allowed(one, port, self._networks) for one in addresses):
            raise _FailedError(
                "leads to a host that has no public address on port 80 or 443",
                "url_not_allowed",
                403,
            )
        for address in addresses[:-1]:
            try:
                return await self._tcp.connect_tcp(str(address), port, timeout)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return await self._tcp.connect_tcp(str(addresses[-1]), port, timeout)


class _FailedError(Exception):
    """Why a URL was not fetched, as the end of a sentence that begins with its name."""

    def __init__(self, reason: str, error: str = "url_failed", status: int = 422) -> None:
        super().__init__(reason)
        self.error, self.status = error, status


class _Places:
    """How many images are fetched at a time: of everybody, of one client, of one request."""

    def __init__(self) -> None:
        self._all = asyncio.Semaphore(PLACES)
        # A client is forgotten with the last of its requests.
        self._clients: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    def of_request(self, name: str) -> Own:
        """Of a new request of the client `name`; empty: nobody knows, and it is one of its own."""
        theirs = self._clients.get(name) or asyncio.Semaphore(PLACES_CLIENT)
        if name:
            self._clients[name] = theirs
        return asyncio.Semaphore(PLACES_EACH), theirs

    @asynccontextmanager
    async def taken(self, own: Own) -> AsyncIterator[None]:
        """Hold a place; for those of the same request it waits as long as they take.

        Raises:
            Refusal: others hold all of them.
        """
        request, theirs = own
        async with request, AsyncExitStack() as places:
            try:
                async with asyncio.timeout(PLACE_SECONDS):
                    await places.enter_async_context(theirs)
                    await places.enter_async_context(self._all)
            except TimeoutError:
                raise _busy() from None
            yield


class _Budget:
    """Bytes that the images of one request may still have."""

    def __init__(self, most: int) -> None:
        self.most = self.left = most

    def spend(self, count: int) -> None:
        self.left -= count
        if self.left < 0:
            raise too_large(self.most)
        limits.charge(count)


def _check(response: httpcore.Response, budget: _Budget) -> None:
    """Refuse by the head of an answer what need not be read."""
    if response.status != 200:
        raise _FailedError(f"is answered with status {response.status}")
    if any(
        name.lower() == b"content-encoding" and value.strip().lower() not in (b"", b"identity")
        for name, value in response.headers
    ):
        raise _FailedError("is answered with a compressed body, which was not asked for")
    declared = [value for name, value in response.headers if name.lower() == b"content-length"]
    if any(int(value) > budget.left for value in declared):  # h11 lets only 20 digits pass
        raise too_large(budget.most)


async def _body(response: httpcore.Response, budget: _Budget) -> bytes:
    content = bytearray()
    async for chunk in response.aiter_stream():
        budget.spend(len(chunk))
        content += chunk
        if len(content) >= SNIFFED and not _is_image(content):
            break
    if not _is_image(content):
        raise _FailedError("leads to what is not an image", "unusable_image")
    return bytes(content)


def _is_image(content: bytearray) -> bool:
    """Whether one of our formats begins like this; the decoder says later whether it is sound."""
    Image.init()
    start = bytes(content[:SNIFFED])
    accepts = [Image.OPEN[name][1] for name in FORMATS if name in Image.OPEN]
    return any(accept is not None and accept(start) is True for accept in accepts)


def _only(response: httpcore.Response, name: bytes) -> str:
    values = [value for key, value in response.headers if key.lower() == name]
    if len(values) != 1:
        raise _FailedError("is redirected without saying where to")
    try:
        return values[0].decode()
    except UnicodeDecodeError:
        raise _FailedError("is redirected to what is no URL") from None


def _why(error: Exception) -> str:
    """What went wrong with a server that was allowed to be asked."""
    if error.args and isinstance(error.args[0], ssl.SSLError):
        return "is on a server whose certificate cannot be trusted"
    if isinstance(error, httpcore.ConnectError | httpcore.ConnectTimeout):
        return "is on a server that cannot be reached"
    return "is on a server that broke off its answer or does not speak HTTP"


def _urls_off() -> Refusal:
    return Refusal(403, "urls_off", "this service fetches no URLs", "send the image itself as file")


def _busy() -> Refusal:
    return Refusal(
        429,
        "busy",
        "too many images are being fetched by URL already",
        "try again soon, or send the image itself as file",
        {"Retry-After": "2"},
    )


def _too_slow(seconds: float) -> Refusal:
    return Refusal(
        422, "url_slow", f"fetching took over {seconds:g} seconds", "send the image itself as file"
    )
