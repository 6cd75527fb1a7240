"""Following an alias: the new one takes over, and whatever goes wrong, the old one stays."""

import errno
import gc
import logging
import sys
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from following import Shelf, broken_copy
from roadworthy.bundle.format import GRAPH, WEIGHTS
from roadworthy.errors import ParamsError, TrackingError
from roadworthy.serving import follow
from roadworthy.serving.champions import Champion, load
from roadworthy.serving.context import Served
from roadworthy.serving.follow import REST, Follower
from roadworthy.serving.metrics import Metrics
from roadworthy.serving.offers import registry
from support import tiny_bundle

Counted = list[tuple[str, bool]]


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("versions")
    return [tiny_bundle(folder / str(seed), seed=seed) for seed in range(3)]


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def served(versions: list[Path]) -> Served:
    return Served({"car": load(versions[0], 1)}, Metrics())


@pytest.fixture
def counted() -> Counted:
    return []


@pytest.fixture
def follower(shelf: Shelf, served: Served, counted: Counted) -> Follower:
    return Follower(shelf, served, lambda task, done: counted.append((task, done)))


def test_a_new_version_takes_over(
    follower: Follower, shelf: Shelf, served: Served, versions: list[Path], counted: Counted
) -> None:
    """What was promoted answers, and only it; who has begun with the old one keeps it."""
    old = served.champions["car"]
    shelf.put(versions[1], 2)
    assert follower.poll() and follower.poll()
    new = served.champions["car"]
    assert new.version == 2
    assert new.digest == load(versions[1], 2).digest != old.digest
    assert counted == [("car", True)]
    assert shelf.fetched == 1
    picture = np.zeros((20, 20, 3), np.uint8)
    assert old.predictor.predict([picture]) != new.predictor.predict([picture])


def test_the_old_one_is_let_go_with_its_last_request(
    follower: Follower, shelf: Shelf, served: Served, versions: list[Path]
) -> None:
    """Memory is for two while they change, and then for one again."""
    request: Champion | None = served.champions["car"]
    old = weakref.ref(served.champions["car"].predictor)
    shelf.put(versions[1], 2)
    gc.disable()
    try:
        follower.poll()
        assert old() is not None
        request = None
        assert old() is None
    finally:
        gc.enable()
    assert request is None


def test_the_same_bundle_under_another_number_is_not_loaded_again(
    follower: Follower, shelf: Shelf, served: Served, versions: list[Path]
) -> None:
    """A rollback to a version that is the same bundle costs nothing."""
    shelf.put(versions[0], 7)
    before = served.champions["car"].predictor
    follower.poll()
    assert served.champions["car"].version == 7
    assert served.champions["car"].predictor is before
    assert shelf.fetched == 0


def full_disk() -> Path:
    raise OSError(errno.ENOSPC, "No space left on device")


def unreachable() -> Path:
    raise TrackingError("the files of car/2 cannot be fetched: connection refused")


def corrupt(good: Path, folder: Path) -> Path:
    return broken_copy(good, folder / "corrupt", GRAPH, b"no graph")


def half(good: Path, folder: Path) -> Path:
    return broken_copy(good, folder / "half", GRAPH, (good / GRAPH).read_bytes()[:2000])


def unnumbered(good: Path, folder: Path) -> Path:
    """Its graph computes NaN."""
    graph = (good / GRAPH).read_bytes()
    largest = max(load_file(good / WEIGHTS).values(), key=lambda weights: weights.size)
    return broken_copy(
        good,
        folder / "nan",
        GRAPH,
        graph.replace(largest.tobytes(), np.full_like(largest, np.nan).tobytes()),
    )


def other_task(good: Path, folder: Path) -> Path:
    return tiny_bundle(folder / "police", task="police", labels=("no", "police"))


def empty(good: Path, folder: Path) -> Path:
    (folder / "empty").mkdir()
    return folder / "empty"


