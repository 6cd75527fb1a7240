"""A search goes on after any kill, shares its work, and gives the same trials again."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from roadworthy.params import Tune
from roadworthy.tuning.search import JOURNAL, PrunedError, Search, Trial
from roadworthy.tuning.space import Choice, Range

ENTRIES = {
    "train.lr": Range(low=0.001, high=10.0, log=True),
    "train.optimizer": Choice(("adam", "sgd")),
    "head.hidden": Choice(((), (16,))),
}
# Takes trials until there are enough of them, a few milliseconds each.
WORKER = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_search import opened, value
from roadworthy.tracking import process
search = opened(Path(sys.argv[1]), trials=int(sys.argv[3]), process=process.me(), gone=process.gone)
print("ready", flush=True)
while claim := search.claim():
    time.sleep(0.01)
    claim.report(0, 1.0)
    claim.complete(value(claim.values))
"""


def opened(folder: Path, trials: int = 8, process: str = "me", **changes: Any) -> Search:
    gone = changes.pop("gone", lambda name: name != process)
    tune = Tune.model_validate({"trials": trials, "space": {"train.lr": [1]}, **changes})
    return Search(folder, tune, ENTRIES, seed=7, process=process, gone=gone)


def value(values: dict[str, Any]) -> float:
    return abs(float(values["train.lr"]) - 1) + (values["train.optimizer"] == "sgd")


def walk(search: Search, stop_at: int | None = None) -> list[Trial]:
    """Complete all trials; leave the one with that place as a kill would."""
    place = 0
    while claim := search.claim():
        if place == stop_at:
            break
        claim.complete(value(claim.values))
        place += 1
    return search.trials()


def tried(trials: list[Trial]) -> list[tuple[Any, ...]]:
    return [
        (trial.values, trial.value, trial.note) for trial in trials if trial.state == "complete"
    ]


def test_the_same_search_has_the_same_trials(tmp_path: Path) -> None:
    """Protects whoever has to show how the settings were found."""
    one, two = walk(opened(tmp_path / "one")), walk(opened(tmp_path / "two"))
    assert tried(one) == tried(two)
    assert len({trial.values["train.lr"] for trial in one}) == 8


@pytest.mark.parametrize("stop_at", [0, 1, 5, 7])
def test_a_search_that_was_killed_goes_on_with_the_same_trials(
    tmp_path: Path, stop_at: int
) -> None:
    """Protects from trials that are drawn twice, or lost, because somebody pulled the plug."""
    whole = walk(opened(tmp_path / "whole"))
    walk(opened(tmp_path / "killed", process="dead"), stop_at)
    assert tried(walk(opened(tmp_path / "killed"))) == tried(whole)


def test_a_trial_that_ended_its_process_again_and_again_is_given_up(tmp_path: Path) -> None:
    """Protects the search from one choice of settings that no machine survives."""
    lost = []
    for number in range(5):
        claim = opened(tmp_path, process=f"dead {number}").claim()
        assert claim is not None
        lost.append(claim.values)
    assert lost[0] == lost[1] == lost[2]
    assert lost[3] != lost[2]
    assert next(trial.note for trial in opened(tmp_path).trials()).startswith("given up")


def test_processes_share_the_work_and_survive_kills(tmp_path: Path) -> None:
    """Protects the journal: three processes at once, killed at random, make 60 trials, no more."""
    rng = random.Random(1)
    command = [sys.executable, "-c", WORKER, str(tmp_path), str(Path(__file__).parent), "60"]

    def worker() -> subprocess.Popen[str]:
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
        )

    workers = [worker() for _ in range(3)]
    for process in workers:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in workers[:2]:
        time.sleep(rng.uniform(0.1, 0.4))
        process.send_signal(signal.SIGKILL)
    for process in workers:
        process.wait(timeout=60)
        assert process.stdout is not None
        process.stdout.close()
    assert workers[2].returncode == 0
    after = opened(tmp_path, trials=60)
    walk(after)
    states = [trial.state for trial in after.trials()]
    assert states == ["complete"] * 60
    assert len({str(trial.values) for trial in after.trials()}) == 60


def test_a_line_that_was_cut_short_is_taken_away(tmp_path: Path) -> None:
    """Protects the search from a power cut in the middle of a write."""
    before = walk(opened(tmp_path, trials=3))
    with (tmp_path / JOURNAL).open("ab") as file:
        file.write(b'{"op_code": 4, "wor')
    again = opened(tmp_path, trials=5)
    assert tried(again.trials()) == tried(before)
    assert len(walk(again)) == 5


def test_the_present_settings_come_first(tmp_path: Path) -> None:
    """Protects from a best that is worse than what is in params.yaml already."""
    search = opened(tmp_path / "fits")
    present = {"train.lr": 0.5, "train.optimizer": "adam", "head.hidden": ()}
    search.begin(present)
    search.begin(present)
    first = walk(search)[0]
    assert first.values == {**present, "head.hidden": []}
    assert [trial.note for trial in search.trials()] == ["present settings", *[""] * 7]
    outside = opened(tmp_path / "outside")
    outside.begin({**present, "train.lr": 99})
    assert not any(trial.note for trial in walk(outside))


@pytest.mark.parametrize("prune", [True, False])
def test_what_is_worse_than_the_median_is_stopped(tmp_path: Path, prune: bool) -> None:
    """Protects the machine's time; the first epoch is everybody's."""
    search = opened(tmp_path, trials=6, prune=prune)
    for _ in range(4):
        claim = search.claim()
        assert claim is not None
        for epoch in range(3):
            claim.report(epoch, 0.5)
        claim.complete(0.5)
    claim = search.claim()
    assert claim is not None
    claim.report(0, 9.0)
    if not prune:
        claim.report(1, 9.0)
        return claim.complete(9.0)
    with pytest.raises(PrunedError, match="after epoch 2"):
        claim.report(1, 9.0)
    claim.prune("why not")
    last = search.trials()[-1]
    assert (last.state, last.value, last.epochs, last.note) == ("pruned", 9.0, 2, "why not")
    assert search.best() is not None and search.best() != last


@pytest.mark.parametrize(("metric", "best"), [("val/loss", 0.1), ("val/accuracy", 0.9)])
def test_the_best_is_the_largest_accuracy_or_the_smallest_loss(
    tmp_path: Path, metric: str, best: float
) -> None:
    """Protects from the worst settings being recommended."""
    search = opened(tmp_path, trials=3, metric=metric)
    assert search.best() is None
    for reached in (0.5, 0.1, 0.9):
        claim = search.claim()
        assert claim is not None
        claim.complete(reached)
    found = search.best()
    assert found is not None and found.value == best


def test_the_setting_that_matters_is_named(tmp_path: Path) -> None:
    """Protects the page's bars from being noise; with few trials there are none."""
    search = opened(tmp_path, trials=40)
    assert search.importances() == {}
    walk(search)
    shares = search.importances()
    assert set(shares) == set(ENTRIES)
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["head.hidden"] == min(shares.values())
