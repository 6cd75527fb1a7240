"""Freeze the early part of a network; frozen BatchNorm keeps its statistics too."""

from torch import nn

from roadworthy.errors import ParamsError
from roadworthy.models.build import Network


def freeze_before(network: Network, part: str) -> None:
    """Train the head, and of the backbone `part` with everything after it.

    Args:
        part: `head` (nothing of the backbone), `all`, or the name of a child of the backbone.

    Raises:
        ParamsError: the backbone has no such part.
    """
    children = dict(network.backbone.named_children())
    if part not in ("head", "all", *children):
        known = ", ".join(("head", "all", *children))
        raise ParamsError(f"train.unfreeze: the backbone has no part {part!r}; it has {known}")
    network.train()
    opened = part == "all"
    for name, child in children.items():
        opened = opened or name == part
        child.requires_grad_(opened)
        if not opened:
            child.eval()
    _open_own_parameters(network.backbone, part == "all")


def _open_own_parameters(backbone: nn.Module, opened: bool) -> None:
    """Parameters outside any child, such as a transformer's position embedding."""
    for parameter in backbone.parameters(recurse=False):
        parameter.requires_grad_(opened)