@pytest.mark.parametrize(
    ("made", "changes", "says"),
    [
        (None, {"fetch": full_disk}, "No space left"),
        (None, {"fetch": unreachable}, "connection refused"),
        (None, {"digest": "0" * 64}, "digest"),
        (corrupt, {}, "cannot be loaded"),
        (half, {}, "cannot be loaded"),
        (unnumbered, {}, "no number"),
        (other_task, {}, "a bundle of police"),
        (empty, {}, "bundle.json"),
    ],
)
def test_whatever_is_wrong_the_old_one_stays(
    made: Callable[[Path, Path], Path] | None,
    changes: dict[str, Any],
    says: str,
    follower: Follower,
    shelf: Shelf,
    served: Served,
    versions: list[Path],
    counted: Counted,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A version that cannot be used changes nothing, is told once, and a good one still comes."""
    old = served.champions["car"]
    shelf.put(made(versions[1], tmp_path) if made else versions[1], 2, **changes)
    follower.poll()
    assert served.champions["car"] is old
    assert counted == [("car", False)]
    [told] = [record.getMessage() for record in caplog.records]
    assert says in told and "car/2 cannot be used, car/1 stays" in told
    shelf.put(versions[2], 3)
    follower.poll()
    assert served.champions["car"].version == 3
    assert counted[-1] == ("car", True)


def test_a_registry_that_is_away_changes_nothing(
    follower: Follower,
    shelf: Shelf,
    served: Served,
    versions: list[Path],
    counted: Counted,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The service needs no registry to answer, says so once, and follows when it is back."""
    shelf.put(versions[1], 2)
    shelf.fails = TrackingError("the tracking server does not answer")
    assert not follower.poll() and not follower.poll()
    assert served.champions["car"].version == 1
    shelf.fails = TrackingError("the tracking server does not answer after 3.1 s")
    assert not follower.poll()
    assert counted == []  # no version was tried
    [told] = [record.getMessage() for record in caplog.records]
    assert "the registry cannot be asked, what is served stays" in told
    shelf.fails = None
    assert follower.poll()
    assert counted == [("car", True)]
    assert served.champions["car"].version == 2


def test_an_alias_that_cannot_be_looked_up_is_said_once_an_outage(
    follower: Follower, shelf: Shelf, counted: Counted, caplog: pytest.LogCaptureFixture
) -> None:
    """Nor is it counted as a version that was tried; when it comes again it is said again."""
    caplog.set_level(logging.INFO, follow.log.name)

    def current(task: str) -> None:
        if poll % 3:
            raise TrackingError(f"timed out after {poll} s")

    shelf.current = current  # type: ignore[method-assign, assignment]
    for poll in (1, 2, 3, 4, 5):
        assert follower.poll() is (poll == 3)
    told = [record.getMessage() for record in caplog.records]
    assert [
        ("cannot be looked up" in one, "again for car" in one)
        for one in told
        if "stays:" in one or "again" in one
    ] == [(True, False), (False, True), (True, False)]
    assert counted == []


def test_a_version_that_is_broken_is_left_alone(
    follower: Follower, shelf: Shelf, versions: list[Path], tmp_path: Path
) -> None:
    """Nobody downloads the same broken 100 MB twice a minute."""
    shelf.put(corrupt(versions[1], tmp_path), 2)
    for _ in range(REST + 1):
        follower.poll()
    assert shelf.fetched == 1
    follower.poll()
    assert shelf.fetched == 2


def test_trouble_that_may_pass_is_tried_again_ever_more_rarely(
    follower: Follower, shelf: Shelf, versions: list[Path]
) -> None:
    """After 1, 3, 7, 15 polls and then every 20."""
    tries = []

    def fetch() -> Path:
        tries.append(poll)
        return full_disk()

    shelf.put(versions[1], 2, fetch=fetch)
    for poll in range(75):  # noqa: B007 - read by `fetch`
        follower.poll()
    assert np.diff(tries).tolist() == [2, 4, 8, 16, REST + 1, REST + 1]


def test_a_first_champion_appears(
    follower: Follower, shelf: Shelf, served: Served, tmp_path: Path
) -> None:
    """A new task needs no restart."""
    shelf.put(tiny_bundle(tmp_path, task="brand", labels=("a", "b", "c")), 1, "brand")
    follower.poll()
    assert set(served.champions) == {"car", "brand"}


def test_who_loses_the_alias_stays_and_it_is_said_once(
    follower: Follower, served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    """Taking an alias away by mistake is no outage."""
    follower.poll()
    follower.poll()
    assert served.champions["car"].version == 1
    [told] = [record.getMessage() for record in caplog.records]
    assert "car/1 stays" in told


def test_a_swap_under_load_mixes_nothing(
    follower: Follower, shelf: Shelf, served: Served, versions: list[Path]
) -> None:
    """Every answer is that of the version it says, whatever changes meanwhile."""
    picture = np.zeros((20, 20, 3), np.uint8)
    expected = {n: load(path, n).predictor.predict([picture]) for n, path in enumerate(versions, 1)}
    wrong: list[int] = []
    seen: set[int] = set()
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            champion = served.champions["car"]
            seen.add(champion.version)
            if champion.predictor.predict([picture]) != expected[champion.version]:
                wrong.append(champion.version)

    askers = [threading.Thread(target=ask) for _ in range(4)]
    for asker in askers:
        asker.start()
    for number in (2, 3, 1, 2, 3, 1, 2, 3):
        shelf.put(versions[number - 1], number)
        follower.poll()
    done.set()
    for asker in askers:
        asker.join()
    assert not wrong
    assert seen <= {1, 2, 3} and served.champions["car"].version == 3


def test_a_source_that_hangs_holds_up_nothing(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service answers and stops though the registry never says a word."""
    monkeypatch.setattr(follow, "CLOSE_SECONDS", 0.05)
    asked, release = threading.Event(), threading.Event()

    class Hanging(Shelf):
        def tasks(self) -> list[str]:
            asked.set()
            release.wait()
            return []

    follower = Follower(Hanging(), served, lambda *_: None)
    follower.start()
    assert asked.wait(10)
    assert served.champions["car"].predictor.predict([np.zeros((20, 20, 3), np.uint8)])
    follower.close()
    release.set()


def test_it_polls_by_itself(
    shelf: Shelf, served: Served, versions: list[Path], caplog: pytest.LogCaptureFixture
) -> None:
    """Started once, it follows until it is closed."""
    caplog.set_level(logging.INFO)
    swapped = threading.Event()
    shelf.put(versions[1], 2)
    follower = Follower(shelf, served, lambda *_: swapped.set(), seconds=0.01)
    follower.start()
    assert swapped.wait(20)
    follower.close()
    assert served.champions["car"].version == 2
    assert "car/2 is champion now, after car/1" in caplog.text


def test_following_needs_mlflow_and_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who sets it where it cannot work learns it at the start, and what to do."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(ParamsError, match="MLFLOW_TRACKING_URI says nowhere where it is: set it"):
        registry("champion")
    for name in [name for name in sys.modules if name.startswith("roadworthy.tracking")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(
        ParamsError, match=r"needs mlflow .*: install it beside the service, or unset"
    ):
        registry("champion")
