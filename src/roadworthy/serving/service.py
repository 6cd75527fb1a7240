"""The BentoML service: one process, the champions of the Bento it was built into, our own routes.

The routes are a FastAPI application and not BentoML APIs, because a typed image field of BentoML's
also takes an address that the server would then fetch. BentoML answers `/livez` and `/readyz` and
nothing else. Its own `/metrics` is off: it makes a new series for every path anybody tries.
"""

import os
from pathlib import Path

import bentoml
from starlette.types import ASGIApp, Receive, Scope, Send

from roadworthy import environment

MODEL = "champions"
"""In the model store; inside a Bento this alias stands for the version it was built with."""
HEALTH = frozenset({"/livez", "/readyz"})
TIMEOUT_SECONDS = 70
"""BentoML's own deadline, whose answer has another shape: ours comes before. Its timers (3 KB) are never
cancelled and stay so long after each request, so it is no longer than it must be."""


class Late:
    """An ASGI application that is made when the service starts, not when it is imported."""

    def __init__(self) -> None:
        self.app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on."""
        if self.app is None:
            raise RuntimeError("the service has not started")
        await self.app(scope, receive, send)


late = Late()


class OursFirst:
    """Middleware that leaves BentoML the health checks and gives our application the rest.

    BentoML's `/schema.json`, `/docs.json` and `/healthz` would be answered before what is mounted:
    without a key, a rate, a limit or a line in the log.

    Args:
        app: BentoML's.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on."""
        theirs = scope["type"] == "lifespan" or scope["path"] in HEALTH
        await (self.app if theirs else late)(scope, receive, send)


@bentoml.service(
    name="roadworthy",
    workers=1,
    metrics={"enabled": False},
    # Every request is logged by serving.trace already, with its id.
    logging={"access": {"enabled": False}},
    traffic={"timeout": TIMEOUT_SECONDS},
    # Without a distribution BentoML adds no compilers: 430 MB instead of 1.1 GB.
    image=bentoml.images.Image(base_image="python:3.11-slim", distro="none", python_version="3.11"),
)
@bentoml.asgi_app(late, path="/")
class Service:
    """Car-image classifiers that passed the gate."""

    def __init__(self) -> None:
        for name, value in environment.SWITCHES.items():
            os.environ.setdefault(name, value)
        from roadworthy.serving import start
        from roadworthy.serving.drain import Drain

        self.running = start.run(Path(bentoml.models.get(MODEL).path))
        self.drain = Drain()
        self.drain.watch()
        late.app = self.drain.closing(self.running.app)

    def __is_ready__(self) -> bool:
        """Every champion is loaded and has answered once, and nobody has told us to stop."""
        return not self.drain.begun

    @bentoml.on_shutdown  # type: ignore[untyped-decorator]
    def stop(self) -> None:
        """Finish what was begun."""
        self.running.stop()


Service.add_asgi_middleware(OursFirst)  # type: ignore[attr-defined]
