"""From a classifier of windows to a network that slides: fully convolutional, for any picture.

Each linear layer behind the flattened maps becomes the convolution that computes the same: 64 maps of
7 x 22 and 512 outputs a 7 x 22 convolution, 512 to 2 a 1 x 1 one; a global pooling becomes an average
over the maps of one window (Sermanet et al., "OverFeat", 2014; Long et al., "Fully convolutional
networks", 2015). Without padding in its convolutions the network says of every place exactly what the
classifier says of the window there. With padding (ResNet) maps at a window's rim see the picture
around it where the classifier saw nothing: near, but not the same.
"""

import copy
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.fx.experimental.optimization import fuse
from torch.fx.passes.shape_prop import ShapeProp

from roadworthy.detection.spectral import LENGTH, SpectralConv2d
from roadworthy.errors import TrainingError
from roadworthy.models.adapted import AveragePool
from roadworthy.models.build import Network
from roadworthy.params import Input

# From here on the transform is worth its trouble.
WIDE = 12
# A window this much larger tells the stride.
LARGER = 512
AGREE = 1e-4
Size = tuple[int, int]


class Sliding(nn.Module):
    """A converted classifier, with a branch that says where in its window the thing is.

    Args:
        backbone: from pictures (N, C, H, W) to features (N, width, h, w) of windows.
        head: from those to logits (N, outputs, h, w).
        branch: from features to four offsets (N, 4, h, w), see `geometry.decode`.
        stride: pixels from one window to the next, down and across.
        exact: whether it agrees with the classifier on every window, not only on the whole picture.
    """

    def __init__(
        self, backbone: nn.Module, head: nn.Module, branch: nn.Module, stride: Size, exact: bool
    ) -> None:
        super().__init__()
        self.backbone, self.head, self.branch = backbone, head, branch
        self.stride, self.exact = stride, exact

    def forward(self, batch: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (N, outputs, h, w) and offsets (N, 4, h, w) of normalised pictures (N, C, H, W)."""
        features = self.backbone(batch)
        return self.head(features), self.branch(features)


@dataclass(frozen=True)
class Branch:
    """A linear layer from a window's features to its four offsets."""

    weight: Tensor
    """Float32 (4, features)."""
    bias: Tensor
    """Float32 (4,)."""

    @classmethod
    def fixed(cls, width: int, offsets: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0)) -> "Branch":
        """Says the same of every window: by default that the thing fills it."""
        return cls(torch.zeros(4, width), torch.tensor(offsets, dtype=torch.float32))


def feature_width(network: Network) -> int:
    """Features that the head sees."""
    return next(m.in_features for m in network.head.modules() if isinstance(m, nn.Linear))


def slide(network: Network, spec: Input, branch: Branch | None = None) -> Sliding:
    """The network in fully convolutional form, in evaluation mode; the given one stays as it is.

    Args:
        spec: of the window.
        branch: without it a thing is taken to fill its window.

    Raises:
        TrainingError: the network does not end in maps that are flattened, or it looks at the whole
            picture in between (attention, squeeze and excitation).
    """
    network = copy.deepcopy(network).eval().float()
    window = torch.zeros(1, spec.channels, spec.height, spec.width)
    backbone = _Converter(network.backbone, window)
    head = _Converter(network.head, network.backbone(window), backbone.size)
    branch = branch or Branch.fixed(feature_width(network))
    offsets = _convolution(branch.weight, branch.bias, backbone.size)
    found = Sliding(
        backbone.made, head.made, offsets, _stride(backbone.made, window), backbone.exact
    ).eval()
    _check(found, network, window)
    return found


