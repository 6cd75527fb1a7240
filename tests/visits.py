"""A person's visit to the page: what they choose, and what the page asks for meanwhile."""

import os
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import ConsoleMessage, Page, Request, expect

LIMIT = 100_000
"""Bytes that the bundles of these tests accept."""
MAKES = ("Audi", "BMW", "Fiat", "Ford", "Land Rover", "Rover", "Volvo")
# A refusal is what some tests are about, and the browser reports each.
EXPECTED = ("Failed to load resource: the server responded with a status of 4", "net::ERR_FAILED")
expect.set_options(timeout=15_000)


def photo(seed: int = 0, size: tuple[int, int] = (80, 60)) -> bytes:
    """An encoded image that looks like no other."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    buffer = BytesIO()
    Image.fromarray(coarse).resize(size).save(buffer, "PNG")
    return buffer.getvalue()


def upload(name: str, content: bytes, kind: str = "image/png") -> dict[str, Any]:
    """A file as Playwright takes it."""
    return {"name": name, "mimeType": kind, "buffer": content}


@dataclass
class Visit:
    """One open page, and all it asked for and complained about."""

    page: Page
    requests: list[Request] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Listen."""
        self.page.on("request", lambda request: self.requests.append(request))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self._heard)

    def _heard(self, said: ConsoleMessage) -> None:
        if said.type == "error" and not any(one in said.text for one in EXPECTED):
            self.complaints.append(said.text)

    def asked(self, path: str) -> int:
        """How many requests went to a path."""
        return sum(one.url.endswith(path) for one in self.requests)

    def choose(self, *files: dict[str, Any]) -> None:
        """Choose files and wait for what becomes of them."""
        before = self.page.locator("[data-status]").count()
        self.page.get_by_test_id("choose").set_input_files(list(files))
        expect(self.page.locator("[data-status]")).to_have_count(before + len(files))
        expect(self.page.locator("progress")).to_have_count(0)


def cannot(reason: str) -> None:
    """Skip, or fail where `CI` is `true`."""
    pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
