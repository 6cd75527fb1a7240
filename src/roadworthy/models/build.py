"""A network is a backbone, which makes features, and a head, which makes logits of them."""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Any, Self, cast

import torch
from torch import Tensor, nn

from roadworthy.models.backbones import build_backbone
from roadworthy.models.stages import stages
from roadworthy.params import Backbone, Head, Input

# Weight of each auxiliary classifier's loss, where the main one's is 1. GoogLeNet: Szegedy et al.,
# "Going deeper with convolutions" (2014), section 5. Inception v3: TF-Slim's, with which its weights
# were made.
AUXILIARY_LOSS = {"inception_v3": 0.4, "googlenet": 0.3}


class Network(nn.Module):
    """Backbone and head; `forward` takes float (N, C, H, W) and gives logits (N, outputs).

    What is frozen (`requires_grad` off) stays in evaluation mode when `train` is called, so that
    Lightning, which calls it after each validation, does not wake a frozen BatchNorm.

    Args:
        auxiliary_heads: last layers of a backbone's auxiliary classifiers, which help training only.
        auxiliary_weight: weight of each one's loss.
    """

    def __init__(
        self,
        backbone: nn.Module,
        head: nn.Module,
        auxiliary_heads: Iterable[nn.Module] = (),
        auxiliary_weight: float = 0.0,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head
        self.auxiliary_heads = nn.ModuleList(auxiliary_heads)
        self.auxiliary_weight = auxiliary_weight
        self.auxiliary: list[Tensor] = []
        """Logits (N, outputs) of the auxiliary classifiers for the last batch seen in training."""

    def forward(self, batch: Tensor) -> Tensor:
        """Logits (N, outputs) of normalised images (N, C, H, W)."""
        made = self.backbone(batch)
        features, *others = made if isinstance(made, tuple) else (made,)
        self.auxiliary = [
            head(seen) for head, seen in zip(self.auxiliary_heads, others, strict=False)
        ]
        return cast(Tensor, self.head(features))

    def train(self, mode: bool = True) -> Self:
        """Set the mode of all that is not frozen; a wholly frozen backbone has no auxiliary logits."""
        super().train(mode)
        if mode:
            found = stages(self.backbone)
            frozen = [stage for stage in found if stage.frozen]
            parts = [module for stage in frozen for module in stage.modules]
            for module in [self.backbone] if len(frozen) == len(found) else parts:
                module.eval()
        return self

    def __getstate__(self) -> dict[str, Any]:
        # A copy (for the moving average, say) cannot hold another network's graph.
        # Torch leaves out what was compiled: the copy would compute with the original's weights.
        state: dict[str, Any] = super().__getstate__()  # type: ignore[no-untyped-call]
        return {**state, "auxiliary": []}


def build(backbone: Backbone, head: Head, outputs: int, spec: Input, seed: int = 0) -> Network:
    """The network, with random weights drawn from `seed`.

    Raises:
        ParamsError: no backbone has that name, or it cannot take images of that size.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        features = build_backbone(backbone.name, spec)
        own = build_head(features.width, head, outputs)
        auxiliary = [nn.Linear(width, outputs) for width in features.auxiliary]
        return Network(features.module, own, auxiliary, AUXILIARY_LOSS.get(backbone.name, 0.0))


def build_head(width: int, head: Head, outputs: int) -> nn.Module:
    """Linear after dropout, or hidden layers with BatchNorm, ReLU and dropout before it.

    `hidden: [2048, 1024]` on ResNet-50, which has 2048 features, is 2048-2048-1024-C.
    """
    if not head.hidden:
        # By name, so that the layer's weights have one name with and without dropout.
        dropout = [("dropout", nn.Dropout(head.dropout))] if head.dropout else []
        return nn.Sequential(OrderedDict([*dropout, ("0", nn.Linear(width, outputs))]))
    layers: list[nn.Module] = []
    for hidden in head.hidden:
        layers += [nn.Linear(width, hidden), nn.BatchNorm1d(hidden), nn.ReLU()]
        layers += [nn.Dropout(head.dropout)] if head.dropout else []
        width = hidden
    return nn.Sequential(*layers, nn.Linear(width, outputs))
