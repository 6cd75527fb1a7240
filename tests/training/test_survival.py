"""A training survives: kills, signals, a full disk, a loss that explodes, memory that runs out."""

import json
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

import small_training
from roadworthy.errors import TrainingError
from roadworthy.training.checkpoints import BEST, DONE, LAST, Keeper, write
from roadworthy.training.fit import ROLLBACKS
from roadworthy.training.module import Classifier
from small_training import plan_of, train, write_cache

PROGRAM = small_training.__file__
PLAIN: dict[str, Any] = {"epochs": 4}
AVERAGED: dict[str, Any] = {
    "epochs": 9,
    "ema": 0.9,
    "schedule": "plateau",
    "patience": 8,
    "accumulate": 2,
    "sampler": "balanced",
    "monitor": "val/accuracy",
}
STAGED: dict[str, Any] = {
    "epochs": 6,
    "unfreeze": ["head", "head", "all"],
    "unfreeze_lr": [1, 1, 0.3],
    "cache_features": True,
    "schedule": "cosine",
    "warmup": 0.2,
    "changes": {
        "augment": {"policy": "trivial", "mixup": 0.4, "cutmix": 1.0},
        "head": {"hidden": [32], "dropout": 0.3},
    },
}


def child(verb: str, folder: Path, settings: dict[str, Any], delay: float) -> list[str]:
    return [sys.executable, PROGRAM, verb, str(folder), json.dumps(settings), str(delay)]


def same(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(value, two[name]) for name, value in one.items())


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param(STAGED, id="staged"),
        pytest.param(PLAIN, id="plain", marks=pytest.mark.slow),
        pytest.param(AVERAGED, id="averaged", marks=pytest.mark.slow),
    ],
)
def test_killed_at_any_moment_it_comes_to_the_same_end(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    """Twelve times -9, between steps, in validation, in the writing of a checkpoint: the same bits."""
    data = write_cache(tmp_path, 240)
    done = subprocess.run(
        child("killed", tmp_path, settings, 0.12), capture_output=True, text=True, check=True
    )
    assert "killed 12 times" in done.stdout, done.stdout
    weights, history = train(plan_of(**settings), data, tmp_path / "kept")
    whole, expected = train(plan_of(**settings), data, tmp_path / "whole")
    assert history == expected
    assert same(weights, whole)


def test_the_same_twice(tmp_path: Path) -> None:
    """`dvc.lock` is committed: the same inputs must give the same weights."""
    data = write_cache(tmp_path)
    one, history = train(plan_of(), data, tmp_path / "one")
    two, again = train(plan_of(), data, tmp_path / "two")
    assert history == again and same(one, two)
    assert history[-1]["val/accuracy"] > 0.9


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)]
)
def test_a_signal_leaves_a_checkpoint(number: signal.Signals, tmp_path: Path) -> None:
    """A scheduler's SIGTERM and Ctrl-C cost no step: without them, no checkpoint would be due."""
    settings = {"epochs": 4, "checkpoint_seconds": 3600}
    data = write_cache(tmp_path, 240)
    running = subprocess.Popen(
        child("slowly", tmp_path, settings, 0.1), stderr=subprocess.PIPE, text=True
    )
    limit = time.monotonic() + 60
    while not (tmp_path / "kept" / "history.csv").is_file() and time.monotonic() < limit:
        time.sleep(0.02)
    time.sleep(0.3)
    running.send_signal(number)
    _, said = running.communicate(timeout=60)
    assert running.returncode == 128 + number, said
    kept = torch.load(tmp_path / "kept" / LAST, weights_only=True)
    progress = kept["loops"]["fit_loop"]["epoch_loop.batch_progress"]["current"]
    assert 0 < progress["ready"] < 8, "it was not inside of an epoch"
    weights, history = train(plan_of(**settings), data, tmp_path / "kept")
    whole, expected = train(plan_of(**settings), data, tmp_path / "whole")
    assert history == expected and same(weights, whole)


def test_a_full_disk_leaves_the_earlier_checkpoint(tmp_path: Path) -> None:
    """The message says what to do, and doing it goes on from there."""
    data = write_cache(tmp_path, 240)
    folder = tmp_path / "kept"

    def fill(epoch: int, row: dict[str, float]) -> None:
        # No file of this process may grow beyond: what a full disk does to a checkpoint.
        if epoch == 1:
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))

    _, hard = limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        with pytest.raises(TrainingError, match="make room on the disk"):
            train(plan_of(epochs=4), data, folder, fill)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)
    assert sorted(path.name for path in folder.iterdir() if path.name.startswith(".")) == []
    torch.load(folder / LAST, weights_only=True)
    weights, history = train(plan_of(epochs=4), data, folder)
    whole, expected = train(plan_of(epochs=4), data, tmp_path / "whole")
    assert history == expected and same(weights, whole)


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    """And nothing half written beside it."""
    path = tmp_path / "file"
    write(path, lambda temporary: temporary.write_text("one"))

    def half(temporary: Path) -> None:
        temporary.write_text("tw")
        raise OSError("no space left on device")

    with pytest.raises(TrainingError, match="no space left"):
        write(path, half)
    assert [found.name for found in tmp_path.iterdir()] == ["file"]
    assert path.read_text() == "one"


def test_a_loss_that_is_no_number_stops(tmp_path: Path) -> None:
    """With the learning rate as what to change; no checkpoint holds what is broken."""
    data = write_cache(tmp_path)
    with pytest.raises(TrainingError, match=r"diverged.*train\.lr"):
        train(plan_of(lr=1e12, clip_norm=0, optimizer="sgd"), data, tmp_path / "kept")
    if (tmp_path / "kept" / LAST).is_file():
        kept = torch.load(tmp_path / "kept" / LAST, weights_only=True)
        assert all(torch.isfinite(v).all() for v in kept["state_dict"].values())
    assert not (tmp_path / "kept" / DONE).exists()


