"""The network that slides says what the classifier says, window by window."""

from copy import deepcopy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from roadworthy.detection.convert import Branch, Sliding, feature_width, slide
from roadworthy.errors import TrainingError
from roadworthy.models.build import Network, build
from roadworthy.params import Backbone, Head, Input

PADDED = (
    "resnet18", "alexnet", "densenet121", "mobilenet_v2", "squeezenet1_1", "convnext_tiny",
    pytest.param("vgg11_bn", marks=pytest.mark.slow),
)  # fmt: skip


def window(height: int, width: int, channels: int = 1) -> Input:
    plain = {"mean": (0.5,) * channels, "std": (0.25,) * channels}
    return Input(height=height, width=width, channels=channels, **plain)


def network_of(name: str, spec: Input, hidden: tuple[int, ...] = (), outputs: int = 2) -> Network:
    """Random weights, and running statistics as they are after a training: folding them is work."""
    head = Head(hidden=hidden, dropout=0.3)
    network = build(Backbone(name=name, weights=None), head, outputs, spec, seed=3).eval()
    generator = torch.Generator().manual_seed(5)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            for value, low, high in (
                (layer.weight, 0.5, 1.5),
                (layer.bias, -0.3, 0.3),
                (layer.running_mean, -0.2, 0.2),
                (layer.running_var, 0.5, 2.0),
            ):
                assert value is not None
                nn.init.uniform_(value, low, high, generator=generator)
    return network


def picture(height: int, width: int, channels: int = 1) -> Tensor:
    return torch.randn(1, channels, height, width, generator=torch.Generator().manual_seed(1))


def asked_one_by_one(network: Network, spec: Input, pixels: Tensor, sliding: Sliding) -> Tensor:
    """What the classifier says of every window that fits, (1, outputs, h, w)."""
    (down, across), (high, wide) = sliding.stride, (spec.height, spec.width)
    parts = pixels.unfold(2, high, down).unfold(3, wide, across)
    _, channels, rows, columns = parts.shape[:4]
    flat = parts.permute(0, 2, 3, 1, 4, 5).reshape(-1, channels, high, wide)
    return network(flat).reshape(1, rows, columns, -1).permute(0, 3, 1, 2)


def check_every_window(network: Network, spec: Input, extra: tuple[int, int]) -> Sliding:
    sliding = slide(network, spec)
    pixels = picture(spec.height + extra[0], spec.width + extra[1], spec.channels)
    with torch.inference_mode():
        logits, offsets = sliding(pixels)
        wanted = asked_one_by_one(network, spec, pixels, sliding)
    rows, columns = wanted.shape[2:]
    # A picture that is no whole number of strides may have a window more, whose last rows count not.
    torch.testing.assert_close(logits[..., :rows, :columns], wanted, atol=1e-4, rtol=1e-4)
    if not (extra[0] % sliding.stride[0] or extra[1] % sliding.stride[1]):
        assert logits.shape == wanted.shape
    assert wanted.std() > 1e-3, "a constant is no test"
    assert offsets.shape[2:] == logits.shape[2:]
    return sliding


@pytest.mark.parametrize(
    ("spec", "hidden", "outputs"),
    [
        (window(40, 100), (), 2),
        (window(40, 100, 3), (64, 32), 2),
        (window(24, 40), (16,), 1),
        (window(33, 71), (), 3),
    ],
)
def test_every_window_is_answered_as_by_the_classifier(
    spec: Input, hidden: tuple[int, ...], outputs: int
) -> None:
    """Plain and hidden head, grey and colour, wide kernels (by transform) and narrow, odd windows."""
    network = network_of("patch_cnn", spec, hidden, outputs)
    sliding = check_every_window(network, spec, (24, 44))
    assert sliding.exact and sliding.stride == (4, 4)


@settings(max_examples=10, deadline=None, derandomize=True)
@given(
    st.integers(16, 36), st.integers(16, 72), st.integers(0, 13), st.integers(0, 50), st.booleans()
)
def test_windows_and_pictures_of_any_size(
    height: int, width: int, down: int, across: int, hidden: bool
) -> None:
    """Also where neither is a whole number of strides."""
    spec = window(height, width)
    network = network_of("patch_cnn", spec, (8,) if hidden else ())
    check_every_window(network, spec, (down, across))


@pytest.mark.parametrize("name", PADDED)
def test_one_window_alone_is_answered_as_by_the_classifier(name: str) -> None:
    """Whatever stands behind the maps: a mean, VGG's 7 x 7 averages, a convolution, LayerNorm."""
    spec = window(64, 64, 3)
    network = network_of(name, spec)
    sliding = slide(network, spec)
    with torch.inference_mode():
        pixels = picture(64, 64, 3)
        logits, offsets = sliding(pixels)
        torch.testing.assert_close(logits[..., 0, 0], network(pixels), atol=1e-4, rtol=1e-4)
        more, _ = sliding(picture(64 + sliding.stride[0], 64 + 2 * sliding.stride[1], 3))
    assert logits.shape == (1, 2, 1, 1) and offsets.shape == (1, 4, 1, 1)
    assert more.shape == (1, 2, 2, 3)


