"""The real application with the built page, and a browser that asks nobody else."""

import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import Browser, Route, sync_playwright

from contract_models import model
from fixed_finder import Fixed
from roadworthy.bundle.figures import Figures, write_figures
from roadworthy.bundle.predictor import Predictor
from roadworthy.serving.app import create_app
from roadworthy.serving.champions import Champion
from roadworthy.serving.context import Context
from roadworthy.serving.page import find_page
from roadworthy.serving.settings import Settings
from support import free_port, tiny_bundle
from visits import LIMIT, MAKES, Visit, cannot

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
BOXES = [(0.1, 0.2, 0.5, 0.6), (0.5, 0.5, 1.0, 1.0)]


@pytest.fixture(scope="session")
def web_champions(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Champion]:
    folder = tmp_path_factory.mktemp("web-bundles")
    limits = {"max_bytes": LIMIT, "max_pixels": 1_000_000}
    police = tiny_bundle(folder / "police", task="police", labels=("other", "police"), **limits)
    brand = tiny_bundle(folder / "brand", task="brand", labels=MAKES, sure=0.6, **limits)
    known = model(["other", "police"])
    write_figures(police, Figures.model_validate({key: known[key] for key in Figures.model_fields}))
    first = Champion(3, Predictor(police))
    finder: Any = Fixed(first.predictor.spec, BOXES, [0.95, 0.7])
    detector = replace(first, version=1, finder=finder)
    return {"police": first, "brand": Champion(5, Predictor(brand)), "detector": detector}


@pytest.fixture(scope="session")
def built() -> Path:
    folder = find_page(None)
    if folder is None:
        cannot("the page is not built: make web")
    assert folder is not None
    return folder


@pytest.fixture(scope="session")
def serve(built: Path, web_champions: dict[str, Champion]) -> Iterator[Callable[..., str]]:
    """Starts the application with some settings; returns its address."""
    running: list[tuple[uvicorn.Server, threading.Thread, Context]] = []

    def start(**settings: Any) -> str:
        context = Context(Settings(page=built, **settings), web_champions)
        port = free_port()
        config = uvicorn.Config(
            create_app(context), host="127.0.0.1", port=port, log_level="warning", lifespan="off"
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run)
        thread.start()
        running.append((server, thread, context))
        while not server.started:
            time.sleep(0.01)
        return f"http://127.0.0.1:{port}/"

    yield start
    for server, thread, context in running:
        server.should_exit = True
        thread.join()
        context.close()


@pytest.fixture(scope="session")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the service keeps predictions and feedback."""
    return tmp_path_factory.mktemp("log")


@pytest.fixture(scope="session")
def service(serve: Callable[..., str], log: Path) -> str:
    return serve(log=log, urls=True, url_networks=["127.0.0.0/8"])


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        cannot("no chromium is installed: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Browser, service: str) -> Iterator[Callable[..., Visit]]:
    """Opens a page; in the end it must have asked its own service only, without a complaint."""
    visits: list[tuple[Visit, str]] = []

    def open_page(path: str = "", address: str = service, **options: Any) -> Visit:
        models = options.pop("models", None)
        one = Visit(browser.new_context(**options).new_page())
        if models is not None:
            body = json.dumps(models)

            def answer(route: Route) -> None:
                route.fulfill(body=body, content_type="application/json")

            one.page.route("**/models", answer)
        visits.append((one, address))
        one.page.goto(address + path)
        return one

    yield open_page
    for one, address in visits:
        one.page.context.close()
        strangers = [r.url for r in one.requests if not r.url.startswith((address, "blob:"))]
        assert not strangers
        assert not one.complaints