def test_a_loss_that_explodes_goes_back_with_half_the_rate(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twice as the rate is four times too high; the run and the log say so."""
    data = write_cache(tmp_path)
    original = Classifier.losses

    def losses(self: Classifier, batch: Any) -> torch.Tensor:
        too_high = self.current_epoch == 1 and self.rate > 0.25
        return original(self, batch) * (float("nan") if too_high else 1.0)

    monkeypatch.setattr(Classifier, "losses", losses)
    rows: list[dict[str, float]] = []
    _, history = train(
        plan_of(divergence="rollback"), data, tmp_path / "kept", lambda epoch, row: rows.append(row)
    )
    assert len(json.loads((tmp_path / "kept" / ROLLBACKS).read_text())) == 2
    assert "learning rate times 0.25" in caplog.text
    assert [row["epoch"] for row in history] == [0, 1, 2]
    assert rows[0]["rollbacks"] == 0 and rows[-1]["rollbacks"] == 2


@pytest.mark.parametrize("seconds", [0, 3600])
def test_a_rate_that_is_far_too_high_comes_down(seconds: int, tmp_path: Path) -> None:
    """Also where the last checkpoint was written after the step that broke the weights."""
    data = write_cache(tmp_path)
    settings = {"lr": 10, "clip_norm": 0, "optimizer": "sgd", "divergence": "rollback"}
    _, history = train(plan_of(**settings, checkpoint_seconds=seconds), data, tmp_path / "kept")
    assert json.loads((tmp_path / "kept" / ROLLBACKS).read_text())
    assert max(row["val/accuracy"] for row in history) > 0.9
    assert history[0]["lr"] < 10, (
        "the history tells the rate that was set, not the one that was used"
    )


def test_a_validation_that_is_no_number_is_not_the_best(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A first epoch of NaN would be better than all that follow."""
    data = write_cache(tmp_path)
    original = Classifier.validation_step

    def step(self: Classifier, batch: Any, index: int) -> None:
        original(self, batch, index)
        if self.current_epoch == 1:
            self.val_loss.update(torch.tensor(float("nan")))

    monkeypatch.setattr(Classifier, "validation_step", step)
    _, history = train(plan_of(), data, tmp_path / "kept")
    kept = torch.load(tmp_path / "kept" / LAST, weights_only=True)
    assert kept["callbacks"]["Keeper"]["best"] == pytest.approx(
        min(history[0]["val/loss"], history[2]["val/loss"]), rel=1e-4
    )


def test_out_of_memory_survives_a_kill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The parts stay as small as they had to be, so that what follows is drawn as without the kill."""
    data = write_cache(tmp_path, 240)
    original = Classifier.losses
    failing = {"on": True}

    def losses(self: Classifier, batch: Any) -> torch.Tensor:
        if failing["on"] and len(batch.targets) > 9:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return original(self, batch)

    monkeypatch.setattr(Classifier, "losses", losses)
    whole, expected = train(plan_of(), data, tmp_path / "whole")

    class KilledError(Exception):
        pass

    def kill(epoch: int, row: dict[str, float]) -> None:
        if epoch == 1:
            raise KilledError

    with pytest.raises(KilledError):
        train(plan_of(), data, tmp_path / "kept", kill)
    # There would be memory now.
    failing["on"] = False
    weights, history = train(plan_of(), data, tmp_path / "kept")
    assert history == expected and same(weights, whole)


def test_memory_that_runs_out_halves_the_parts_of_a_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The step stays the same: as many images, the same gradient but for BatchNorm's parts."""
    data = write_cache(tmp_path)
    sizes: list[int] = []
    original = Classifier.losses

    def losses(self: Classifier, batch: Any) -> torch.Tensor:
        sizes.append(len(batch.targets))
        if len(batch.targets) > 5:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return original(self, batch)

    monkeypatch.setattr(Classifier, "losses", losses)
    _, history = train(plan_of(), data, tmp_path / "kept")
    assert sizes[:3] == [15, 8, 4], sizes[:5]
    assert "out of memory: going on with 4 images at a time" in capsys.readouterr().out
    assert sum(sizes[2:]) == 60 * 3
    assert history[-1]["val/accuracy"] > 0.9


def test_early_stopping_is_not_forgotten(tmp_path: Path) -> None:
    """KilledError after its last checkpoint, it must not train on: the end is written before that."""
    data = write_cache(tmp_path)
    settings = {"patience": 1, "epochs": 12, "lr": 0.1, "optimizer": "sgd", "schedule": "constant"}
    seen: list[bool] = []
    original = Keeper._save

    def save(self: Keeper, trainer: Any, module: Any) -> None:
        original(self, trainer, module)
        if trainer.should_stop:
            seen.append((self.folder / DONE).is_file())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Keeper, "_save", save)
        _, history = train(plan_of(**settings), data, tmp_path / "kept")
    assert len(history) < 12 and seen == [True]


def test_an_interrupted_training_ends_once(tmp_path: Path) -> None:
    """Asked again after its end it neither trains on nor loses the best weights."""
    data = write_cache(tmp_path)
    weights, history = train(plan_of(patience=1), data, tmp_path / "kept")
    stamp = (tmp_path / "kept" / BEST).stat().st_mtime_ns
    again, rows = train(plan_of(patience=1), data, tmp_path / "kept")
    assert rows == history and same(weights, again)
    assert (tmp_path / "kept" / BEST).stat().st_mtime_ns == stamp
