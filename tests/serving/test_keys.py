"""Who may ask where keys are set."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from roadworthy.serving.keys import Keys
from roadworthy.serving.refusals import Refusal
from roadworthy.serving.settings import Settings

KEYS = (SecretStr("one-key"), SecretStr("zwei-schlüssel"))
Headers = list[tuple[bytes, bytes]]


async def nothing(scope: Any, receive: Any, send: Any) -> None:
    """Answers nothing."""


def asked(
    headers: Headers,
    path: str = "/predict",
    method: str = "POST",
    keys: tuple[SecretStr, ...] = KEYS,
    kind: str = "http",
) -> str:
    """The word of the refusal, or `ok`."""
    scope = {"type": kind, "path": path, "method": method, "headers": headers}
    try:
        app = Keys(nothing, Settings(api_keys=keys))
        asyncio.run(app(scope, None, None))  # type: ignore[arg-type]
    except Refusal as refusal:
        assert refusal.status_code == 401
        assert refusal.headers and refusal.headers["WWW-Authenticate"].startswith("Bearer ")
        assert "one-key" not in f"{refusal.message} {refusal.hint}"
        return refusal.error
    return "ok"


@pytest.mark.parametrize(
    ("expected", "headers"),
    [
        ("ok", [(b"x-api-key", b"one-key")]),
        ("ok", [(b"x-api-key", "zwei-schlüssel".encode())]),
        ("ok", [(b"authorization", b"Bearer one-key")]),
        ("ok", [(b"authorization", b"bearer  one-key ")]),
        ("ok", [(b"authorization", b"Basic eDp5"), (b"x-api-key", b"one-key")]),
        ("no_key", []),
        ("no_key", [(b"authorization", b"Basic eDp5")]),
        ("no_key", [(b"authorization", b"one-key")]),
        ("no_key", [(b"cookie", b"key=one-key")]),
        ("wrong_key", [(b"x-api-key", b"")]),
        ("wrong_key", [(b"x-api-key", b"one-ke")]),
        ("wrong_key", [(b"x-api-key", b"one-key2")]),
        ("wrong_key", [(b"x-api-key", b"ONE-KEY")]),
        ("wrong_key", [(b"x-api-key", b"x" * 100_000)]),
        ("wrong_key", [(b"authorization", b"Bearer ")]),
        ("wrong_key", [(b"authorization", b"Bearer \xff\x00")]),
    ],
)
def test_one_of_the_keys_must_come(expected: str, headers: Headers) -> None:
    """As X-API-Key or as a bearer token, whole and exact."""
    assert asked(headers) == expected


def test_without_keys_everybody_may_ask() -> None:
    """An open service stays open, whatever is sent."""
    assert asked([], keys=()) == "ok"
    assert asked([(b"x-api-key", b"nonsense")], keys=()) == "ok"


def test_health_and_the_page_are_free_and_nothing_else() -> None:
    """The page must load to ask for the key; figures and descriptions are not for everybody."""
    free = ("/livez", "/readyz", "/", "/assets/index.js", "/samples/a.jpg", "/favicon.svg")
    assert {asked([], path, "GET") for path in free} == {"ok"}
    closed = ("/metrics", "/info", "/models", "/tasks", "/openapi.json", "/predict", "/asset", "")
    assert {asked([], path, "GET") for path in closed} == {"no_key"}
    assert asked([], "/", "POST") == asked([], "/assets/x", "POST") == "no_key"
    assert asked([], "", "", kind="lifespan") == "ok"


@given(st.binary(max_size=40))
def test_no_other_bytes_are_a_key(given_key: bytes) -> None:
    """Only the keys themselves are."""
    known = {key.get_secret_value().encode() for key in KEYS}
    expected = "ok" if given_key.strip() in known else "wrong_key"
    assert asked([(b"x-api-key", given_key)]) == expected
