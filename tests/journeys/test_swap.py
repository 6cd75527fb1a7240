"""A service that follows the registry: it changes models under load, and stops under load."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import Any

import httpx
import pytest

from roadworthy import environment
from roadworthy.bundle import format as bundle_format
from roadworthy.bundle.format import Lineage
from roadworthy.bundle.predictor import Predictor
from roadworthy.pipeline.package import build
from roadworthy.tracking import registry
from roadworthy.tracking.registry import Version
from roadworthy.tracking.runs import RunLog
from support import free_port, tiny_bundle, write_images

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning"),
]
DEFAULT_SIGNALS = ("env", "--default-signal=INT,QUIT,TERM,HUP")
SERVE = (*DEFAULT_SIGNALS, sys.executable, "-m", "bentoml", "serve")
CLIENTS = 8
PATIENCE_SECONDS = 90
FOLLOWING = {
    "ROADWORTHY_FOLLOW": "champion",
    "ROADWORTHY_FOLLOW_SECONDS": "0.3",
    "ROADWORTHY_SHADOW": "1.0",
}


@dataclass
class Load:
    """Clients that ask again and again, each as soon as it was answered."""

    address: str
    content: bytes
    answers: Counter[tuple[int, str]] = field(default_factory=Counter)
    """By version and probability."""
    bad: list[str] = field(default_factory=list)
    refused: int = 0
    done: Event = field(default_factory=Event)
    threads: list[Thread] = field(default_factory=list)

    def __enter__(self) -> "Load":
        """Begin; every other client makes a new connection each time."""
        keeps = [number % 2 == 0 for number in range(CLIENTS)]
        self.threads = [Thread(target=self._ask, args=(keep,)) for keep in keeps]
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self.done.set()
        for thread in self.threads:
            thread.join()

    def versions(self) -> set[int]:
        """Who has answered so far."""
        return {version for version, _ in self.answers.copy()}

    def _ask(self, keep: bool) -> None:
        headers = {} if keep else {"connection": "close"}
        with httpx.Client(base_url=self.address, timeout=60, headers=headers) as client:
            while not self.done.is_set():
                try:
                    answer = client.post("/predict", files={"file": self.content})
                except httpx.ConnectError:
                    self.refused += 1
                    return
                except httpx.HTTPError as error:
                    self.bad.append(repr(error))
                    return
                if answer.status_code != 200:
                    self.bad.append(answer.text)
                    return
                body = answer.json()
                [one] = body["predictions"]
                self.answers[body["model_version"], f"{one['probabilities']['car']:.6f}"] += 1


@dataclass(frozen=True)
class Service:
    """The served Bento and the registry that it follows."""

    address: str
    process: subprocess.Popen[bytes]
    log: Path
    versions: dict[int, Version]
    bundles: dict[int, Path]
    content: bytes

    def load(self) -> Load:
        """Clients of it."""
        return Load(self.address, self.content)

    def metrics(self) -> str:
        """Its figures."""
        return httpx.get(f"{self.address}/metrics", timeout=30).text

    def expected(self, number: int) -> str:
        """What this version says of the image."""
        [answer] = Predictor(self.bundles[number]).predict([self.content])
        return f"{answer.probabilities['car']:.6f}"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    home = tmp_path_factory.mktemp("project")
    content = write_images(home / "images", 1, (320, 240))[0].read_bytes()
    bundles = {number: tiny_bundle(home / str(number), seed=number) for number in (1, 2, 3)}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**environment.SWITCHES, **environment.state(home), **FOLLOWING}.items():
            patch.setenv(name, value)
        versions = {number: registered(bundle) for number, bundle in bundles.items()}
        registry.move("car", "champion", versions[1])
        tag = build({"car": (bundles[1], 1)}).tag
        port, log = free_port(), home / "serve.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*SERVE, tag, "--host", "127.0.0.1", "--port", str(port)],
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=home,
            )
        address = f"http://127.0.0.1:{port}"
        service = Service(address, process, log, versions, bundles, content)
        try:
            wait_for(service, lambda: ready(address))
            yield service
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def registered(folder: Path) -> Version:
    with RunLog.start("car", params={}, lineage=Lineage(params_hash="a"), sample_every=0) as run:
        uri = run.bundle(folder)
    return registry.register("car", uri, run.run_id, bundle_format.digest(folder))


def ready(address: str) -> bool:
    try:
        return httpx.get(f"{address}/readyz", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def wait_for(service: Service, happened: Callable[[], Any]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not happened():
        alive = service.process.poll() is None and time.monotonic() < deadline
        assert alive, service.log.read_text()[-3000:]
        time.sleep(0.1)


def test_a_promotion_under_load_fails_no_request(service: Service) -> None:
    """Forwards, back and forwards again, with eight clients asking all the time."""
    with service.load() as load:
        wait_for(service, lambda: load.versions() == {1})
        for number in (2, 1, 2):
            before = sum(load.answers.values())
            registry.move("car", "champion", service.versions[number])
            done = f'version="{number}"}} 1.0'
            wait_for(service, lambda done=done: done in service.metrics())  # type: ignore[misc]
            wait_for(service, lambda before=before: sum(load.answers.values()) > before + CLIENTS)  # type: ignore[misc]
    assert not load.bad and not load.refused
    assert set(load.answers) == {(number, service.expected(number)) for number in (1, 2)}
    assert 'roadworthy_swaps_total{result="done",task="car"} 3.0' in service.metrics()


def test_a_broken_promotion_under_load_changes_nothing(service: Service) -> None:
    """A champion whose files were damaged is not served, and the metrics say so."""
    folder = registry.bundle_folder(service.versions[3])
    (folder / bundle_format.GRAPH).write_bytes(b"damaged")
    with service.load() as load:
        registry.move("car", "champion", service.versions[3])
        failed = 'roadworthy_swaps_total{result="failed",task="car"} 1.0'
        wait_for(service, lambda: failed in service.metrics())
        before = sum(load.answers.values())
        wait_for(service, lambda: sum(load.answers.values()) > before + CLIENTS)
    assert not load.bad and not load.refused
    assert set(load.answers) == {(2, service.expected(2))}
    assert "car/3 cannot be used, car/2 stays" in service.log.read_text()


def test_a_challenger_answers_unseen(service: Service) -> None:
    """It sees what callers send, and they see nothing of it."""
    registry.move("car", "challenger", service.versions[1])
    with service.load() as load:
        answered = 'roadworthy_shadow_answers_total{task="car"}'
        wait_for(service, lambda: answered in service.metrics())
    assert not load.bad and load.versions() == {2}


def test_told_to_stop_under_load_it_loses_nothing(service: Service) -> None:
    """Every request gets its answer or is refused before it was sent; then the process ends."""
    with service.load() as load:
        wait_for(service, lambda: sum(load.answers.values()) > 2 * CLIENTS)
        service.process.terminate()
        assert service.process.wait(60) == 0
        for thread in load.threads:
            thread.join(60)
    assert not load.bad
    assert load.refused == CLIENTS
