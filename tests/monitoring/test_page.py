"""The page of live traffic: one file, whole in any state, read by a real browser without a complaint."""

import re
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from monitored import drawn
from roadworthy.monitoring.evidence import Judgement, Live, Test
from roadworthy.monitoring.outcome import Asked, Monitored
from roadworthy.monitoring.page import Seen, render
from roadworthy.monitoring.reference import STATISTICS, Reference
from roadworthy.monitoring.state import History, Judged, Started

NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)
LABELS = ("not_car", "<car>")
BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
TESTS = (
    Test("embedding", 0.0001, 0.002, 0.9, True, "told apart in 90% of pairs"),
    Test("brightness", 0.5, 0.01, 0.01, False, "brightness is 0.5 in the middle"),
    Test("accuracy", None, 0.02, 0.0, False, "not tested: people have judged 3 answers"),
)


def outcome(folder: Path, drifted: bool = True, files: bool = True) -> Monitored:
    asked = []
    for n in range(3):
        path = folder / f"{n}.png"
        Image.new("RGB", (200, 90), (80 * n, 90, 20)).save(path)
        asked.append(
            Asked(
                id=f"{n:032x}",
                sha256=f"{n:064x}",
                answered="<car>",
                probability=0.6,
                at=NOON.isoformat(),
                file=path if files else None,
            )
        )
    return Monitored(
        task="car",
        version=3,
        digest="d" * 64,
        judgement=Judgement(TESTS, drifted, True, "Drifted & <more>."),
        since=NOON - timedelta(hours=5),
        until=NOON,
        images=200,
        asked=tuple(asked) if drifted else (),
        new_labels=3,
        wants="labels" if drifted else "nothing",
        advice="Labels are wanted.",
        page=folder / "monitor.html",
    )


def seen(count: int = 200) -> Seen:
    statistics, probabilities, embeddings = drawn(count, 1, 1.0)
    known = drawn(300, 0)
    live = Live(statistics, probabilities, embeddings, 100, 9, np.array([True, False]))
    one = Judged(
        until=NOON,
        since=NOON,
        version=3,
        digest="d",
        images=200,
        enough=True,
        drifted=True,
        wants="labels",
        new_labels=0,
        tests={"embedding": True, "brightness": False, "accuracy": None},
    )
    judged = tuple(
        replace(one, until=NOON - timedelta(days=n), version=3 - n // 40) for n in range(80, -1, -1)
    )
    history = History(judged, (Started(until=NOON, what="labels"),))
    reference = Reference({}, known[0], known[1], known[2])
    return Seen(reference, live, LABELS, {"unusable_image": 9}, history, Path("inbox"))


def test_it_says_what_is_so_and_what_to_do(tmp_path: Path) -> None:
    """The verdict in words, each test with its sentence, what is asked, where it goes."""
    text = render(outcome(tmp_path), seen())
    for words in (
        'live traffic <span class="bad">has drifted',
        "Drifted &amp; &lt;more&gt;.",
        "Labels are wanted.",
        "✗ alarm",
        "✓ quiet",
        "people have judged 3 answers",
        "inbox/car/",
        "unusable_image",
        "50%",
    ):
        assert words in text, words
    assert text.count('class="panel"') == len(STATISTICS) + 1
    assert text.count("<figure") == 3 and "<car>" not in text
    assert text.count("<title>2026-") == 60 * 3


def test_it_stands_alone(tmp_path: Path) -> None:
    """Nothing is fetched from anywhere, no script runs."""
    text = render(outcome(tmp_path), seen())
    links = re.findall(r"(?:src|href)=\"([^\"]*)", text)
    assert links and all(link.startswith(("data:", "#")) for link in links)
    assert "<script" not in text and "url(" not in text


def test_it_is_whole_without_anything_to_show(tmp_path: Path) -> None:
    """No traffic, an old bundle, no history: fewer sections and no error."""
    empty = Seen(
        Reference(),
        Live(dict.fromkeys(STATISTICS, np.zeros(0)), np.zeros((0, 2))),
        LABELS,
        {},
        History(),
        Path("inbox"),
    )
    found = replace(outcome(tmp_path, drifted=False), images=0, version=None)
    text = render(found, empty)
    assert "<h2>Tests</h2>" in text and "panel" not in text.split("</style>")[1]
    assert "to validation" not in text and "So far" not in text


def test_an_older_reference_is_shown_by_its_quantiles(tmp_path: Path) -> None:
    """A bundle without `reference.npz` has histograms as well."""
    shown = seen()
    quantiles = {name: list(np.linspace(0, 1, 21)) for name in (*STATISTICS, "confidence")}
    old = Reference({"quantiles": quantiles, "answers": [0.4, 0.6]})
    text = render(outcome(tmp_path), replace(shown, reference=old))
    assert text.count('class="panel"') == len(STATISTICS) + 1 and "was 40.0%" in text


def test_without_images_the_ids_are_there(tmp_path: Path) -> None:
    """For those who have the images, and `/feedback`."""
    text = render(outcome(tmp_path, files=False), seen())
    assert "/feedback" in text and f"{2:032x}" in text and "<figure" not in text


@pytest.mark.skipif(not BROWSER, reason="no chromium")
def test_a_browser_draws_it_on_a_phone(tmp_path: Path) -> None:
    """Nothing sticks out to the side, nothing is asked of the network, no error is logged."""
    from playwright.sync_api import sync_playwright

    page = tmp_path / "monitor.html"
    page.write_text(render(outcome(tmp_path), seen()), encoding="utf-8")
    asked: list[str] = []
    with sync_playwright() as play:
        browser = play.chromium.launch(
            executable_path=BROWSER, args=["--no-sandbox", "--disable-gpu"]
        )
        for width in (390, 1280):
            view = browser.new_page(viewport={"width": width, "height": 900})
            view.on("request", lambda one: asked.append(one.url))
            view.on("console", lambda one: asked.append(one.text))
            view.goto(page.as_uri())
            root = "document.documentElement"
            assert view.evaluate(f"{root}.scrollWidth - {root}.clientWidth") == 0
            assert view.evaluate("[...document.images].every(i => i.naturalWidth > 0)")
        browser.close()
    assert [one for one in asked if not one.startswith(("file:", "data:"))] == []
