"""Freeze the early part of a network; frozen BatchNorm keeps its statistics too."""

from roadworthy.errors import ParamsError
from roadworthy.models.build import Network
from roadworthy.models.stages import auxiliary, stages


def freeze_before(network: Network, part: str) -> None:
    """Train the head, and of the backbone the stage `part` with everything after it.

    The network remembers: `Network.train` leaves what is frozen in evaluation mode.

    Args:
        part: `head` (nothing of the backbone), `all`, or the name of a stage.

    Raises:
        ParamsError: the backbone has no such stage.
    """
    found = stages(network.backbone)
    places = {"all": 0, **{stage.name: at for at, stage in enumerate(found)}, "head": len(found)}
    if part not in places:
        known = ", ".join(("head", *(stage.name for stage in reversed(found)), "all"))
        raise ParamsError(f"train.unfreeze: the backbone has no stage {part!r}; it has {known}")
    network.requires_grad_(True)
    for stage in found[: places[part]]:
        for parameter in stage.parameters:
            parameter.requires_grad_(False)
    for branch in (*auxiliary(network.backbone), network.auxiliary_heads):
        branch.requires_grad_(part != "head")
    network.train()
