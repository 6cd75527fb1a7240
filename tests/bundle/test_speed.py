"""Speed is measured fairly: by turns, on the images of each bundle, and said with its machine."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from roadworthy.bundle import speed
from roadworthy.bundle.format import GRAPH, OPTIMISED, WEIGHTS
from roadworthy.bundle.predictor import Predictor
from roadworthy.bundle.quantise import quantise
from support import tiny_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_bundle(tmp_path_factory.mktemp("bundle"), labels=("a", "b", "c"))


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (5, 20, 20, 3), dtype=np.uint8)


def test_a_bundle_is_measured(bundle: Path, pixels: np.ndarray) -> None:
    """Protects every figure of the report's table."""
    found = speed.measure(bundle, pixels)
    assert 0 < found.latency_ms <= found.latency_p95_ms
    assert min(found.throughput, found.torch_throughput, found.torch_latency_ms) > 0
    assert found.megabytes == (bundle / GRAPH).stat().st_size / 1e6
    assert 0 <= found.disagreement < 1e-4
    threads = torch.get_num_threads()
    assert found.machine.endswith(f", {threads} thread{'s' if threads > 1 else ''}")


def test_the_graphs_are_measured_side_by_side(
    bundle: Path, pixels: np.ndarray, tmp_path: Path
) -> None:
    """Protects the line that says how much faster the graph in 8 bits is."""
    folder = Path(shutil.copytree(bundle, tmp_path / "bundle"))
    quantise(folder / GRAPH, folder / OPTIMISED, pixels, Predictor(bundle).spec.input)
    assert speed.gain(folder, pixels) > 0


def test_only_what_was_learned_is_counted(bundle: Path) -> None:
    """Running means of BatchNorm are in the file, and are no parameters."""
    weights = load_file(bundle / WEIGHTS)
    learned = {name: value for name, value in weights.items() if "running" not in name}
    count = sum(value.numel() for value in learned.values() if value.is_floating_point())
    assert speed.parameters(bundle) == count


def test_bundles_of_different_sizes_are_compared(
    bundle: Path, pixels: np.ndarray, tmp_path: Path
) -> None:
    """Protects the gate, whose champion may take other images than its challenger."""
    other = tiny_bundle(tmp_path / "other", seed=1)
    predictors = [Predictor(folder) for folder in (bundle, other, bundle)]
    found = speed.latencies(predictors, [pixels] * 3)
    assert len(found) == 3
    assert min(found) > 0
    with pytest.raises(ValueError, match="shorter"):
        speed.latencies(predictors, [pixels])


def test_turns_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """One after the other, so that a machine that slows down does so for all."""
    calls: list[str] = []
    monkeypatch.setattr(speed, "MOST_TURNS", 2)
    times = speed.by_turns([lambda: calls.append("a"), lambda: calls.append("b")], turn=3)
    assert "".join(calls) == "aaabbbaaabbb"
    assert [len(own) for own in times] == [4, 4]
