"""Networks as params.yaml describes them, and where their weights come from."""

import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torchvision.models import WeightsEnum

from roadworthy.errors import ParamsError, TrainingError
from roadworthy.models.build import Network, build, build_head
from roadworthy.models.weights import load_backbone
from roadworthy.params import Backbone, Head, Input

SPEC = Input(height=64, width=64)


def test_the_patch_network_is_the_one_described() -> None:
    """On 40 x 100 windows the maps are 64 x 7 x 22, then 512 features."""
    network = build(
        Backbone(name="patch_cnn"),
        Head(),
        2,
        Input(height=40, width=100, channels=1, mean=(0.5,), std=(0.25,)),
    )
    shapes = {tuple(p.shape) for p in network.parameters()}
    assert {(32, 1, 5, 5), (64, 32, 5, 5), (512, 64 * 7 * 22), (2, 512)} <= shapes


def test_the_same_seed_builds_the_same_network() -> None:
    """And building leaves the caller's random state alone."""
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one, two, other = (build(Backbone(name="resnet18"), Head(), 2, SPEC, s) for s in (1, 1, 2))
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(one.head[0].weight, two.head[0].weight)  # type: ignore[index]
    assert not torch.equal(one.head[0].weight, other.head[0].weight)  # type: ignore[index]


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_names_of_weights_are_those_of_earlier_bundles(dropout: float) -> None:
    """A bundle outlives the code that wrote it."""
    linear = build(Backbone(name="resnet18"), Head(dropout=dropout), 3, SPEC).state_dict()
    assert [n for n in linear if not n.startswith("backbone.")] == ["head.0.weight", "head.0.bias"]
    assert {"backbone.conv1.weight", "backbone.layer4.1.bn2.running_var"} <= set(linear)
    hidden = Head(hidden=(8,), dropout=dropout)
    layers = build(Backbone(name="patch_cnn"), hidden, 3, SPEC).state_dict()
    last = "head.4.weight" if dropout else "head.3.weight"
    assert {
        "backbone.maps.0.weight",
        "backbone.features.1.bias",
        "head.1.running_mean",
        last,
    } <= set(layers)


def test_hidden_layers_are_between_features_and_classes() -> None:
    """`[2048, 1024]` on ResNet-50 is 2048-2048-1024-C, with BatchNorm, ReLU and dropout."""
    head = build_head(2048, Head(hidden=(2048, 1024), dropout=0.3), 7)
    assert [type(layer) for layer in head] == [
        *(nn.Linear, nn.BatchNorm1d, nn.ReLU, nn.Dropout) * 2,
        nn.Linear,
    ]
    shapes = [tuple(layer.weight.shape) for layer in head if isinstance(layer, nn.Linear)]
    assert shapes == [(2048, 2048), (1024, 2048), (7, 1024)]


def test_a_linear_head_drops_features_in_training() -> None:
    """And none in evaluation."""
    head = build_head(64, Head(dropout=0.5), 2)
    features = torch.randn(4, 64)
    assert not torch.equal(head.train()(features), head(features))
    assert torch.equal(head.eval()(features), head(features))


def test_backbone_weights_come_from_a_file(tmp_path: Path) -> None:
    """safetensors, or torch's own format without running what is pickled in it."""
    source = build(Backbone(name="resnet18"), Head(), 2, SPEC, seed=1)
    state = source.backbone.state_dict()
    save_file(state, tmp_path / "a.safetensors")
    torch.save({**state, "fc.weight": torch.zeros(1)}, tmp_path / "b.pth")
    for name in ("a.safetensors", "b.pth"):
        network = build(Backbone(name="resnet18"), Head(), 2, SPEC, seed=2)
        spec = Backbone(name="resnet18", weights=str(tmp_path / name))
        assert load_backbone(network, spec, Path("none"))
        assert torch.equal(network.backbone.state_dict()["conv1.weight"], state["conv1.weight"])


