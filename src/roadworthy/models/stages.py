"""A backbone in order of depth, in one place: for freezing and for learning rates."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import nn

if TYPE_CHECKING:
    from roadworthy.models.build import Network

STEM = "stem"
# Containers whose children are stages, in the families that have them.
TRUNKS = {"features", "layers", "blocks", "trunk_output", "encoder", "encoder.layers"}
# Side branches of Inception and GoogLeNet: heads, not depth.
AUXILIARY = ("AuxLogits", "aux1", "aux2")

# Appended to the name of a group whose parameters are not made smaller.
NO_DECAY = ".no_decay"


@dataclass(frozen=True)
class Stage:
    """Neighbouring layers that are frozen together and learn at one rate."""

    name: str
    """The path of the first of its modules, as `layer4` or `features.6`; the first stage is `stem`."""
    modules: tuple[nn.Module, ...]
    own: tuple[nn.Parameter, ...] = ()
    """Parameters outside of any of these modules, such as a position embedding."""

    @property
    def parameters(self) -> list[nn.Parameter]:
        """All that is learned in it."""
        return [*self.own, *(p for module in self.modules for p in module.parameters())]

    @property
    def frozen(self) -> bool:
        """Whether none of it learns."""
        return not any(parameter.requires_grad for parameter in self.parameters)


def stages(backbone: nn.Module) -> list[Stage]:
    """The backbone's stages from the image on; each module and parameter is in exactly one.

    A layer with nothing but vectors to learn (a norm), or nothing at all, belongs to the one before.
    Auxiliary classifiers are in none.
    """
    found: list[tuple[str, list[nn.Module]]] = []
    for path, module in _layers(backbone):
        if found and all(parameter.ndim <= 1 for parameter in module.parameters()):
            found[-1][1].append(module)
        else:
            found.append((path, [module]))
    (_, first), *rest = found
    stem = Stage(STEM, tuple(first), tuple(_own(backbone)))
    return [stem, *(Stage(path, tuple(modules)) for path, modules in rest)]


def auxiliary(backbone: nn.Module) -> list[nn.Module]:
    """The branches that end in auxiliary classifiers."""
    return [module for name, module in backbone.named_children() if name in AUXILIARY]


def parameter_groups(
    network: "Network", lr: float, backbone_lr: float, depth_decay: float, weight_decay: float
) -> list[dict[str, Any]]:
    """An optimizer's parameter groups, from the head to the stem; each parameter is in exactly one.

    Biases and the vectors of norms are not decayed, as in torchvision's and timm's recipes: being
    small is of no use there. They are groups of their own, called `NAME.no_decay`.

    Args:
        lr: of the head, and of auxiliary classifiers.
        backbone_lr: what the last stage has of it.
        depth_decay: what each earlier stage has of the rate of the next one.

    Returns:
        Mappings with `params`, `lr`, `weight_decay` and `name` (`head`, `layer4` ...).
    """
    rest = [p for branch in auxiliary(network.backbone) for p in branch.parameters()]
    rest += network.auxiliary_heads.parameters()
    groups = _groups("head", network.head.parameters(), lr, weight_decay)
    groups += _groups("auxiliary", rest, lr, weight_decay)
    for depth, stage in enumerate(reversed(stages(network.backbone))):
        rate = lr * backbone_lr * depth_decay**depth
        groups += _groups(stage.name, stage.parameters, rate, weight_decay)
    return groups


def _layers(module: nn.Module, prefix: str = "") -> Iterator[tuple[str, nn.Module]]:
    for name, child in module.named_children():
        path = prefix + name
        if path in TRUNKS:
            yield from _layers(child, f"{path}.")
        elif path not in AUXILIARY:
            yield path, child


def _own(module: nn.Module, prefix: str = "") -> Iterator[nn.Parameter]:
    """Parameters of the backbone itself and of its containers."""
    yield from module.parameters(recurse=False)
    for name, child in module.named_children():
        if (path := prefix + name) in TRUNKS:
            yield from _own(child, f"{path}.")


def _groups(
    name: str, parameters: Iterable[nn.Parameter], lr: float, weight_decay: float
) -> list[dict[str, Any]]:
    """One group, or two where weights decay; none of nothing."""
    every = list(parameters)
    vectors = [p for p in every if p.ndim <= 1] if weight_decay else []
    weights = [p for p in every if p.ndim > 1] if weight_decay else every
    parts = ((name, weights, weight_decay), (name + NO_DECAY, vectors, 0.0))
    return [
        {"params": params, "lr": lr, "weight_decay": decay, "name": called}
        for called, params, decay in parts
        if params
    ]
