"""Every classifier of torchvision as a backbone."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torchvision.models import get_model

from roadworthy.errors import ParamsError
from roadworthy.models import catalogue
from roadworthy.models.adapted import AveragePool
from roadworthy.models.build import Network, build
from roadworthy.models.stages import auxiliary, parameter_groups, stages
from roadworthy.models.weights import load_backbone
from roadworthy.params import Backbone, Head, Input

# One of each family, at a size that is quick.
FAMILIES = {
    "alexnet": 63,
    "convnext_tiny": 32,
    "densenet121": 32,
    "efficientnet_b0": 32,
    "googlenet": 32,
    "inception_v3": 75,
    "maxvit_t": 224,
    "mnasnet0_5": 32,
    "mobilenet_v2": 32,
    "mobilenet_v3_small": 32,
    "regnet_y_400mf": 32,
    "resnet18": 32,
    "resnext50_32x4d": 32,
    "shufflenet_v2_x0_5": 32,
    "squeezenet1_1": 32,
    "swin_t": 32,
    "swin_v2_t": 32,
    "vgg11": 32,
    "vit_b_32": 32,
}
AUXILIARY = {"googlenet": 2, "inception_v3": 1}


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


class Hollow(TorchFunctionMode):
    """Weights are shapes only, so that the largest network is built at once."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if func in (torch.empty, torch.zeros, torch.ones):
            kwargs["device"] = "meta"
        return func(*args, **kwargs)


def network_of(name: str, side: int, outputs: int = 3, seed: int = 0, **more: Any) -> Network:
    spec = Input(height=side, width=side, **more)
    return build(Backbone(name=name), Head(), outputs, spec, seed)


def passes(network: nn.Module, side: int) -> bool:
    """Whether images of that size come through, by their shapes alone."""
    with suppress(RuntimeError, ValueError, AssertionError, IndexError), torch.no_grad():
        return bool(network(torch.empty(2, 3, side, side, device="meta")).shape == (2, 3))
    return False


@pytest.mark.parametrize("name", catalogue.names())
def test_every_classifier_of_torchvision_is_a_backbone(name: str) -> None:
    """It gives logits of ours at its least size and not below; each parameter has one place."""
    least = catalogue.least_side(name)
    with Hollow():
        network = network_of(name, least)
    network = network.to("meta").eval()
    assert passes(network, least)
    # MaxViT halves with rounding up, five times.
    assert least == 1 or not passes(network, least - (32 if name == "maxvit_t" else 1))
    assert len(network.auxiliary_heads) == AUXILIARY.get(name, 0)
    assert len(auxiliary(network.backbone)) == AUXILIARY.get(name, 0)
    groups = parameter_groups(network, 1.0, 0.5, 0.5, 0.1)
    grouped = [id(p) for group in groups for p in group["params"]]
    assert sorted(grouped) == sorted(id(p) for p in network.parameters())
    found = stages(network.backbone)
    assert len(found) >= 5
    assert all(any(p.ndim > 1 for p in stage.parameters) for stage in found)
    assert len({stage.name for stage in found}) == len(found)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_computes_and_learns(name: str) -> None:
    """Logits, auxiliary ones in training, and a gradient for every parameter; loading is strict."""
    side = FAMILIES[name]
    network = network_of(name, side).train()
    images = torch.randn(1 if side > 200 else 2, 3, side, side)
    logits = network(images)
    assert logits.shape == (len(images), 3)
    assert [made.shape for made in network.auxiliary] == [logits.shape] * AUXILIARY.get(name, 0)
    (logits.sum() + sum(made.sum() for made in network.auxiliary)).backward()
    assert all(p.grad is not None for p in network.parameters())
    # A plain mapping, as safetensors give: without torch's version marks.
    network.load_state_dict(dict(network.state_dict()))


