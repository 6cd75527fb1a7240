"""Who may ask, where the operator has set keys."""

import hmac
from collections.abc import Iterator
from hashlib import sha256

from starlette.types import ASGIApp, Receive, Scope, Send

from roadworthy.serving.refusals import Refusal
from roadworthy.serving.settings import Settings

FREE = frozenset({"/livez", "/readyz"})
PAGE = frozenset({"/", "/favicon.ico", "/favicon.svg"})
PAGE_FOLDERS = ("/assets/", "/samples/")
BEARER = b"bearer "


class Keys:
    """Middleware that raises 401 `no_key` or `wrong_key`; whoever is outside of it must answer.

    Health and the page's own files are free: the page asks for the key. `/metrics`, `/info`,
    `/models` and `/openapi.json` are not, they tell what runs here.

    Args:
        app: what answers.
        settings: `api_keys`; none: everybody may ask.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self._digests = [_digest(key.get_secret_value().encode()) for key in settings.api_keys]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on or refuse one request."""
        if scope["type"] == "http" and self._digests and not is_free(scope):
            given = list(_given(scope))
            if not given:
                raise _refusal("no_key", "the request has no API key", "")
            # No early exit: the time tells neither which key is nearly right nor how many there are.
            if not sum([self._is_known(one) for one in given]):
                raise _refusal("wrong_key", "the API key is not known", ', error="invalid_token"')
        await self.app(scope, receive, send)

    def _is_known(self, key: bytes) -> bool:
        # Digests are of one length, so that a key's own length does not tell.
        digest = _digest(key)
        return bool(sum([hmac.compare_digest(digest, known) for known in self._digests]))


def is_free(scope: Scope) -> bool:
    """Whether a request needs no key."""
    return scope["path"] in FREE or is_page(scope)


def is_page(scope: Scope) -> bool:
    """Whether a request is for a file of the page."""
    path = scope["path"]
    return scope["method"] in ("GET", "HEAD") and (path in PAGE or path.startswith(PAGE_FOLDERS))


def _given(scope: Scope) -> Iterator[bytes]:
    """The keys of a request."""
    for name, value in scope["headers"]:
        if name == b"x-api-key":
            yield value.strip()
        elif name == b"authorization" and value[: len(BEARER)].lower() == BEARER:
            yield value[len(BEARER) :].strip()


def _digest(key: bytes) -> bytes:
    return sha256(key).digest()


def _refusal(error: str, message: str, detail: str) -> Refusal:
    return Refusal(
        401,
        error,
        message,
        "send Authorization: Bearer KEY or X-API-Key: KEY",
        {"WWW-Authenticate": f'Bearer realm="roadworthy"{detail}'},
    )
