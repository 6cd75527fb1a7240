"""What `auto` became is decided once, said, and kept with the checkpoints."""

from copy import deepcopy
from pathlib import Path

import pytest
import torch

from roadworthy.data.cached import Cache
from roadworthy.models.build import build
from roadworthy.params import Backbone, Head
from roadworthy.training import machine
from roadworthy.training.data import Batch
from roadworthy.training.module import Classifier
from roadworthy.training.resolve import CHOICES, choices
from small_training import plan_of, train, write_cache


@pytest.fixture
def data(tmp_path: Path) -> Cache:
    return write_cache(tmp_path, 240)


def test_auto_becomes_numbers_that_train(
    data: Cache, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Batch size, rate, threads and precision, each with its figures in one line."""
    auto = plan_of(
        batch_size="auto", lr="auto", threads="auto", precision="auto", deterministic=False
    )
    _, history = train(auto, data, tmp_path / "kept")
    said = capsys.readouterr().out
    for word in ("threads ", "batch size ", "learning rate "):
        assert word in said
    assert history[-1]["val/accuracy"] > 0.9


def test_a_resumed_training_takes_the_same(
    data: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another batch size in the middle would be another training; nothing is measured again."""
    auto = plan_of(batch_size="auto", threads="auto", deterministic=False, epochs=1)
    train(auto, data, tmp_path / "kept")
    kept = (tmp_path / "kept" / CHOICES).read_text()
    capsys.readouterr()

    def never(*_: object) -> None:
        raise AssertionError("measured again")

    monkeypatch.setattr(machine, "survey", never)
    chosen = choices(auto.train, tmp_path / "kept", never)  # type: ignore[arg-type]
    assert chosen.settings.batch_size != "auto"
    assert (tmp_path / "kept" / CHOICES).read_text() == kept
    assert capsys.readouterr().out == ""


def test_what_only_concerns_speed_may_change(data: Cache, tmp_path: Path) -> None:
    """A training that failed because of `device_cache: on` can go on without it."""
    train(plan_of(device_cache="on", epochs=1), data, tmp_path / "kept")
    now = plan_of(device_cache="off", workers=1, checkpoint_seconds=5).train
    assert choices(now, tmp_path / "kept", None).settings == now  # type: ignore[arg-type]


def test_a_range_test_takes_no_more_images_at_a_time_than_training(
    data: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What fits is `batch_size`, however many of them a step has."""
    sizes: list[int] = []
    original = Classifier.losses

    def losses(self: Classifier, batch: Batch) -> torch.Tensor:
        sizes.append(len(batch.targets))
        return original(self, batch)

    monkeypatch.setattr(Classifier, "losses", losses)
    train(plan_of(lr="auto", batch_size=8, accumulate=5, epochs=1), data, tmp_path / "kept")
    assert max(sizes) <= 8


def test_a_compiled_copy_is_a_copy(data: Cache, tmp_path: Path) -> None:
    """The range test must not train the network itself."""
    network = build(Backbone(name="patch_cnn"), Head(), 1, data.input)
    network.compile(backend="eager")
    copy = deepcopy(network)
    # Else a call of the copy would run what was compiled for the original, with its weights.
    assert network._compiled_call_impl is not None
    assert getattr(copy, "_compiled_call_impl", None) is None


def test_a_range_test_leaves_the_weights_alone(data: Cache, tmp_path: Path) -> None:
    """It trains a copy: the training that follows begins where it would have begun."""
    rate = choices_rate(data, tmp_path / "one")
    _, found = train(plan_of(lr="auto", epochs=1), data, tmp_path / "one")
    _, given = train(plan_of(lr=rate, epochs=1), data, tmp_path / "two")
    assert found == given


def choices_rate(data: Cache, kept: Path) -> float:
    """The rate that the range test finds."""
    train(plan_of(lr="auto", epochs=1), data, kept / "probe")
    import json

    rate = json.loads((kept / "probe" / CHOICES).read_text())["settings"]["lr"]
    assert isinstance(rate, float)
    return rate
