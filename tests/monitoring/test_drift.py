import json
import subprocess
import sys
from threading import Thread
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadworthy.monitoring.drift import LEAST, Window, bins
from roadworthy.monitoring.reference import STATISTICS, profile

ASPECTS = np.array([1.0, 4 / 3, 1.5, 16 / 9])
Drawn = tuple[pd.DataFrame, np.ndarray]


def drawn(rng: np.random.Generator, count: int) -> Drawn:
    """Statistics and probabilities of a small world; its aspects are those of four cameras."""
    light = rng.normal(0.5, 0.1, count)
    rows = {name: light + rng.normal(0, 0.03, count) for name in STATISTICS}
    rows["sharpness"] = rng.gamma(2, 0.01, count)
    rows["aspect"] = rng.choice(ASPECTS, count, p=[0.23, 0.31, 0.4, 0.06])
    return pd.DataFrame(rows), rng.dirichlet([0.5, 0.5, 0.5], count)


def filled(reference: dict[str, Any], world: Drawn, size: int = 500) -> Window:
    window = Window(reference, size)
    for row, answers in zip(world[0].to_dict("records"), world[1], strict=True):
        window.add({str(name): v for name, v in row.items()}, answers.max(), answers)
    return window


@pytest.mark.parametrize("images", [60, 250, 3000])
@pytest.mark.parametrize("count", [LEAST, 500])
def test_no_alarm_without_drift(images: int, count: int) -> None:
    """An alarm that rings by itself is switched off, also with a small reference."""
    rng = np.random.default_rng(0)
    worst = 0.0
    for _ in range(15):
        scores = filled(profile(*drawn(rng, images)), drawn(rng, count)).scores()
        assert scores.keys() == {*STATISTICS, "confidence", "answers"}
        worst = max(worst, *(float(score or 0) for score in scores.values()))
    assert worst < 0.25


def test_darker_images_are_seen() -> None:
    """And only what darkness changes is named."""
    rng = np.random.default_rng(1)
    reference = profile(*drawn(rng, 250))
    rows, answers = drawn(rng, 300)
    for name in ("brightness", "red", "green", "blue"):
        rows[name] *= 0.6
    scores = filled(reference, (rows, answers)).scores()
    for name, score in scores.items():
        assert score is not None
        assert (score > 0.5) == (name in ("brightness", "red", "green", "blue")), name


def test_another_camera_is_seen() -> None:
    """Its images have all one shape, which lies inside the range of the reference."""
    rng = np.random.default_rng(2)
    reference = profile(*drawn(rng, 250))
    rows, answers = drawn(rng, 200)
    rows["aspect"] = 1.2
    assert (filled(reference, (rows, answers)).scores()["aspect"] or 0) > 0.5


@pytest.mark.parametrize("other", [1.333, 1.334])
def test_a_reference_of_one_shape(other: float) -> None:
    """Nothing is to be said while it stays, and much when it changes, to whichever side."""
    rng = np.random.default_rng(3)
    rows, answers = drawn(rng, 200)
    rows["aspect"] = 4 / 3
    reference = json.loads(json.dumps(profile(rows, answers)))
    assert filled(reference, (rows, answers)).scores()["aspect"] == 0
    assert (filled(reference, (rows.assign(aspect=other), answers)).scores()["aspect"] or 0) > 2


def test_other_answers_are_seen() -> None:
    """Images may look as ever and yet show something else."""
    rng = np.random.default_rng(4)
    reference = profile(*drawn(rng, 250))
    rows, _ = drawn(rng, 300)
    scores = filled(reference, (rows, rng.dirichlet([20, 1, 1], 300))).scores()
    assert (scores["answers"] or 0) > 0.3


def test_nothing_is_said_of_few_images_or_without_a_reference() -> None:
    """A guess would look like a measurement."""
    rng = np.random.default_rng(5)
    reference = profile(*drawn(rng, 250))
    scores = filled(reference, drawn(rng, LEAST - 1)).scores()
    assert set(scores.values()) == {None}
    assert filled({}, drawn(rng, 200)).scores() == {}
    part = {**reference, "quantiles": {"brightness": reference["quantiles"]["brightness"]}}
    assert filled(part, drawn(rng, 200)).scores().keys() == {"brightness", "answers"}


def test_only_the_latest_images_count() -> None:
    """What was dark last week says nothing of today."""
    rng = np.random.default_rng(6)
    reference = profile(*drawn(rng, 250))
    dark, answers = drawn(rng, 400)
    window = filled(reference, (dark * 0.3, answers), size=300)
    assert len(window) == 300
    rows, answers = drawn(rng, 300)
    for row, answer in zip(rows.to_dict("records"), answers, strict=True):
        window.add({str(name): v for name, v in row.items()}, answer.max(), answer)
    assert (window.scores()["brightness"] or 0) < 0.25


@given(st.lists(st.floats(-1e6, 1e6), min_size=21, max_size=21))
def test_bins_of_any_reference(values: list[float]) -> None:
    """Edges rise, and the shares up to them never fall, whatever ties there are."""
    found = bins(sorted(values))
    assert (np.diff(found.edges) > 0).all()
    assert (np.diff(found.low) >= 0).all() and (np.diff(found.high) >= 0).all()
    assert (found.low <= found.high).all()


def test_threads_may_add_at_once() -> None:
    """Every request adds from a thread of its own while the figures are read."""
    rng = np.random.default_rng(7)
    window = Window(profile(*drawn(rng, 100)), 1000)
    row = dict.fromkeys(STATISTICS, 0.5)
    answers = np.array([1.0, 0.0, 0.0])

    def add() -> None:
        for _ in range(200):
            window.add(row, 1.0, answers)
            if len(window) % 50 == 0:
                window.scores()

    threads = [Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(window) == 800


def test_it_needs_numpy_only() -> None:
    """Where the service runs there is no pandas."""
    code = "import sys, roadworthy.monitoring.drift; sys.exit('pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
