"""A Kaggle of our own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from kaggle_server import KaggleServer


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KaggleServer]:
    """A running server, an account for it, and empty homes for account and downloads."""
    with KaggleServer() as running:
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("KAGGLE_API_TOKEN", raising=False)
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(tmp_path / "home"))
        monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "downloads"))
        yield running
