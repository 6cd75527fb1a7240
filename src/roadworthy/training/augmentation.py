"""Random changes to a batch on the device that trains, with a draw of its own for every image."""

import math

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample
from torchvision.transforms import v2

from roadworthy.params import Augment, Input

GREY = (0.299, 0.587, 0.114)


class Normalise:
    """Centre crop and normalisation of cached pixels; what evaluation and serving do too."""

    def __init__(self, spec: Input) -> None:
        self.spec = spec
        self.mean = torch.tensor(spec.mean).view(1, -1, 1, 1)
        self.std = torch.tensor(spec.std).view(1, -1, 1, 1)

    def __call__(self, pixels: Tensor) -> Tensor:
        """Normalised float (N, C, height, width) from cached uint8 (N, H, W, C)."""
        return self.scaled(self.plain(pixels))

    def plain(self, pixels: Tensor) -> Tensor:
        """Float 0 to 1 (N, C, height, width): the centre of cached uint8 (N, H, W, C)."""
        spec = self.spec
        top = (pixels.shape[1] - spec.height) // 2
        left = (pixels.shape[2] - spec.width) // 2
        crop = pixels[:, top : top + spec.height, left : left + spec.width]
        return crop.permute(0, 3, 1, 2).float() / 255

    def scaled(self, images: Tensor) -> Tensor:
        """Zero mean and unit spread from float images (N, C, H, W) in 0 to 1."""
        scaled = (images - self.mean.to(images.device)) / self.std.to(images.device)
        return scaled.contiguous(memory_format=torch.channels_last)


class RandomChanges(Normalise):
    """What training sees: `views` draws the changes, the call also normalises them."""

    def __init__(self, spec: Input, settings: Augment) -> None:
        super().__init__(spec)
        self.settings = settings
        self.trivial = v2.TrivialAugmentWide() if settings.trivial else None

    def __call__(self, pixels: Tensor) -> Tensor:
        """Changed and normalised float (N, C, height, width) from cached uint8 (N, H, W, C)."""
        return self.scaled(self.views(pixels))

    def views(self, pixels: Tensor) -> Tensor:
        """Changed images, float 0 to 1, (N, C, height, width), from cached uint8 (N, H, W, C)."""
        images = self._moved(pixels.permute(0, 3, 1, 2).float() / 255)
        if self.trivial is not None:
            bytes_ = (images * 255).round().to(torch.uint8)
            images = torch.stack([self.trivial(image) for image in bytes_]).float() / 255
        else:
            images = self._coloured(images)
        return self._erased(images)

    def _moved(self, images: Tensor) -> Tensor:
        """Rotation, scale, shift, mirror and crop in one resampling (torchvision's affine, batched)."""
        s, count, device = self.settings, len(images), images.device
        angle = _uniform(count, -s.rotate, s.rotate, device) * (math.pi / 180)
        # The grid says where to look, so that a larger picture is a smaller step.
        zoom = 1 / _uniform(count, *s.scale, device)
        mirror = torch.where(torch.rand(count, device=device) < s.flip, -1.0, 1.0)
        high = self.spec.height / images.shape[2]
        wide = self.spec.width / images.shape[3]
        aspect = images.shape[2] / images.shape[3]
        cos, sin = zoom * angle.cos(), zoom * angle.sin()
        shift = _uniform(2 * count, -s.translate, s.translate, device).view(2, count) * 2
        theta = torch.stack(
            [
                torch.stack([cos * wide * mirror, -sin * high * aspect, shift[0]], 1),
                torch.stack([sin * wide * mirror / aspect, cos * high, shift[1]], 1),
            ],
            1,
        )
        size = [count, images.shape[1], self.spec.height, self.spec.width]
        grid = affine_grid(theta, size, align_corners=False)
        return grid_sample(images, grid, padding_mode="reflection", align_corners=False)

    def _coloured(self, images: Tensor) -> Tensor:
        s = self.settings
        images = images * self._factor(images, s.brightness)
        mean = images.mean(dim=(1, 2, 3), keepdim=True)
        images = mean + (images - mean) * self._factor(images, s.contrast)
        if images.shape[1] == 3:
            grey = (images * torch.tensor(GREY, device=images.device).view(1, 3, 1, 1)).sum(1, True)
            images = grey + (images - grey) * self._factor(images, s.saturation)
        return images.clamp(0, 1)

    def _factor(self, images: Tensor, strength: float) -> Tensor:
        return _uniform(len(images), 1 - strength, 1 + strength, images.device).view(-1, 1, 1, 1)

    def _erased(self, images: Tensor) -> Tensor:
        if not self.settings.erase:
            return images
        eraser = v2.RandomErasing(self.settings.erase)
        return torch.stack([eraser(image) for image in images])


def _uniform(count: int, low: float, high: float, device: torch.device) -> Tensor:
    return torch.rand(count, device=device) * (high - low) + low
