"""From a classifier of windows to a network that slides: fully convolutional, for any picture.

Each linear layer behind the flattened maps becomes the convolution that computes the same: 64 maps of
7 x 22 and 512 outputs a 7 x 22 convolution, 512 to 2 a 1 x 1 one; a global pooling becomes an average
over the maps of one window (Sermanet et al., "OverFeat", 2014; Long et al., "Fully convolutional
networks", 2015). Without padding in its convolutions the network says of every place exactly what the
classifier says of the window there. With padding (ResNet) maps at a window's rim see the picture
around it where the classifier saw nothing: near, but not the same.
"""

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from roadworthy.detection.graph import Converter, Size, convolution
from roadworthy.errors import TrainingError
from roadworthy.models.build import Network
from roadworthy.params import Input

# A window this much larger tells the stride.
LARGER = 512
AGREE = 1e-4


class Sliding(nn.Module):
    """A converted classifier, with a branch that says where in its window the thing is.

    Args:
        backbone: from pictures (N, C, H, W) to features (N, width, h, w) of windows.
        head: from those to logits (N, outputs, h, w).
        branch: from features to four offsets (N, 4, h, w), see `offsets.decode`.
        stride: pixels from one window to the next, down and across.
        exact: whether it agrees with the classifier on every window, not only on the whole picture.
        window: channels, height and width of one.
    """

    def __init__(
        self,
        backbone: nn.Module,
        head: nn.Module,
        branch: nn.Module,
        stride: Size,
        exact: bool,
        window: tuple[int, int, int],
    ) -> None:
        super().__init__()
        self.backbone, self.head, self.branch = backbone, head, branch
        self.stride, self.exact, self.window = stride, exact, window

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
    backbone = Converter(network.backbone, window)
    head = Converter(network.head, network.backbone(window), backbone.size)
    branch = branch or Branch.fixed(feature_width(network))
    offsets = convolution(branch.weight, branch.bias, backbone.size)
    stride, size = _stride(backbone.made, window), (spec.channels, spec.height, spec.width)
    found = Sliding(backbone.made, head.made, offsets, stride, backbone.exact, size).eval()
    _check(found, network, window)
    # Attention within parts of the picture (Swin) pads nothing, and sees past the window all the same.
    found.exact = found.exact and _agrees_aside(found, network, window)
    return found


def _stride(backbone: nn.Module, window: Tensor) -> Size:
    """Pixels that one place of the maps stands for, without computing anything."""
    empty = copy.deepcopy(backbone).to("meta")
    height, width = window.shape[2:]

    def size(down: int, across: int) -> Size:
        made = empty(torch.empty(1, window.shape[1], height + down, width + across, device="meta"))
        return made.shape[2], made.shape[3]

    plain = size(0, 0)
    return (
        LARGER // (size(LARGER, 0)[0] - plain[0]),
        LARGER // (size(0, LARGER)[1] - plain[1]),
    )


def _agrees_aside(found: Sliding, network: Network, window: Tensor) -> bool:
    """Whether it says of the window a stride down and across what the classifier says of it."""
    (down, across), (height, width) = found.stride, window.shape[2:]
    shape = (1, window.shape[1], height + down, width + across)
    picture = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        new, old = found(picture)[0], network(picture[..., down:, across:])
    return torch.allclose(new[..., -1, -1], old, atol=AGREE, rtol=AGREE)


def _check(found: Sliding, network: Network, window: Tensor) -> None:
    """That it says of one window what the classifier says."""
    picture = torch.rand(window.shape, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        new, old = found(picture)[0], network(picture)
    if new.shape[2:] != (1, 1) or not torch.allclose(new[..., 0, 0], old, atol=AGREE, rtol=AGREE):
        raise TrainingError(
            f"{type(network.backbone).__name__} in fully convolutional form computes something else"
        )
