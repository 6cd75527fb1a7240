"""The page at `/`: the files that `make web` built, or a word on how to build them."""

import mimetypes
import re
from html import escape
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, HTMLResponse, JSONResponse
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from roadworthy.errors import ParamsError

INDEX = "index.html"
BUILT = Path("web") / "dist"
FOLDERS = ("assets", "samples")
"""What a built page has beside its index."""
HASHED = re.compile(r"-[\w-]{8}\.\w+$")
FOREVER = "public, max-age=31536000, immutable"
DAY = "public, max-age=86400"
# Pictures a person chose are shown from blob: addresses; nothing else comes from elsewhere.
POLICY = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' blob: data:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}
MIME = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
TRY = {
    "predict": "curl -F file=@IMAGE -F task=all http://HOST:PORT/predict",
    "inspect": "curl -F file=@IMAGE -F ask=police -F ask=brand http://HOST:PORT/inspect",
}
BUILD = "make web"


class Files(StaticFiles):
    """Static files with the page's headers; a name with a hash of its content never changes."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Answer one file, or 404."""
        response = await super().get_response(path, scope)
        response.headers.update(HEADERS)
        response.headers["cache-control"] = FOREVER if HASHED.search(path) else DAY
        return response


def find_page(folder: Path | None) -> Path | None:
    """The folder of the built page; None where nobody built it.

    Args:
        folder: of the settings; unset, `web/dist` of the repository or of the Bento.

    Raises:
        ParamsError: the settings name a folder without a page.
    """
    if folder is not None:
        if not (folder / INDEX).is_file():
            raise ParamsError(f"ROADWORTHY_PAGE: {folder} has no {INDEX}; build it: {BUILD}")
        return folder
    # The repository, and a Bento, where what lies under src/ here lies beside web/.
    own = Path(__file__).resolve()
    built = (own.parents[up] / BUILT for up in (3, 2))
    return next((folder for folder in built if (folder / INDEX).is_file()), None)


def add_page(app: FastAPI, folder: Path | None) -> None:
    """Let `app` answer `/`, and with a page also `/assets` and `/samples`.

    Args:
        folder: from `find_page`.
    """
    if folder is None:
        _add_hint(app)
        return
    for extension, kind in MIME.items():
        # Not every system's table knows them, and browsers run no script of another type.
        mimetypes.add_type(kind, extension)

    @app.api_route("/", methods=["GET", "HEAD"], include_in_schema=False)
    async def index() -> Response:
        path = folder / INDEX
        if not path.is_file():
            raise HTTPException(404, "the page was removed while the service ran")
        return FileResponse(path, headers={**HEADERS, "cache-control": "no-cache"})

    for name in FOLDERS:
        app.mount(f"/{name}", Files(directory=folder / name, check_dir=False), name)


def _add_hint(app: FastAPI) -> None:
    @app.api_route("/", methods=["GET", "HEAD"], include_in_schema=False)
    async def hint(request: Request) -> Response:
        if "text/html" in request.headers.get("accept", ""):
            return HTMLResponse(_unbuilt(), headers=HEADERS)
        return JSONResponse(_words(), headers=HEADERS)


def _words() -> dict[str, Any]:
    return {
        "service": "roadworthy",
        "page": f"not built: {BUILD} (needs Node 20.19 or newer), then start the service again",
        "try": TRY,
        "see": ["/tasks", "/info", "/models", "/openapi.json", "/metrics", "/livez", "/readyz"],
    }


def _unbuilt() -> str:
    commands = escape("\n".join(TRY.values()))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><title>Roadworthy</title></head><body>'
        "<main><h1>Roadworthy</h1><p>The service answers, but its page was not built. "
        f"With Node 20.19 or newer, run <code>{BUILD}</code> and start the service again.</p>"
        f"<p>Meanwhile:</p><pre>{commands}</pre>"
        '<p>See <a href="tasks">/tasks</a>, <a href="info">/info</a> and '
        '<a href="openapi.json">/openapi.json</a>.</p></main></body></html>\n'
    )
