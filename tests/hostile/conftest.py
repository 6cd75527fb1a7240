"""One server for all hostile callers: what one of them breaks, the others see."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hostile.server import Server, packed, serving
from searching import searching_bundle
from support import tiny_bundle

LIMITS = {"max_bytes": 4_000_000, "max_pixels": 8_000_000}
UPLOAD_SECONDS = 3


@pytest.fixture(scope="session")
def hostile_champions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`car`, `brand` and a `detector` that searches."""
    folder = tmp_path_factory.mktemp("hostile")
    bundles = {
        "car": tiny_bundle(folder / "car", **LIMITS),
        "brand": tiny_bundle(folder / "brand", task="brand", labels=("a", "b", "c"), **LIMITS),
        "detector": searching_bundle(folder / "detector", **LIMITS),
    }
    return packed(folder, bundles)


@pytest.fixture(scope="session")
def server(hostile_champions: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The application with all that can be switched on."""
    folder = tmp_path_factory.mktemp("server")
    settings = {
        "log": folder / "log",
        "upload_seconds": UPLOAD_SECONDS,
        "threads": 1,
        "engine": "onnx",
    }
    with serving(hostile_champions, folder / "output", **settings) as running:
        yield running
