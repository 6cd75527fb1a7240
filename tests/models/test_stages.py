"""Depth: what is frozen when, and what learns how fast."""

from collections.abc import Iterator

import lightning as L
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.data import DataLoader

from roadworthy.errors import ParamsError
from roadworthy.models.build import Network, build
from roadworthy.models.freezing import freeze_before
from roadworthy.models.stages import auxiliary, parameter_groups, stages
from roadworthy.params import Backbone, Head, Input

SPEC = Input(height=32, width=32)
RESNET = ["stem", "layer1", "layer2", "layer3", "layer4"]
NAMED = {
    "resnet18": RESNET,
    "regnet_y_400mf": ["stem", *(f"trunk_output.block{n}" for n in range(1, 5))],
    "efficientnet_b0": ["stem", *(f"features.{n}" for n in range(1, 9))],
    "convnext_tiny": ["stem", *(f"features.{n}" for n in range(1, 8))],
    "swin_t": ["stem", *(f"features.{n}" for n in range(1, 8))],
    "vit_b_32": ["stem", *(f"encoder.layers.encoder_layer_{n}" for n in range(12))],
    "patch_cnn": ["stem", "features.1"],
}


def network_of(name: str) -> Network:
    return build(Backbone(name=name), Head(), 2, SPEC)


@pytest.fixture(scope="module")
def networks() -> Iterator[dict[str, Network]]:
    yield {name: network_of(name) for name in ("resnet18", "googlenet", "vit_b_32", "patch_cnn")}


@pytest.mark.parametrize("name", NAMED)
def test_stages_have_the_names_that_params_yaml_uses(name: str) -> None:
    """From the image to the head; norms and position embeddings belong to a neighbour."""
    assert [stage.name for stage in stages(network_of(name).backbone)] == NAMED[name]


@pytest.mark.parametrize("part", ["head", "layer4", "layer2", "stem", "all"])
def test_what_is_frozen_does_not_change(part: str) -> None:
    """Neither weights nor the statistics of BatchNorm; all that is open does."""
    network = network_of("resnet18")
    freeze_before(network, part)
    before = {k: v.clone() for k, v in network.state_dict().items()}
    optimizer = torch.optim.SGD(network.parameters(), 0.1)
    network(torch.randn(4, 3, 32, 32)).square().sum().backward()
    optimizer.step()
    first = {"head": 5, "all": 0}.get(part) if part in ("head", "all") else RESNET.index(part)
    for name, value in network.state_dict().items():
        child = name.split(".")[1]
        depth = 5 if name.startswith("head") else RESNET.index(child) if child in RESNET else 0
        # A residual branch's last scale begins at zero, and so its first layers' gradients do.
        open_here = first is not None and depth >= first
        if not open_here:
            assert torch.equal(value, before[name]), name
        elif "num_batches" in name or "running" in name or "downsample.0" in name or depth == 5:
            assert not torch.equal(value, before[name]), name


@pytest.mark.parametrize("name", ["resnet18", "vit_b_32"])
def test_the_last_open_stage_is_as_said(name: str) -> None:
    """Each stage can be named, and opens itself with all after it and nothing before."""
    network = network_of(name)
    found = stages(network.backbone)
    for number, stage in enumerate(found):
        freeze_before(network, stage.name)
        assert [s.frozen for s in found] == [n < number for n in range(len(found))]
        open_parts = [p.requires_grad for s in found[number:] for p in s.parameters]
        assert all(open_parts)
        assert all(p.requires_grad for p in network.head.parameters())


def test_an_unknown_stage_is_named() -> None:
    """With the stages there are, in the order in which they are opened."""
    with pytest.raises(ParamsError, match=r"layer5.*head, layer4, .*, stem, all"):
        freeze_before(network_of("resnet18"), "layer5")


