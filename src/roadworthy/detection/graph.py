"""Rewriting the graph of a classifier's module so that it computes maps where it computed vectors."""

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.fx.passes.shape_prop import ShapeProp

from roadworthy.detection.spectral import LENGTH, SpectralConv2d
from roadworthy.errors import TrainingError
from roadworthy.models.adapted import AveragePool

# From here on the transform is worth its trouble.
WIDE = 12
Size = tuple[int, int]


class Converter:
    """Rewrites the graph of one module, in `made`.

    Args:
        example: what the module takes of one window.
        size: of the maps that the module's vectors were flattened from.

    Raises:
        TrainingError: something in it has no form for maps.
    """

    def __init__(self, module: nn.Module, example: Tensor, size: Size = (1, 1)) -> None:
        self.name = type(module).__name__
        self.made = _traced(module)
        """From maps (or pictures) to maps."""
        ShapeProp(self.made).propagate(example)
        self.flat: dict[fx.Node, Size] = {}
        self.averaged: dict[fx.Node, Tensor] = {}
        self.exact = not any(_pads(m) for m in self.made.modules())
        self.size: Size = (1, 1)
        """Of maps that the output was flattened from, and that no layer has taken up yet."""
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
        size = self.flat[maps] if maps in self.flat else _sides(maps)
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
        size = _sides(maps)
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
            new = self._replace(node, convolution(weight, layer.bias, size), before)
            self.flat[new] = (1, 1)
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
        return _refused(self.name, why)


ELEMENTWISE = (nn.ReLU, nn.ReLU6, nn.GELU, nn.SiLU, nn.Hardswish, nn.Sigmoid)


class _Tracer(fx.Tracer):
    """Leaves our own pooling whole: it looks at sizes."""

    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        return isinstance(module, AveragePool) or super().is_leaf_module(module, name)


def _refused(name: str, why: str) -> TrainingError:
    return TrainingError(
        f"{name} cannot slide over pictures: {why}; use a backbone of convolutions such as "
        "patch_cnn, resnet50 or vgg11 for a task with search.enabled"
    )


def _traced(module: nn.Module) -> fx.GraphModule:
    try:
        return _fused(fx.GraphModule(module, _Tracer().trace(module)))
    except (fx.proxy.TraceError, TypeError) as error:
        raise _refused(type(module).__name__, f"it decides by its input ({error})") from None


def _fused(module: fx.GraphModule) -> fx.GraphModule:
    """Convolutions with the BatchNorm behind them as one."""
    with warnings.catch_warnings():
        # torch's own module defines a deprecated script method where it is imported.
        warnings.simplefilter("ignore", DeprecationWarning)
        from torch.fx.experimental.optimization import fuse
    found: fx.GraphModule = fuse(module, no_trace=True)  # type: ignore[assignment]
    return found


def _same(value: Tensor) -> Tensor:
    """Stands where vectors were made of maps."""
    return value


def _shape(node: fx.Node) -> tuple[int, ...]:
    meta: Any = node.meta.get("tensor_meta")
    return tuple(meta.shape) if hasattr(meta, "shape") else ()


def _sides(node: fx.Node) -> Size:
    """Height and width of maps."""
    height, width = _shape(node)[2:]
    return height, width


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


def convolution(weight: Tensor, bias: Tensor | None, size: Size) -> nn.Module:
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