def test_a_padded_network_averages_the_maps_of_each_window() -> None:
    """It sees past a window's rim, and is marked so; beyond that it computes the same head."""
    spec = window(64, 64, 3)
    network = network_of("resnet18", spec, (16,))
    sliding = slide(network, spec)
    assert not sliding.exact and sliding.stride == (32, 32)
    pixels = picture(64 + 3 * 32, 64 + 4 * 32, 3)
    resnet = network.backbone
    with torch.inference_mode():
        body = nn.Sequential(*[part for name, part in resnet.named_children() if name not in ENDS])
        means = nn.functional.avg_pool2d(body(pixels), 2, stride=1)
        flat = means.permute(0, 2, 3, 1).reshape(-1, means.shape[1])
        wanted = network.head(flat).reshape(1, 4, 5, 2).permute(0, 3, 1, 2)
        found, _ = sliding(pixels)
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)


ENDS = ("avgpool", "fc")


def test_a_network_that_looks_around_without_padding_is_not_taken_for_exact() -> None:
    """Swin's attention knows other places of the picture than the window's own."""
    spec = window(64, 64, 3)
    assert not slide(network_of("swin_t", spec), spec).exact


@pytest.mark.parametrize("name", ["vit_b_16", "efficientnet_b0", "googlenet"])
def test_what_cannot_slide_is_refused_with_a_way_out(name: str) -> None:
    """One message, before an hour of training: which part it is, and what to take instead."""
    spec = window(64, 64, 3) if name != "vit_b_16" else window(224, 224, 3)
    network = build(Backbone(name=name, weights=None), Head(), 2, spec, seed=0)
    with pytest.raises(TrainingError, match=r"cannot slide over pictures: .* use a backbone") as no:
        slide(network, spec)
    assert "patch_cnn" in str(no.value) and "\n" not in str(no.value)


class Branching(nn.Module):
    """Decides by what it sees: there is no one graph of it."""

    def forward(self, batch: Tensor) -> Tensor:
        return batch.mean((2, 3)) if batch.sum() > 0 else batch.amax((2, 3))


class Doubtful(nn.Module):
    """Has a graph, and maps that are flattened by a way that is not known."""

    def forward(self, batch: Tensor) -> Tensor:
        return batch.reshape(batch.shape[0], -1)


@pytest.mark.parametrize("backbone", [Branching(), Doubtful()])
def test_a_network_of_ones_own_is_refused_the_same_way(backbone: nn.Module) -> None:
    """Who adds a backbone learns what the search can take."""
    spec = window(4, 4)
    network = Network(backbone, nn.Sequential(nn.Linear(1, 2)))
    with pytest.raises(TrainingError, match=r"cannot slide over pictures: .* use a backbone"):
        slide(network, spec)


@pytest.mark.parametrize("name", ["patch_cnn", "resnet18"])
def test_the_given_network_stays_as_it_is(name: str) -> None:
    """It may be in the middle of a training: mode, weights and answers are its own."""
    spec = window(40, 64, 3)
    network = network_of(name, spec, (8,)).train()
    before = deepcopy(network.state_dict())
    parts = [type(m) for m in network.modules()]
    sliding = slide(network, spec)
    assert network.training and not sliding.training
    assert [type(m) for m in network.modules()] == parts
    with torch.inference_mode():
        once, _ = sliding(picture(40, 64, 3))
    with torch.no_grad():
        for value in network.parameters():
            value.add_(1.0)
    with torch.inference_mode():
        again, _ = sliding(picture(40, 64, 3))
    assert torch.equal(once, again), "the copy follows the original"
    for value in network.parameters():
        value.data.sub_(1.0)
    for key, value in network.state_dict().items():
        torch.testing.assert_close(value, before[key])


def test_half_precision_becomes_single() -> None:
    """A network that was trained in bf16 slides on any processor."""
    spec = window(24, 40)
    sliding = slide(network_of("patch_cnn", spec).bfloat16(), spec)
    with torch.inference_mode():
        assert sliding(picture(24, 40))[0].dtype == torch.float32


@pytest.mark.parametrize("name", ["patch_cnn", "resnet18", "alexnet"])
def test_the_branch_sees_the_features_of_its_window(name: str) -> None:
    """Offsets are the linear layer's on the very features that the head gets."""
    spec = window(64, 96, 3)
    network = network_of(name, spec)
    width = feature_width(network)
    generator = torch.Generator().manual_seed(2)
    branch = Branch(torch.randn(4, width, generator=generator) / width, torch.arange(4.0))
    pixels = picture(64, 96, 3)
    with torch.inference_mode():
        _, offsets = slide(network, spec, branch)(pixels)
        wanted = network.backbone(pixels) @ branch.weight.T + branch.bias
    torch.testing.assert_close(offsets[..., 0, 0], wanted, atol=1e-4, rtol=1e-4)


def test_without_a_branch_a_thing_fills_its_window() -> None:
    """Offsets of zero everywhere; a fixed place is said of every window alike."""
    spec = window(24, 40)
    network = network_of("patch_cnn", spec)
    with torch.inference_mode():
        _, none = slide(network, spec)(picture(60, 90))
        fixed = Branch.fixed(feature_width(network), (0.1, 0.0, -0.2, 0.3))
        _, same = slide(network, spec, fixed)(picture(60, 90))
    assert not none.any()
    assert same.flatten(2).permute(0, 2, 1).unique(dim=1).tolist() == [
        [pytest.approx([0.1, 0.0, -0.2, 0.3])]
    ]