class _Converter:
    """Rewrites the graph of one module.

    `size` is that of the maps which its output was flattened from and no layer has taken up yet.
    """

    def __init__(self, module: nn.Module, example: Tensor, size: Size = (1, 1)) -> None:
        self.name = type(module).__name__
        self.made = _traced(module)
        ShapeProp(self.made).propagate(example)
        self.flat: dict[fx.Node, Size] = {}
        self.averaged: dict[fx.Node, Tensor] = {}
        self.exact = not any(_pads(m) for m in self.made.modules())
        self.size = (1, 1)
        for node in list(self.made.graph.nodes):
            self._visit(node, size)
        self.made.graph.eliminate_dead_code()
        self.made.recompile()
        self.made.delete_all_unused_submodules()

    def _visit(self, node: fx.Node, size: Size) -> None:
        if node.op == "get_attr":
            return
        if node.op == "output":
            self.size = self.flat.get(node.all_input_nodes[0], (1, 1))
        elif node.op == "placeholder":
            if len(_shape(node)) == 2:
                self.flat[node] = size
        elif _is_flatten(node, self.made):
            self._flatten(node)
        elif pooled := _pooling(node, self.made):
            self._pool(node, pooled)
        elif flat := [self.flat[n] for n in node.all_input_nodes if n in self.flat]:
            self._vector(node, flat[0])
        elif len(_shape(node)) in (2, 3) and len(_shape(node.all_input_nodes[0])) == 4:
            raise self._refusal(f"{node.name} is computed from the whole picture")

    def _flatten(self, node: fx.Node) -> None:
        (maps, *_) = node.all_input_nodes
        size = self.flat[maps] if maps in self.flat else _shape(maps)[2:]
        with self.made.graph.inserting_before(node):
            same = self.made.graph.call_function(_same, (maps,))
        same.meta = node.meta
        node.replace_all_uses_with(same)
        self.made.graph.erase_node(node)
        self.flat[same] = size
        if maps in self.averaged:
            self.averaged[same] = self.averaged[maps]

    def _pool(self, node: fx.Node, wanted: Size) -> None:
        (maps,) = node.all_input_nodes
        size = _shape(maps)[2:]
        if any(self._is(user, nn.Conv2d) for user in node.users):
            raise self._refusal(f"{node.name} weighs maps by the whole picture")
        if wanted == size:
            layer: nn.Module = nn.Identity()
        elif wanted == (1, 1):
            layer = nn.AvgPool2d(size, stride=1)
        else:
            # The linear layer behind it takes it over (VGG, AlexNet).
            layer = nn.Identity()
        new = self._replace(node, layer, maps)
        if isinstance(layer, nn.Identity) and wanted != size:
            self.averaged[new] = _averages(size, wanted)
            new.meta = maps.meta
        if len(_shape(node)) == 2:
            self.flat[new] = (1, 1)

    def _vector(self, node: fx.Node, size: Size) -> None:
        layer = self.made.get_submodule(str(node.target)) if node.op == "call_module" else None
        (before, *_) = node.all_input_nodes
        if isinstance(layer, nn.Linear):
            weight = layer.weight
            if before in self.averaged:
                averages = self.averaged[before]
                weight = weight.reshape(len(weight), -1, averages.shape[1]) @ averages.T
            convolution = _convolution(weight, layer.bias, size)
            self.flat[self._replace(node, convolution, before)] = (1, 1)
        elif before in self.averaged and not isinstance(layer, nn.Dropout | nn.Identity):
            raise self._refusal(f"{node.name} stands between averages and the linear layer")
        elif isinstance(layer, nn.BatchNorm1d) and size == (1, 1):
            self.flat[self._replace(node, _normalisation(layer), before)] = size
        elif isinstance(layer, nn.Dropout | nn.Identity):
            new = self._replace(node, nn.Identity(), before)
            self.flat[new] = size
            if before in self.averaged:
                self.averaged[new] = self.averaged[before]
        elif layer is None or isinstance(layer, ELEMENTWISE):
            self.flat[node] = size
        else:
            raise self._refusal(f"{type(layer).__name__} has no form for maps")

    def _replace(self, node: fx.Node, layer: nn.Module, source: fx.Node) -> fx.Node:
        name = f"slid_{node.name}"
        self.made.add_submodule(name, layer)
        with self.made.graph.inserting_before(node):
            new = self.made.graph.call_module(name, (source,))
        new.meta = node.meta
        node.replace_all_uses_with(new)
        self.made.graph.erase_node(node)
        return new

    def _is(self, node: fx.Node, kind: type[nn.Module]) -> bool:
        return node.op == "call_module" and isinstance(
            self.made.get_submodule(str(node.target)), kind
        )

    def _refusal(self, why: str) -> TrainingError:
        return TrainingError(
            f"{self.name} cannot slide over pictures: {why}; use a backbone of convolutions such as "
            "patch_cnn, resnet50 or vgg11 for a task with search.enabled"
        )


ELEMENTWISE = (nn.ReLU, nn.ReLU6, nn.GELU, nn.SiLU, nn.Hardswish, nn.Sigmoid)


