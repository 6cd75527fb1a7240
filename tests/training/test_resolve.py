"""What `auto` became is decided once, said, and kept with the checkpoints."""

from pathlib import Path

import pytest

from roadworthy.data.cached import Cache
from roadworthy.training import machine
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
