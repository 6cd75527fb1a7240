"""The graphs of a bundle show what is inside, alike everywhere, and never stop an export."""

import hashlib
import logging
from pathlib import Path

import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from roadworthy.bundle import explainable
from roadworthy.bundle.explainable import Explainable, write_heat
from roadworthy.bundle.format import EXPLAIN, GRAPH, BundleSpec
from roadworthy.bundle.write import export_graph
from roadworthy.models.build import Network, build
from roadworthy.params import Backbone, Head, Input


def exported(name: str, side: int, folder: Path, head: Head | None = None) -> Network:
    spec = BundleSpec(
        task="car",
        kind="multiclass",
        labels=("a", "b", "c"),
        outputs="softmax",
        input=Input(height=side, width=side),
        backbone=Backbone(name=name, weights=None),
        head=head or Head(),
    )
    folder.mkdir(parents=True, exist_ok=True)
    network = build(spec.backbone, spec.head, 3, spec.input).eval()
    export_graph(network, folder / GRAPH, spec)
    return network


@pytest.mark.parametrize(
    ("name", "side", "names"),
    [
        ("patch_cnn", 40, ["logits", "embedding", "maps"]),
        ("patch_cnn", 20, ["logits", "embedding"]),
        pytest.param("squeezenet1_1", 192, ["logits", "embedding", "maps"], marks=pytest.mark.slow),
    ],
)
def test_the_graph_gives_what_torch_gives(
    name: str, side: int, names: list[str], tmp_path: Path
) -> None:
    """For every batch size, with maps where they are fine enough, and then with an explanation."""
    network = exported(name, side, tmp_path, Head(hidden=[8]))
    session = onnxruntime.InferenceSession(tmp_path / GRAPH)
    assert [output.name for output in session.get_outputs()] == names
    assert (tmp_path / EXPLAIN).is_file() == ("maps" in names)
    images = torch.randn(3, 3, side, side, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        wanted = Explainable(network, images[:1])(images)
    for found, one in zip(session.run(None, {"images": images.numpy()}), wanted, strict=True):
        assert found == pytest.approx(one.numpy(), rel=1e-3, abs=1e-4)


def test_an_export_is_the_same_everywhere(tmp_path: Path) -> None:
    """DVC compares bytes, and no path of a machine goes to others."""
    sums = []
    for folder in (tmp_path / "one", tmp_path / "two" / "deeper"):
        exported("patch_cnn", 40, folder, Head(hidden=[8]))
        contents = [(folder / name).read_bytes() for name in (GRAPH, EXPLAIN)]
        assert not any(str(tmp_path).encode() in content for content in contents)
        assert not any(b"site-packages" in content for content in contents)
        sums.append([hashlib.sha256(content).hexdigest() for content in contents])
    assert sums[0] == sums[1]


def test_the_network_is_left_as_it_was(tmp_path: Path) -> None:
    """The same weights are saved; no hook stays."""
    spec = Input(height=40, width=40)
    network = build(Backbone(name="patch_cnn", weights=None), Head(), 2, spec).eval()
    network.backbone.requires_grad_(False)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    image = torch.zeros(1, 3, 40, 40)
    assert write_heat(Explainable(network, image), tmp_path / EXPLAIN, image)
    assert not any(
        module._forward_hooks or module._forward_pre_hooks for module in network.modules()
    )
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert [parameter.requires_grad for parameter in network.backbone.parameters()].count(True) == 0
    assert all(parameter.grad is None for parameter in network.parameters())


def test_layers_after_the_maps_that_are_too_large_are_not_written_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Protects VGG's bundles from being twice as large."""
    monkeypatch.setattr(explainable, "LARGEST_BYTES", 1000)
    exported("patch_cnn", 40, tmp_path)
    assert (tmp_path / GRAPH).is_file()
    assert not (tmp_path / EXPLAIN).exists()


class Turned(nn.Module):
    """As ConvNeXt: maps whose channels lie together, pooling in place, normalised channels."""

    def __init__(self) -> None:
        super().__init__()
        self.maps = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 1))
        self.norm = nn.LayerNorm(4)
        self.active = nn.Hardswish(inplace=True)

    def forward(self, batch: Tensor) -> Tensor:
        maps = self.maps(batch.contiguous(memory_format=torch.channels_last))
        pooled = nn.functional.adaptive_avg_pool2d(self.active(maps), 1)
        return self.norm(pooled.flatten(1))


def test_layers_that_compute_in_place_can_be_written(tmp_path: Path) -> None:
    """Protects ConvNeXt, MobileNet and their like from the slow way."""
    network = Network(Turned(), nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 2)))
    image = torch.ones(1, 3, 8, 8)
    assert write_heat(Explainable(network, image), tmp_path / EXPLAIN, image)
    assert (tmp_path / EXPLAIN).stat().st_size < 20_000


class Around(nn.Module):
    """Features from the last map and, around it, from the image itself."""

    def __init__(self) -> None:
        super().__init__()
        self.maps = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 1))

    def forward(self, batch: Tensor) -> Tensor:
        return self.maps(batch).mean(dim=(2, 3)) * batch.mean(dim=(1, 2, 3))[:, None]


def test_a_graph_that_would_lie_is_not_written(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The traced image went into it; the export goes on, and occlusion explains."""
    network = Network(Around(), nn.Linear(4, 2)).eval()
    image = torch.ones(1, 3, 8, 8)
    with caplog.at_level(logging.WARNING):
        assert not write_heat(Explainable(network, image), tmp_path / EXPLAIN, image)
    assert "occlusion" in caplog.text
    assert not list(tmp_path.iterdir())


class Odd(nn.Module):
    """Something between map and head that ONNX has no word for."""

    def __init__(self) -> None:
        super().__init__()
        self.maps = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 1))

    def forward(self, batch: Tensor) -> Tensor:
        return torch.special.bessel_j0(self.maps(batch).mean(dim=(2, 3)))


def test_a_gradient_that_cannot_be_written_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """And the exporter does not fill the terminal with it."""
    network = Network(Odd(), nn.Linear(4, 2)).eval()
    image = torch.ones(1, 3, 8, 8)
    assert not write_heat(Explainable(network, image), tmp_path / EXPLAIN, image)
    assert "occlusion" in caplog.text
    assert not list(tmp_path.iterdir())
    assert len(capsys.readouterr().out) < 200
