"""Parts of torchvision that are changed a little, so that they work at every size and from any file.

Imported where a backbone needs them only, because torchvision takes a while to import.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models import MNASNet, inception

# Side of the map that Inception's auxiliary head was made for; only 299 and more pixels give it.
MAP = 17


class AveragePool(nn.Module):
    """`AdaptiveAvgPool2d`, which from sizes that are no multiple ONNX and `deterministic` do not know."""

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.height, self.width = height, width

    def forward(self, x: Tensor) -> Tensor:
        """Averages (N, C, height, width) of maps (N, C, H, W)."""
        height, width = (int(side) for side in x.shape[-2:])
        if (height, width) == (self.height, self.width):
            return x
        return _shares(height, self.height, x) @ x @ _shares(width, self.width, x).T


def _shares(size: int, wanted: int, like: Tensor) -> Tensor:
    """What each of `wanted` averages takes of each of `size` places: (wanted, size), as `like` is."""
    number = torch.arange(wanted, device=like.device)[:, None]
    place = torch.arange(size, device=like.device)
    taken = (place * wanted < (number + 1) * size) & ((place + 1) * wanted > number * size)
    return taken.to(like.dtype) / taken.sum(1, keepdim=True)


class Auxiliary(inception.InceptionAux):  # type: ignore[misc]
    """Inception's auxiliary head; a map that is too small for it is enlarged."""

    def forward(self, x: Tensor) -> Tensor:
        """Features (N, 768) of maps (N, 768, H, W)."""
        height, width = (max(int(side), MAP) for side in x.shape[-2:])
        result: Tensor = super().forward(AveragePool(height, width)(x))
        return result


INCEPTION_BLOCKS = [
    inception.BasicConv2d,
    inception.InceptionA,
    inception.InceptionB,
    inception.InceptionC,
    inception.InceptionD,
    inception.InceptionE,
    Auxiliary,
]


class UnmarkedMNASNet(MNASNet):  # type: ignore[misc]
    """MNASNet that loads weights without torch's version marks, which safetensors do not keep."""

    def _load_from_state_dict(
        self, state: Any, prefix: str, marks: dict[str, Any], *rest: Any
    ) -> None:
        super()._load_from_state_dict(state, prefix, {"version": 2, **marks}, *rest)
