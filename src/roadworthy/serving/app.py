"""The HTTP application: every route and middleware, put together."""

from collections.abc import Callable

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse

from roadworthy import __version__
from roadworthy.serving import explain, feedback, info, inspect, models, page, predict
from roadworthy.serving.context import Context
from roadworthy.serving.keys import Keys
from roadworthy.serving.limits import Limits
from roadworthy.serving.rates import Rates
from roadworthy.serving.refusals import Refusal, request_id
from roadworthy.serving.trace import Trace

ROUTES: tuple[Callable[[FastAPI, Context], None], ...] = (
    predict.add_route,
    inspect.add_route,
    explain.add_route,
    feedback.add_route,
    info.add_route,
    models.add_route,
)
"""A new endpoint is a module with `add_route`, and a line here."""
FORM_HINT = (
    "send multipart/form-data with one or more parts named file, such as -F file=@street.jpg"
)


def create_app(context: Context) -> FastAPI:
    """The application over the champions of `context`."""
    app = FastAPI(
        title="Roadworthy",
        version=__version__,
        description="Ask the champion models about images.",
        # The usual pages load their scripts from a CDN.
        docs_url=None,
        redoc_url=None,
    )
    _explain_errors(app)

    @app.get("/metrics", response_class=PlainTextResponse, summary="Figures for Prometheus")
    def figures() -> Response:
        return Response(context.figures(), media_type=CONTENT_TYPE_LATEST)

    for add_route in ROUTES:
        add_route(app, context)
    settings = context.settings
    page.add_page(app, page.find_page(settings.page))
    # The last one added is the first to see a request.
    app.add_middleware(Keys, settings=settings)
    app.add_middleware(Rates, settings=settings)  # so that guessing keys is slow
    app.add_middleware(
        Limits,
        max_bytes=lambda: context.max_bytes,
        seconds=settings.upload_seconds,
        requests=settings.requests,
    )
    routes = frozenset(path for route in app.routes if (path := getattr(route, "path", None)))
    app.add_middleware(
        Trace,
        metrics=context.metrics,
        routes=routes,
        proxies=settings.proxies,
        seconds=settings.answer_seconds,
        tally=context.tally,
    )
    return app


def _explain_errors(app: FastAPI) -> None:
    """Give FastAPI's own refusals the shape of ours."""

    @app.exception_handler(Refusal)
    async def refused(request: Request, refusal: Refusal) -> Response:
        return refusal.answer(request_id(request.scope))

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"] if part != "body")
        # FastAPI would tell of its own classes.
        message = "is no file" if "UploadFile" in first["msg"] else first["msg"]
        refusal = Refusal(422, "invalid", f"{place or 'body'}: {message}", FORM_HINT)
        return refusal.answer(request_id(request.scope))

    @app.exception_handler(HTTPException)
    async def other(request: Request, error: HTTPException) -> Response:
        known = {
            404: ("not_found", "/ lists the addresses"),
            405: ("method", "/openapi.json tells how"),
        }
        word, hint = known.get(error.status_code, ("invalid", FORM_HINT))
        refusal = Refusal(error.status_code, word, str(error.detail), hint, error.headers)
        return refusal.answer(request_id(request.scope))
