"""The real application over champions, with settings of a test's own."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI

from roadworthy.serving.app import create_app
from roadworthy.serving.champions import Champion
from roadworthy.serving.context import Context
from roadworthy.serving.metrics import Metrics
from roadworthy.serving.settings import Settings


def app_of(
    champions: Mapping[str, Champion], metrics: Metrics | None = None, **settings: Any
) -> FastAPI:
    """What `create_app` makes of them."""
    return create_app(Context(Settings(**settings), champions, metrics))