def test_weights_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    """A ResNet-18 file is no ResNet-50, and a name that torchvision does not know is no file."""
    source = build(Backbone(name="resnet18"), Head(), 2, SPEC)
    save_file(source.backbone.state_dict(), tmp_path / "a.safetensors")
    network = build(Backbone(name="resnet50"), Head(), 2, SPEC)
    with pytest.raises(TrainingError, match="does not fit"):
        load_backbone(network, Backbone(weights=str(tmp_path / "a.safetensors")), Path("none"))
    with pytest.raises(ParamsError, match="IMAGENET1K_V2"):
        load_backbone(network, Backbone(weights="IMAGENET"), Path("none"))
    with pytest.raises(TrainingError, match="dvc repro pretrain"):
        load_backbone(network, Backbone(), tmp_path / "gone.safetensors")


def loaded(name: str, file: Path, spec: Input) -> Network:
    network = build(Backbone(name=name), Head(), 2, spec, seed=2)
    load_backbone(network, Backbone(name=name, weights=str(file)), Path("none"))
    return network


def test_a_position_embedding_is_interpolated(tmp_path: Path) -> None:
    """Weights for 64 x 64 pixels serve 96 x 96: what is not of a patch stays, patches are spread."""
    state = build(Backbone(name="vit_b_32"), Head(), 2, SPEC).backbone.state_dict()
    patches = torch.tensor([[0.0, 1.0], [0.0, 1.0]])[..., None].expand(2, 2, 768)
    start = torch.full((1, 1, 768), 5.0)
    state["encoder.pos_embedding"] = torch.cat([start, patches.reshape(1, 4, 768)], 1)
    save_file(state, tmp_path / "a.safetensors")
    network = loaded("vit_b_32", tmp_path / "a.safetensors", Input(height=96, width=96))
    place = network.backbone.state_dict()["encoder.pos_embedding"]
    assert place.shape == (1, 10, 768)
    assert torch.equal(place[:, :1], start)
    grid = place[0, 1:, 0].reshape(3, 3)
    torch.testing.assert_close(grid, torch.tensor([0.0, 0.5, 1.0]).expand(3, 3))


def test_files_of_older_torchvisions_fit(tmp_path: Path) -> None:
    """DenseNet's say `norm.1`, and none counted batches."""
    state = build(Backbone(name="densenet121"), Head(), 2, SPEC).backbone.state_dict()
    old = {
        re.sub(r"(denselayer\d+\.(?:norm|conv))(\d)", r"\1.\2", name): value
        for name, value in state.items()
        if not name.endswith("num_batches_tracked")
    }
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    save_file(old, tmp_path / "a.safetensors")
    now = loaded("densenet121", tmp_path / "a.safetensors", SPEC).backbone.state_dict()
    assert all(torch.equal(now[name], state[name]) for name in state)


def test_a_file_without_auxiliary_classifiers_fits(tmp_path: Path) -> None:
    """As it is saved by who does not train any more; theirs stay random."""
    state = build(Backbone(name="googlenet"), Head(), 2, SPEC).backbone.state_dict()
    kept = {n: v for n, v in state.items() if not n.startswith("aux")}
    assert len(kept) < len(state)
    save_file(kept, tmp_path / "a.safetensors")
    now = loaded("googlenet", tmp_path / "a.safetensors", SPEC).backbone.state_dict()
    assert all(torch.equal(now[name], kept[name]) for name in kept)


@pytest.mark.parametrize(("side", "said"), [(64, True), (224, False)])
def test_other_pixels_than_the_weights_were_made_with_are_said(
    side: int, said: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one line; it is no error."""
    network = build(Backbone(name="resnet18"), Head(), 2, SPEC)
    state = network.backbone.state_dict()
    monkeypatch.setattr(WeightsEnum, "get_state_dict", lambda *_, **__: state)
    spec = Backbone(name="resnet18", weights="IMAGENET1K_V1")
    seen = Input(height=side, width=side, margin=1.5)
    assert load_backbone(network, spec, Path("none"), seen) == "ResNet18_Weights.IMAGENET1K_V1"
    printed = capsys.readouterr().out
    assert ("made with 224 x 224 pixels" in printed) == said
    assert printed.count("\n") == said
