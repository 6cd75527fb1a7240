"""A network that shows its inside: what the head is given, and the maps that Grad-CAM looks at."""

import logging
from collections.abc import Callable
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import torch
from torch import Tensor, nn
from torch._decomp import core_aten_decompositions
from torch.func import functionalize, vjp
from torch.fx import GraphModule
from torch.fx.experimental.proxy_tensor import make_fx

from roadworthy.bundle.graphs import write_graph
from roadworthy.bundle.predictor import session
from roadworthy.errors import BundleError
from roadworthy.evaluation.explanations import last_map
from roadworthy.models.build import Network

# Of what comes after the maps. VGG has half a gigabyte there: its bundle would double.
LARGEST_BYTES = 64_000_000
# Largest difference between graph and autograd, as a share of the hottest cell.
PARITY = 1e-3
log = logging.getLogger(__name__)


class Explainable(nn.Module):
    """Gives logits (N, outputs), embedding (N, D) and, where there are some fine enough, maps (N, K, h, w).

    Args:
        network: is set to evaluation mode.
        image: float (1, C, H, W), any image of the right size.
    """

    def __init__(self, network: Network, image: Tensor) -> None:
        super().__init__()
        self.network = network.eval()
        # In a tuple, so that its weights are not listed twice.
        self._layer = (last_map(network, image),)
        self.eval()

    @property
    def layer(self) -> nn.Module | None:
        """What makes the maps; None where none are fine enough."""
        return self._layer[0]

    @property
    def names(self) -> tuple[str, ...]:
        """Of the outputs, in their order."""
        return ("logits", "embedding") if self.layer is None else ("logits", "embedding", "maps")

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Logits, embedding, maps of normalised images (N, C, H, W)."""
        kept: dict[str, Tensor] = {}

        def keep_given(module: nn.Module, given: tuple[Tensor, ...]) -> None:
            kept["embedding"] = given[0]

        def keep_made(module: nn.Module, given: object, made: Tensor) -> None:
            kept["maps"] = made

        hooks = [self.network.head.register_forward_pre_hook(keep_given)]
        if self.layer is not None:
            hooks.append(self.layer.register_forward_hook(keep_made))
        try:
            kept["logits"] = self.network(images)
        finally:
            for hook in hooks:
                hook.remove()
        return tuple(kept[name] for name in self.names)


def write_heat(network: Explainable, path: Path, image: Tensor) -> bool:
    """Write Grad-CAM as a graph, with the exact gradient of all that comes after the maps.

    From maps (1, K, h, w) and weights (1, outputs), which say what is explained as a sum of logits,
    to heat (1, h, w): per cell the positive evidence in it (Draelos and Carin 2020, "Use HiResCAM
    instead of Grad-CAM"; the same as Selvaraju et al. 2017 where a network averages the maps).

    Args:
        image: float (1, C, H, W), any image of the right size.

    Returns:
        Whether it was written: not without maps, for a very large head, or for a network whose
        gradient cannot be written as a graph.
    """
    if network.layer is None:
        return False
    try:
        return _write(network, path, image)
    except Exception as error:  # no explanation is worth an export
        path.unlink(missing_ok=True)
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        log.warning("no %s, answers will be explained by occlusion: %s", path.name, reason)
        return False


def _write(network: Explainable, path: Path, image: Tensor) -> bool:
    with torch.no_grad():
        logits, _, maps = network(image)
    example = (maps.contiguous(), torch.zeros_like(logits))
    parts = {**core_aten_decompositions(), torch.ops.aten.native_batch_norm.default: _batch_norm}
    traced = make_fx(functionalize(_heat(network, image)), parts)(*example)
    # What comes before the maps was traced too, with its changes in place, and is not needed.
    traced.graph.eliminate_dead_code(lambda node: node.op in ("placeholder", "output"))
    traced.recompile()
    if _bytes(traced) > LARGEST_BYTES:
        log.info("no %s: the layers after the maps are too large", path.name)
        return False
    with redirect_stdout(StringIO()):  # the exporter prints all of a graph that it cannot write
        write_graph(traced, example, path, {"maps": {}, "weights": {}, "heat": {}}, 1)
    _check(network, path, image)
    return True


def _heat(network: Explainable, image: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
    """From maps and weights to heat, as a function that can be traced."""
    layer = network.layer
    assert layer is not None

    def rest(maps: Tensor) -> Tensor:
        # A copy, for layers that compute in place; contiguous, for ConvNeXt's maps are not, and
        # pooling is another operation then.
        given = maps.clone(memory_format=torch.contiguous_format)
        hook = layer.register_forward_hook(lambda *_: given)
        try:
            logits: Tensor = network.network(image)
        finally:
            hook.remove()
        return logits

    def heat(maps: Tensor, weights: Tensor) -> Tensor:
        pull_back = vjp(rest, maps)[1]
        gradient: Tensor = pull_back(weights)[0]
        return (maps * gradient).sum(dim=1).relu()

    return heat


def _batch_norm(
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    mean: Tensor,
    variance: Tensor,
    training: bool,
    momentum: float,
    eps: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """BatchNorm in evaluation mode, of parts that ONNX knows; the second and third are not used then."""
    shape = [1, -1] + [1] * (x.ndim - 2)
    scale = (variance + eps).rsqrt() * (1.0 if weight is None else weight)
    shift = (0.0 if bias is None else bias) - mean * scale
    return x * scale.view(shape) + shift.view(shape), mean.new_empty(0), mean.new_empty(0)


def _bytes(traced: GraphModule) -> int:
    """Of the weights that the graph uses."""
    used = {str(node.target) for node in traced.graph.nodes if node.op == "get_attr"}
    return sum(getattr(traced, name).nbytes for name in used)


def _check(network: Explainable, path: Path, image: Tensor) -> None:
    """Raise BundleError where the graph does not compute what torch computes."""
    # Another image: nothing of the one that was traced may have gone into the graph.
    other = torch.randn(image.shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        logits, _, maps = network(other)
    graph, heat = session(path, 1), _heat(network, other)
    # The opposite too: whatever speaks against a label is no heat.
    for sign in (1.0, -1.0):
        weights = sign * torch.linspace(1, 0.5, logits.shape[1])[None]
        wanted = heat(maps, weights).detach()
        (found,) = graph.run(None, {"maps": maps.numpy(), "weights": weights.numpy()})
        difference, most = (
            float((torch.from_numpy(found) - wanted).abs().max()),
            float(wanted.max()),
        )
        if not difference <= PARITY * most:
            raise BundleError(f"it differs from torch by {difference:.2g} of {most:.2g}")
