"""Backbones by name, their weights, and what is frozen when."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from roadworthy.errors import ParamsError, TrainingError
from roadworthy.models.build import build
from roadworthy.models.freezing import freeze_before
from roadworthy.models.weights import load_backbone
from roadworthy.params import Backbone, Head, Input

SPEC = Input(height=64, width=64)


@pytest.mark.parametrize(
    "name",
    ["resnet18", "resnet50", "vgg11_bn", "efficientnet_b0", "convnext_tiny", "mobilenet_v3_small"],
)
def test_any_classifier_of_torchvision_is_a_backbone(name: str) -> None:
    """Its own classifier is gone, ours has the right width."""
    network = build(Backbone(name=name), Head(), 3, SPEC).eval()
    with torch.inference_mode():
        assert network(torch.zeros(2, 3, 64, 64)).shape == (2, 3)


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


def test_an_unknown_name_lists_those_there_are() -> None:
    """`resnet51` is a typing error away."""
    with pytest.raises(ParamsError, match="resnet50"):
        build(Backbone(name="resnet51"), Head(), 2, SPEC)


def test_the_same_seed_builds_the_same_network() -> None:
    """And building leaves the caller's random state alone."""
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one, two, other = (build(Backbone(name="resnet18"), Head(), 2, SPEC, s) for s in (1, 1, 2))
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(one.head[0].weight, two.head[0].weight)  # type: ignore[index]
    assert not torch.equal(one.head[0].weight, other.head[0].weight)  # type: ignore[index]


@pytest.mark.parametrize("part", ["head", "layer4", "layer3", "all"])
def test_what_is_frozen_does_not_change(part: str) -> None:
    """Neither weights nor the statistics of BatchNorm; what is open does."""
    network = build(Backbone(name="resnet18"), Head(), 2, SPEC)
    freeze_before(network, part)
    before = {k: v.clone() for k, v in network.state_dict().items()}
    optimizer = torch.optim.SGD(network.parameters(), 0.1)
    network(torch.randn(4, 3, 64, 64)).square().sum().backward()
    optimizer.step()
    children = [name for name, _ in network.backbone.named_children()]
    first = (
        {"head": len(children), "all": 0}.get(part)
        if part in ("head", "all")
        else children.index(part)
    )
    for name, value in network.state_dict().items():
        if name.startswith("backbone.") and children.index(name.split(".")[1]) < (first or 0):
            assert torch.equal(value, before[name]), name
    assert not torch.equal(network.state_dict()["head.0.weight"], before["head.0.weight"])
    if part == "layer4":
        name = "backbone.layer4.0.downsample.0.weight"
        assert not torch.equal(network.state_dict()[name], before[name])


def test_an_unknown_part_is_named() -> None:
    """With the parts there are."""
    network = build(Backbone(name="resnet18"), Head(), 2, SPEC)
    with pytest.raises(ParamsError, match=r"layer5.*layer4"):
        freeze_before(network, "layer5")


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
