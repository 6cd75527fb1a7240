"""What evaluation and serving see of cached pixels: their centre, with zero mean and unit spread."""

import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as F

from roadworthy.params import Input

Size = tuple[int, int]


class Normalise:
    """Centre crop and normalisation of cached pixels; what evaluation and serving do too."""

    def __init__(self, spec: Input) -> None:
        self.spec = spec
        self._constants: dict[torch.device, tuple[Tensor, Tensor]] = {}

    def __call__(self, pixels: Tensor, size: Size | None = None) -> Tensor:
        """Normalised float (N, C, height, width) from cached uint8 (N, H, W, C).

        Args:
            size: height and width of the result, with the field of view of the full input; None is
                the input's own.
        """
        return self.scaled(self.plain(pixels, size))

    def plain(self, pixels: Tensor, size: Size | None = None) -> Tensor:
        """Float 0 to 1 (N, C, height, width): the centre of cached uint8 (N, H, W, C)."""
        spec = self.spec
        top = (pixels.shape[1] - spec.height) // 2
        left = (pixels.shape[2] - spec.width) // 2
        crop = pixels[:, top : top + spec.height, left : left + spec.width]
        return floats(shrunk(crop.permute(0, 3, 1, 2), size))

    def scaled(self, images: Tensor) -> Tensor:
        """Zero mean and unit spread from float images (N, C, H, W) in 0 to 1."""
        slope, offset = self._on(images.device)
        scaled = torch.addcmul(offset, images, slope)
        return scaled.contiguous(memory_format=torch.channels_last)

    def _on(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """Slope and offset (1, C, 1, 1), sent to a device once: each further copy would be waited for."""
        if device not in self._constants:
            mean, std = torch.tensor(self.spec.mean), torch.tensor(self.spec.std)
            pair = ((1 / std).view(1, -1, 1, 1), (-mean / std).view(1, -1, 1, 1))
            self._constants[device] = (pair[0].to(device), pair[1].to(device))
        return self._constants[device]


def floats(images: Tensor) -> Tensor:
    """Float32 in 0 to 1 from uint8 of any shape; floats pass."""
    return images if images.is_floating_point() else images.float().div_(255)


def shrunk(images: Tensor, size: Size | None) -> Tensor:
    """Images (N, C, H, W) at another size, smoothed against aliasing, in their own dtype."""
    if size is None or tuple(images.shape[2:]) == tuple(size):
        return images
    resized: Tensor = F.resize(images, list(size), antialias=True)
    return resized
