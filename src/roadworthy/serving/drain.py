"""SIGTERM: what was begun is finished, and nobody is left waiting at a door that will not open.

uvicorn alone closes every connection that waits between two requests, also one whose next request
has arrived but was not read; and the process above it holds the listening socket open until the end,
so that callers who come meanwhile are neither refused nor answered, but cut off. Here instead:

1. the port is closed for everybody, new callers are refused at once and can go elsewhere;
2. for up to a second requests on open connections are answered, each with `Connection: close`;
3. then uvicorn finishes what is under way, and stops.
"""

import asyncio
import contextlib
import logging
import os
import signal
import socket
from collections.abc import Callable
from functools import partial
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LINGER_SECONDS = 1.0
"""An open connection that was silent for so long is closed."""
TICK_SECONDS = 0.02
MOST = 10_000
"""Callers who are taken in at the last moment."""
log = logging.getLogger(__name__)


class Drain:
    """Takes SIGTERM over from the uvicorn server that this process runs."""

    def __init__(self) -> None:
        self.begun = False
        """Whether the process was told to stop: it is not ready for more."""
        self._server: Any = None
        self._task: asyncio.Task[None] | None = None

    def watch(self) -> bool:
        """Call once, in the event loop, while uvicorn starts; False where it is not uvicorn's."""
        stop = signal.getsignal(signal.SIGTERM)
        self._server = getattr(stop, "__self__", None)
        if not callable(stop) or not hasattr(self._server, "server_state"):
            return False
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._begin, stop)
        return True

    def closing(self, app: ASGIApp) -> ASGIApp:
        """`app`, which says `Connection: close` once it was told to stop."""

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            async def told(message: Message) -> None:
                if self.begun and message["type"] == "http.response.start":
                    MutableHeaders(scope=message)["connection"] = "close"
                await send(message)

            await app(scope, receive, told if scope["type"] == "http" else send)

        return answer

    def _begin(self, stop: Callable[[int, None], object]) -> None:
        if not self.begun:
            self.begun = True
            log.info("told to stop: no new connections, what was begun is finished")
            self._task = asyncio.get_running_loop().create_task(self._drain(stop))

    async def _drain(self, stop: Callable[[int, None], object]) -> None:
        try:
            await self._take_in_and_refuse()
            await self._linger()
        finally:
            stop(signal.SIGTERM, None)

    async def _take_in_and_refuse(self) -> None:
        config, loop = self._server.config, asyncio.get_running_loop()
        protocol = partial(
            config.http_protocol_class,
            config=config,
            server_state=self._server.server_state,
            app_state=self._server.lifespan.state,
        )
        servers = getattr(self._server, "servers", ())  # none while it still starts
        ports = [port.fileno() for server in servers for port in server.sockets]
        for one in [one for port in ports for one in _refuse(port)]:
            with contextlib.suppress(OSError):
                await loop.connect_accepted_socket(protocol, one, ssl=config.ssl)

    async def _linger(self) -> None:
        """Until every connection has gone, or LINGER_SECONDS."""
        loop = asyncio.get_running_loop()
        end = loop.time() + LINGER_SECONDS
        while loop.time() < end:
            await asyncio.sleep(TICK_SECONDS)
            if not self._server.server_state.connections:
                break


def _refuse(port: int) -> list[socket.socket]:
    """Close a listening port for every process that holds it; gives who has come by then.

    In one go, since whom the system has let in at the end of it is cut off.
    """
    # asyncio forgets those whom it is about to take in when its server is closed: not yet.
    asyncio.get_running_loop().remove_reader(port)
    came: list[socket.socket] = []
    with socket.socket(fileno=os.dup(port)) as listener:
        listener.setblocking(False)
        with contextlib.suppress(OSError):
            while len(came) < MOST:
                came.append(listener.accept()[0])
        # Where the system cannot do this, callers wait until the parent process has gone.
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RD)
    return came
