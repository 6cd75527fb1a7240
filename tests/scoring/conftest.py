"""A bundle, and a store that speaks S3, for all tests of this folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from object_store import account, object_store
from support import tiny_bundle

BUCKET = "images"


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_bundle(tmp_path_factory.mktemp("bundle"), labels=("audi", "bmw", "fiat"))


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with object_store(tmp_path_factory.mktemp("store"), BUCKET) as address:
        yield address


@pytest.fixture
def store(running: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """`s3://images/TEST`, a folder of the store that no other test uses."""
    for name, value in account(tmp_path).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", running)
    return f"s3://{BUCKET}/{tmp_path.name}"
