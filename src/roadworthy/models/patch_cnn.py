"""The small network of the sliding detector: two convolutions and a hidden layer over one window."""

import torch
from torch import nn

from roadworthy.params import Input


class PatchFeatures(nn.Module):
    """Two 5 x 5 convolutions with BatchNorm, ReLU and pooling, then 512 features.

    On 1 x 40 x 100 windows the maps are 64 x 7 x 22 before they are flattened.
    """

    width = 512

    def __init__(self, spec: Input) -> None:
        super().__init__()
        self.maps = nn.Sequential(
            nn.Conv2d(spec.channels, 32, 5, bias=False),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 5, bias=False),
            nn.BatchNorm2d(64),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        height, width = (((side - 4) // 2 - 4) // 2 for side in (spec.height, spec.width))
        self.features = nn.Sequential(
            nn.Flatten(), nn.Linear(64 * height * width, self.width), nn.ReLU()
        )

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        """Features (N, 512) of windows (N, C, H, W)."""
        result: torch.Tensor = self.features(self.maps(batch))
        return result