# VGG is to AlexNet as its size is to the time this takes.
@pytest.mark.parametrize("name", [n for n in FAMILIES if n not in ("vgg11", "maxvit_t")])
def test_with_torchvisions_weights_it_says_what_torchvision_says(name: str, tmp_path: Path) -> None:
    """Logit for logit, from a file of the whole classifier."""
    side, options = FAMILIES[name], dict[str, Any]()
    if name in AUXILIARY:
        options = {"init_weights": False, "transform_input": True}
    if name.startswith("vit"):
        options = {"image_size": side}
    original = get_model(name, weights=None, **options).eval()
    file = tmp_path / "weights.pth"
    torch.save(original.state_dict(), file)
    with Hollow():
        network = network_of(name, side, 1000)
    network = network.to_empty(device="cpu").eval()
    load_backbone(network, Backbone(name=name, weights=str(file)), Path("none"))
    images = torch.randn(2, 3, side, side)
    with torch.inference_mode():
        wanted = original(images)
        if name == "squeezenet1_1":
            # A 1 x 1 convolution for a classifier, and a mean after it, is a linear layer after a mean.
            last = original.classifier[1]
            wanted = last(original.features(images)).mean((2, 3))
        else:
            last = [m for m in original.modules() if isinstance(m, nn.Linear)][-1]
        network.head[-1].weight.copy_(last.weight.flatten(1))  # type: ignore[index,union-attr,operator]
        network.head[-1].bias.copy_(last.bias)  # type: ignore[index,union-attr,operator]
        torch.testing.assert_close(network(images), wanted, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("name", "height", "width", "message"),
    [
        ("inception_v3", 64, 64, "needs at least 75 x 75 images; input is 64 x 64"),
        ("alexnet", 64, 62, "needs at least 63 x 63 images; input is 64 x 62"),
        (
            "vit_b_16",
            64,
            96,
            "square images with a side that is a multiple of 16; input is 64 x 96",
        ),
        ("vit_b_32", 48, 48, "multiple of 32"),
        ("maxvit_t", 256, 256, "multiple of 224"),
        ("patch_cnn", 12, 40, "needs at least 16 x 16 images; input is 12 x 40"),
    ],
)
def test_a_wrong_size_is_said_before_training(
    name: str, height: int, width: int, message: str
) -> None:
    """Not by a convolution in the middle of the first step."""
    with pytest.raises(ParamsError, match=message):
        build(Backbone(name=name), Head(), 2, Input(height=height, width=width))


def test_the_patch_network_takes_its_least_size() -> None:
    """16 x 16 pixels leave one place for the hidden layer."""
    network = network_of("patch_cnn", catalogue.least_side("patch_cnn"))
    assert network(torch.zeros(2, 3, 16, 16)).shape == (2, 3)


def test_an_unknown_name_has_near_ones() -> None:
    """`resnet51` is a typing error away."""
    with pytest.raises(ParamsError, match="resnet50"):
        network_of("resnet51", 64)


@pytest.mark.parametrize("name", ["resnet18", "inception_v3", "squeezenet1_1"])
def test_grey_images_are_seen_as_three_equal_channels(name: str, tmp_path: Path) -> None:
    """Summing the first layer over the colours is what repeating the image would do."""
    side = max(FAMILIES[name], 32)
    colour = network_of(name, side).eval()
    if name == "inception_v3":
        colour.backbone.transform_input = False  # type: ignore[assignment]
    save_file(colour.backbone.state_dict(), tmp_path / "a.safetensors")
    grey = network_of(name, side, seed=1, channels=1, mean=(0.5,), std=(0.5,)).eval()
    load_backbone(grey, Backbone(name=name, weights=str(tmp_path / "a.safetensors")), Path("none"))
    images = torch.randn(2, 1, side, side)
    with torch.inference_mode():
        one, three = grey.backbone(images), colour.backbone(images.expand(-1, 3, -1, -1))
    assert (one - three).norm() < 1e-3 * three.norm()


@pytest.mark.parametrize("name", AUXILIARY)
def test_auxiliary_classifiers_are_for_training_only(name: str) -> None:
    """In evaluation they are not computed and change nothing; a copy holds no graph of another."""
    import copy

    network = network_of(name, 80)
    images = torch.randn(2, 3, 80, 80)
    network.train()(images)
    assert len(network.auxiliary) == AUXILIARY[name]
    assert network.auxiliary_weight == {"googlenet": 0.3, "inception_v3": 0.4}[name]
    assert copy.deepcopy(network).auxiliary == []
    with torch.no_grad():
        before = network.eval()(images)
        for branch in (*auxiliary(network.backbone), network.auxiliary_heads):
            for parameter in branch.parameters():
                parameter.fill_(float("nan"))
        assert torch.equal(network(images), before)
    assert network.auxiliary == []


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (7, 6), (9, 20), (17, 5), (64, 48)])
def test_our_average_pool_is_torchs(size: tuple[int, int]) -> None:
    """Of which ONNX and deterministic training know only sizes that are multiples."""
    maps = torch.randn(2, 3, *size)
    wanted = F.adaptive_avg_pool2d(maps, (7, 6))
    torch.testing.assert_close(AveragePool(7, 6)(maps), wanted)


class Branching(nn.Module):
    """Like Inception: in training it gives features for an auxiliary classifier as well."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Conv2d(3, 4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:
        features = self.trunk(x).mean((2, 3))
        return (features, features * 2) if self.training else features


def test_compiling_changes_no_name_of_a_weight() -> None:
    """A checkpoint of a compiled network loads into one that is not; auxiliary logits are kept."""
    network = Network(Branching(), nn.Linear(4, 2), [nn.Linear(4, 2)], 0.3)
    names, images = list(network.state_dict()), torch.randn(2, 3, 8, 8)
    plain = network.eval()(images)
    network.compile(backend="eager")
    torch.testing.assert_close(network(images), plain)
    assert network.auxiliary == []
    network.train()(images)
    assert [made.shape for made in network.auxiliary] == [(2, 2)]
    assert list(network.state_dict()) == names
