"""Shadow mode: it sees a share, tells who disagrees, and never gets into anybody's way."""

import logging
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from following import Shelf
from roadworthy.bundle.predictor import Prediction
from roadworthy.serving import shadow as module
from roadworthy.serving.champions import Champion, load
from roadworthy.serving.metrics import Metrics
from roadworthy.serving.record import Record, read
from roadworthy.serving.records import PredictionLog
from roadworthy.serving.settings import Settings
from roadworthy.serving.shadow import Shadow, belongs
from support import tiny_bundle, write_images

ALWAYS_CAR, NEVER_CAR = 50.0, -50.0


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("bundles")
    return {
        "champion": tiny_bundle(folder / "champion", bias=ALWAYS_CAR),
        "agrees": tiny_bundle(folder / "agrees", bias=ALWAYS_CAR, seed=1),
        "objects": tiny_bundle(folder / "objects", bias=NEVER_CAR),
        "narrow": tiny_bundle(folder / "narrow", max_pixels=10),
    }


@pytest.fixture(scope="module")
def champion(bundles: dict[str, Path]) -> Champion:
    return load(bundles["champion"], 3)


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_images(tmp_path_factory.mktemp("images"), 1)[0].read_bytes()


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def shadow(shelf: Shelf, metrics: Metrics) -> Iterator[Shadow]:
    shadow = Shadow(shelf, 1.0, metrics)
    yield shadow
    shadow.close()


def run(shadow: Shadow) -> None:
    """Without the thread that polls."""
    shadow.follower.poll()
    shadow._thread.start()


def ask(shadow: Shadow, champion: Champion, content: bytes, image: str = "a" * 32) -> bool:
    [answer] = champion.predictor.predict([content])
    return shadow.offer("car", champion, content, answer, image, "request-1")


def counted(metrics: Metrics, name: str, **labels: str) -> float:
    return metrics.registry.get_sample_value(f"roadworthy_{name}", labels) or 0.0


