"""The window out of the log: the right answers, once each, in bounded memory."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitored import DIGEST, NOON, logged, records, tell
from records_made import record
from roadworthy.monitoring.reference import STATISTICS
from roadworthy.pipeline.traffic import _Latest, answered_last, read_traffic
from roadworthy.serving.journal import Journal
from roadworthy.serving.tally import NAME, Minute, to_line

LABELS = ("not_car", "car")


def numbers(folder: Path, window: int = 50, digest: str = DIGEST) -> list[int]:
    found = read_traffic(folder, "car", digest, NOON, window)
    return [int(one.id, 16) - 1_000_000 for one in found.records]


def test_the_latest_answers_of_this_champion(tmp_path: Path) -> None:
    """Other tasks, versions, challengers and later answers are no evidence about it."""
    own = records(80)
    others = [
        *records(9, task="brand"),
        *records(9, digest="e" * 64),
        *records(9, shadow=True),
        *records(9, until=NOON + timedelta(hours=1)),
    ]
    logged(tmp_path, [*own, *others])
    assert numbers(tmp_path) == list(range(30, 80))
    assert numbers(tmp_path, digest="f" * 64) == []


def test_a_copy_of_an_image_is_the_image(tmp_path: Path) -> None:
    """A robot that sends one picture all day is one picture."""
    answers = records(200)
    copies = [record(n, sha256="c" * 64, at=answers[n].at, digest=DIGEST) for n in range(100, 200)]
    logged(tmp_path, [*answers[:100], *copies])
    found = read_traffic(tmp_path, "car", DIGEST, NOON, 50).records
    assert [one.sha256 for one in found[:-1]] == [one.sha256 for one in answers[51:100]]
    assert found[-1].id == f"{199:032x}"


def test_files_of_several_processes_overlap_in_time(tmp_path: Path) -> None:
    """The last file that is read need not hold the latest answers."""
    answers = records(90)
    logged(tmp_path, answers[1::2])
    (file,) = tmp_path.glob("predictions-*")
    file.rename(tmp_path / "predictions-0-first.jsonl")
    logged(tmp_path, answers[0::2])
    assert numbers(tmp_path, 40) == list(range(50, 90))


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 500)), max_size=400), st.integers(1, 9)
)
def test_nothing_is_lost_by_bounding_memory(pairs: list[tuple[int, int]], size: int) -> None:
    """The same as keeping all, taking of each content the latest, and cutting once."""
    rows = [
        record(
            place,
            sha256=f"{content:064x}",
            at=(NOON + timedelta(seconds=second)).isoformat(),
            embedding=None,
        )
        for place, (content, second) in enumerate(pairs)
    ]
    kept, every = _Latest(size), {}
    kept.slack = 2
    for one in rows:
        kept.add(one)
        if one.sha256 not in every or every[one.sha256].at <= one.at:
            every[one.sha256] = one
    wanted = sorted(every.values(), key=lambda one: (one.at, one.id))[-size:]
    assert [one.at for one in kept.kept()] == [one.at for one in wanted]


def test_live_is_what_the_tests_take(tmp_path: Path) -> None:
    """Rows in the order of time, columns in the order of the bundle's labels."""
    answers = records(60)
    logged(tmp_path, answers)
    live = read_traffic(tmp_path, "car", DIGEST, NOON, 50).live(LABELS)
    assert len(live) == 50 and set(live.statistics) == set(STATISTICS)
    assert live.embeddings is not None and live.embeddings.dtype == np.float32
    assert live.probabilities[-1, 1] == pytest.approx(answers[-1].probabilities["car"], abs=1e-6)
    assert live.embeddings[0] == pytest.approx(answers[10].embedding, abs=0.01)
    logged(tmp_path, records(1, seed=2, embedding=None))
    assert read_traffic(tmp_path, "car", DIGEST, NOON, 50).live(LABELS).embeddings is None


def test_an_empty_log_is_no_traffic(tmp_path: Path) -> None:
    """And no error: a service that was just started."""
    found = read_traffic(tmp_path, "car", DIGEST, NOON, 50)
    live = found.live(LABELS)
    assert len(live) == 0 and live.probabilities.shape == (0, 2) and found.since == NOON
    assert answered_last(tmp_path, "car", NOON) is None


def test_feedback_is_looked_at_beyond_the_window(tmp_path: Path) -> None:
    """It is rare: the latest answers that people judged, of this version, up to that moment."""
    answers = records(200)
    logged(tmp_path, [*answers, *records(5, seed=2, digest="e" * 64)])
    tell(tmp_path, [*answers[:30], *records(5, seed=2)], 21)
    found = read_traffic(tmp_path, "car", DIGEST, NOON, 50)
    assert (len(found.right), int(found.right.sum())) == (30, 21)
    assert found.told == {one.sha256 for one in answers[:30]}
    early = read_traffic(tmp_path, "car", DIGEST, NOON - timedelta(minutes=180), 50)
    assert len(early.right) == 20


def test_refusals_of_that_time_for_what_was_sent(tmp_path: Path) -> None:
    """A missing key or a busy service says nothing about images; feedback is no image."""
    logged(tmp_path, records(60))
    journal = Journal(tmp_path, NAME, 100_000, 3)

    def minute(ago: int, **words: int) -> None:
        since, until = (NOON - timedelta(minutes=m) for m in (ago, ago - 1))
        line = Minute(
            since=since.isoformat(),
            until=until.isoformat(),
            requests={"/predict": 100, "/feedback": 7},
            refused={"/predict": words, "/feedback": {"invalid": 7}},
        )
        journal.append([to_line(line)])

    minute(120, unusable_image=50)
    minute(10, unusable_image=5, busy=20, no_key=10)
    minute(5, too_large=2)
    minute(-10, unusable_image=50)
    journal.close()
    found = read_traffic(tmp_path, "car", DIGEST, NOON, 50)
    assert found.requests == 170
    assert found.refusals == {"unusable_image": 5, "too_large": 2}


def test_who_answered_last(tmp_path: Path) -> None:
    """Of a day that is over: the version that served then, not one that only watched."""
    logged(tmp_path, records(5, until=NOON - timedelta(hours=2), digest="a" * 64))
    logged(tmp_path, records(5, seed=2, digest="b" * 64))
    logged(tmp_path, records(5, seed=3, digest="c" * 64, shadow=True))
    assert answered_last(tmp_path, "car", NOON) == "b" * 64
    assert answered_last(tmp_path, "car", NOON - timedelta(hours=1)) == "a" * 64
