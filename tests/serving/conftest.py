"""Two champions, served in this process."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from warnings import catch_warnings, simplefilter

import pytest
from PIL import Image

from roadworthy.bundle.predictor import Predictor
from roadworthy.serving.champions import Champion
from served import app_of
from support import tiny_bundle

with catch_warnings():
    # Starlette asks for httpx2, which nobody else here uses.
    simplefilter("ignore")
    from starlette.testclient import TestClient

LIMIT = 100_000


def png(width: int = 24, height: int = 18, colour: str = "red") -> bytes:
    """An encoded image."""
    buffer = BytesIO()
    Image.new("RGB", (width, height), colour).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="session")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("bundles")
    limits = {"max_bytes": LIMIT, "max_pixels": 1_000_000}
    return {
        "car": tiny_bundle(folder / "car", **limits),
        "brand": tiny_bundle(folder / "brand", task="brand", labels=("a", "b", "c"), **limits),
    }


@pytest.fixture(scope="session")
def champions(bundles: dict[str, Path]) -> dict[str, Champion]:
    return {
        "car": Champion(3, Predictor(bundles["car"])),
        "brand": Champion(1, Predictor(bundles["brand"])),
    }


@pytest.fixture
def client(champions: dict[str, Champion]) -> Iterator[TestClient]:
    with TestClient(app_of(champions)) as client:
        yield client


@pytest.fixture(name="png")
def png_maker() -> object:
    return png