@pytest.mark.parametrize(("challenger", "agrees"), [("agrees", True), ("objects", False)])
def test_a_challenger_is_compared_with_the_champion(
    challenger: str,
    agrees: bool,
    shadow: Shadow,
    shelf: Shelf,
    metrics: Metrics,
    champion: Champion,
    content: bytes,
    bundles: dict[str, Path],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Agreements are counted, disagreements are logged too, and its answers are kept as its own."""
    caplog.set_level(logging.INFO)
    shadow.log = PredictionLog(Settings(log=tmp_path))
    shelf.put(bundles[challenger], 4)
    run(shadow)
    assert ask(shadow, champion, content)
    shadow.wait()
    shadow.log.close()
    assert counted(metrics, "shadow_answers_total", task="car") == 1
    assert counted(metrics, "shadow_disagreements_total", task="car") == (not agrees)
    [record] = read(tmp_path)
    assert isinstance(record, Record)
    [expected] = load(bundles[challenger], 4).predictor.predict([content])
    assert record.shadow and record.version == 4 and record.id == "a" * 32
    assert record.request_id == "request-1"
    assert record.label == expected.label
    assert record.probability == pytest.approx(expected.probability, abs=1e-6)
    said = "champion car/3 says car (1.0000), the challenger car/4 not_car (1.0000)" in caplog.text
    assert said != agrees


def test_what_the_champion_says_by_itself_is_compared(
    shadow: Shadow,
    shelf: Shelf,
    metrics: Metrics,
    champion: Champion,
    content: bytes,
    bundles: dict[str, Path],
) -> None:
    """A caller's own threshold changes that caller's answer, not who agrees with whom."""
    shelf.put(bundles["agrees"], 4)
    run(shadow)
    [answer] = champion.predictor.predict([content])
    strict = replace(answer, label="not_car", probability=0.0)
    assert shadow.offer("car", champion, content, strict, "a" * 32)
    shadow.wait()
    assert counted(metrics, "shadow_disagreements_total", task="car") == 0


def test_nobody_is_asked_who_is_no_challenger(
    shadow: Shadow, shelf: Shelf, champion: Champion, content: bytes, bundles: dict[str, Path]
) -> None:
    """Without a challenger, or where it is the champion itself, nothing is done."""
    shadow.follower.poll()
    assert not ask(shadow, champion, content)
    shelf.put(bundles["champion"], 3)
    shadow.follower.poll()
    assert not ask(shadow, champion, content)
    shelf.put(bundles["agrees"], 4)
    shadow.follower.poll()
    assert ask(shadow, champion, content)
    shelf.offers.clear()
    shadow.follower.poll()
    assert not ask(shadow, champion, content)


def test_too_much_is_left_out_and_counted(
    shadow: Shadow,
    shelf: Shelf,
    metrics: Metrics,
    champion: Champion,
    content: bytes,
    bundles: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A slow challenger costs some of its own answers, and neither memory nor anybody's time."""
    shelf.put(bundles["agrees"], 4)
    shadow.follower.poll()
    taken = [ask(shadow, champion, content) for _ in range(module.WAITING + 5)]
    assert taken == [True] * module.WAITING + [False] * 5
    shadow._thread.start()
    shadow.wait()
    monkeypatch.setattr(module, "WAITING_BYTES", len(content) - 1)
    assert not ask(shadow, champion, content)
    assert counted(metrics, "shadow_answers_total", task="car") == module.WAITING
    assert counted(metrics, "log_dropped_total", kind="shadow", reason="queue") == 6


def test_a_challenger_that_breaks_is_asked_again(
    shadow: Shadow,
    shelf: Shelf,
    metrics: Metrics,
    champion: Champion,
    content: bytes,
    bundles: dict[str, Path],
) -> None:
    """Images that it cannot use are counted, and end nothing."""
    shelf.put(bundles["narrow"], 4)
    run(shadow)
    for _ in range(2):
        assert ask(shadow, champion, content)
    shadow.wait()
    assert counted(metrics, "log_dropped_total", kind="shadow", reason="unusable") == 2
    shelf.put(bundles["agrees"], 5)
    shadow.follower.poll()
    assert ask(shadow, champion, content)
    shadow.wait()
    assert counted(metrics, "shadow_answers_total", task="car") == 1


def test_asking_waits_for_nothing(
    shadow: Shadow,
    shelf: Shelf,
    champion: Champion,
    content: bytes,
    bundles: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A challenger that never answers keeps no caller waiting, nor the end of the process."""
    begun, release = threading.Event(), threading.Event()

    def hang(*_: Any) -> None:
        begun.set()
        release.wait()
        raise RuntimeError("too late")

    monkeypatch.setattr(module, "ask", hang)
    monkeypatch.setattr(module, "CLOSE_SECONDS", 0.05)
    shelf.put(bundles["agrees"], 4)
    run(shadow)
    assert ask(shadow, champion, content)
    assert begun.wait(10)
    assert ask(shadow, champion, content)
    shadow.close()
    assert not ask(shadow, champion, content)
    release.set()


@given(images=st.lists(st.uuids(), min_size=1), share=st.floats(0, 1), more=st.floats(0, 1))
def test_the_share_is_decided_by_the_image(images: list[Any], share: float, more: float) -> None:
    """The same images in every process and at every time; a larger share holds the smaller one."""
    low, high = sorted((share, more))
    for image in images:
        assert belongs(image.hex, low) <= belongs(image.hex, high)
        assert belongs(image.hex, 1.0) and not belongs(image.hex, 0.0)


def test_the_share_is_what_was_set() -> None:
    """A tenth of the traffic is a tenth of it."""
    found = sum(belongs(f"{number:032x}", 0.1) for number in range(10_000))
    assert 900 <= found <= 1100


def test_an_answer_tells_every_label(champion: Champion, content: bytes) -> None:
    """What `offer` builds on: probabilities stand in the order of the labels."""
    [answer] = champion.predictor.predict([content])
    assert isinstance(answer, Prediction)
    assert tuple(answer.probabilities) == champion.predictor.spec.labels