def test_train_does_not_wake_what_is_frozen() -> None:
    """Until it is opened; a wholly frozen backbone is deterministic and has no auxiliary logits."""
    network = network_of("googlenet")
    images = torch.randn(2, 3, 32, 32)
    freeze_before(network, "head")
    network.eval().train()
    assert not any(module.training for module in network.backbone.modules())
    assert torch.equal(network.backbone(images), network.backbone(images))
    network(images)
    assert network.auxiliary == []
    assert not any(p.requires_grad for b in auxiliary(network.backbone) for p in b.parameters())
    freeze_before(network, "inception4a")
    network.eval().train()
    assert not any(m.training for m in network.backbone.inception3b.modules())
    assert all(m.training for m in network.backbone.inception4a.modules())
    network(images)
    assert len(network.auxiliary) == 2


class Fits(L.LightningModule):
    """Trains a partly frozen network, with a validation after each epoch."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def training_step(self, batch: torch.Tensor, _: int) -> torch.Tensor:
        return self.network(batch).square().mean()

    def validation_step(self, batch: torch.Tensor, _: int) -> None:
        self.network(batch)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.01)


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore:.*:UserWarning")
@pytest.mark.filterwarnings("ignore:.*LeafSpec.*", "ignore:.*does not have many workers.*")
def test_frozen_batchnorm_stays_frozen_through_lightnings_epochs() -> None:
    """Lightning sets the mode before and after each validation."""
    network = network_of("resnet18")
    freeze_before(network, "layer4")
    before = {k: v.clone() for k, v in network.state_dict().items() if "running" in k}
    batches = DataLoader(torch.randn(8, 3, 32, 32), batch_size=4)
    trainer = L.Trainer(
        max_epochs=3,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(Fits(network), batches, batches)
    network.train()
    network(torch.randn(4, 3, 32, 32))
    for name, value in before.items():
        assert torch.equal(network.state_dict()[name], value) == ("layer4" not in name), name


@settings(max_examples=40, deadline=None)
@given(
    name=st.sampled_from(["resnet18", "googlenet", "vit_b_32", "patch_cnn"]),
    lr=st.floats(1e-5, 1.0),
    backbone_lr=st.floats(0.0, 1.0),
    depth_decay=st.floats(0.1, 1.0),
    weight_decay=st.sampled_from([0.0, 0.01, 0.3]),
)
def test_rates_fall_with_depth(
    networks: dict[str, Network],
    name: str,
    lr: float,
    backbone_lr: float,
    depth_decay: float,
    weight_decay: float,
) -> None:
    """Each parameter is in one group; a stage's rate is the next one's times the decay."""
    network = networks[name]
    groups = parameter_groups(network, lr, backbone_lr, depth_decay, weight_decay)
    grouped = [id(p) for group in groups for p in group["params"]]
    assert sorted(grouped) == sorted(id(p) for p in network.parameters())
    assert len({group["name"] for group in groups}) == len(groups)
    rates = {group["name"].removesuffix(".no_decay"): group["lr"] for group in groups}
    assert rates["head"] == lr
    assert rates.get("auxiliary", lr) == lr
    depths = [rates[stage.name] for stage in reversed(stages(network.backbone))]
    wanted = [lr * backbone_lr * depth_decay**n for n in range(len(depths))]
    assert depths == pytest.approx(wanted)
    for group in groups:
        vectors = {p.ndim <= 1 for p in group["params"]}
        flat = group["name"].endswith(".no_decay")
        assert group["weight_decay"] == (0.0 if flat else weight_decay)
        assert not weight_decay or vectors == {flat}


def test_an_optimizer_takes_the_groups() -> None:
    """And moves the head more than the stem by what the rates say."""
    network = network_of("resnet18")
    groups = parameter_groups(network, 0.1, 0.5, 0.5, 0.0)
    for parameter in network.parameters():
        parameter.grad = torch.ones_like(parameter)
    linear, stem = network.head[-1], network.backbone.conv1  # type: ignore[index]
    assert isinstance(linear, nn.Linear) and isinstance(stem, nn.Conv2d)
    before = linear.bias.clone(), stem.weight.clone()
    torch.optim.SGD(groups, 1.0).step()
    torch.testing.assert_close(before[0] - linear.bias, torch.full((2,), 0.1))
    moved = torch.full_like(stem.weight, 0.1 * 0.5 * 0.5**4)
    torch.testing.assert_close(before[1] - stem.weight, moved, atol=1e-6, rtol=0)