class _Tracer(fx.Tracer):
    """Leaves our own pooling whole: it looks at sizes."""

    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        return isinstance(module, AveragePool) or super().is_leaf_module(module, name)


def _traced(module: nn.Module) -> fx.GraphModule:
    try:
        return fuse(fx.GraphModule(module, _Tracer().trace(module)), no_trace=True)
    except (fx.proxy.TraceError, TypeError) as error:
        raise TrainingError(
            f"{type(module).__name__} cannot slide over pictures: it decides by its input ({error})"
        ) from None


def _same(value: Tensor) -> Tensor:
    """Stands where vectors were made of maps."""
    return value


def _shape(node: fx.Node) -> tuple[int, ...]:
    meta = node.meta.get("tensor_meta")
    return tuple(meta.shape) if hasattr(meta, "shape") else ()


def _is_flatten(node: fx.Node, module: fx.GraphModule) -> bool:
    if node.op == "call_module":
        return isinstance(module.get_submodule(str(node.target)), nn.Flatten)
    return (node.op == "call_function" and node.target is torch.flatten) or (
        node.op == "call_method" and node.target == "flatten"
    )


def _pooling(node: fx.Node, module: fx.GraphModule) -> Size | None:
    """Size to which maps are averaged, where this is an average over all of them."""
    average: list[Callable[..., Any]] = [nn.functional.adaptive_avg_pool2d]
    if node.op == "call_module":
        layer = module.get_submodule(str(node.target))
        found = isinstance(layer, nn.AdaptiveAvgPool2d | AveragePool)
    else:
        found = (node.op == "call_function" and node.target in average) or (
            node.target in ("mean", torch.mean) and node.args[1:2] in (([2, 3],), ((2, 3),))
        )
    if not found:
        return None
    shape = _shape(node)
    return (1, 1) if len(shape) == 2 else (shape[2], shape[3])


def _averages(size: Size, wanted: Size) -> Tensor:
    """What each place of maps gives to each average: (h * w, wanted h * wanted w)."""
    places = torch.eye(size[0] * size[1]).reshape(-1, 1, *size)
    return nn.functional.adaptive_avg_pool2d(places, wanted).flatten(1)


def _convolution(weight: Tensor, bias: Tensor | None, size: Size) -> nn.Module:
    """The convolution over maps of `size` that computes what a linear layer did."""
    outputs = len(weight)
    kernel = weight.detach().reshape(outputs, -1, *size)
    offset = torch.zeros(outputs) if bias is None else bias.detach()
    if WIDE <= size[1] <= LENGTH // 2:
        return SpectralConv2d(kernel, offset)
    layer = nn.Conv2d(kernel.shape[1], outputs, size)
    layer.weight = nn.Parameter(kernel)
    layer.bias = nn.Parameter(offset)
    return layer


def _normalisation(layer: nn.BatchNorm1d) -> nn.BatchNorm2d:
    new = nn.BatchNorm2d(layer.num_features, layer.eps, affine=layer.affine)
    new.load_state_dict(layer.state_dict())
    return new


def _pads(module: nn.Module) -> bool:
    padding = getattr(module, "padding", 0)
    return isinstance(module, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d) and padding not in (
        0,
        (0, 0),
    )


def _stride(backbone: nn.Module, window: Tensor) -> Size:
    """Pixels that one place of the maps stands for, without computing anything."""
    empty = copy.deepcopy(backbone).to("meta")
    height, width = window.shape[2:]

    def size(down: int, across: int) -> Size:
        made = empty(torch.empty(1, window.shape[1], height + down, width + across, device="meta"))
        return made.shape[2], made.shape[3]

    plain = size(0, 0)
    return (
        LARGER // operator.sub(size(LARGER, 0)[0], plain[0]),
        LARGER // operator.sub(size(0, LARGER)[1], plain[1]),
    )


def _check(found: Sliding, network: Network, window: Tensor) -> None:
    """That it says of one window what the classifier says."""
    picture = torch.rand(window.shape, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        new, old = found(picture)[0], network(picture)
    if new.shape[2:] != (1, 1) or not torch.allclose(new[..., 0, 0], old, atol=AGREE, rtol=AGREE):
        raise TrainingError(
            f"{type(network.backbone).__name__} in fully convolutional form computes something else"
        )
