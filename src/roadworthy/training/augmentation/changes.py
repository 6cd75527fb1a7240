"""What training sees of cached pixels."""

import torch
from torch import Tensor

from roadworthy.params import Augment, Input
from roadworthy.training.augmentation import crops, geometry, policies
from roadworthy.training.augmentation.colour import coloured
from roadworthy.training.augmentation.erasing import erased
from roadworthy.training.augmentation.normalise import Normalise, Size, floats, shrunk


class RandomChanges(Normalise):
    """What training sees: `views` draws the changes, the call also normalises them."""

    def __init__(self, spec: Input, settings: Augment) -> None:
        super().__init__(spec)
        self.settings = settings
        self.affine = bool(settings.rotate or settings.translate or settings.scale != (1, 1))

    def __call__(self, pixels: Tensor, size: Size | None = None) -> Tensor:
        """Changed and normalised float (N, C, height, width) from cached uint8 (N, H, W, C).

        Args:
            size: height and width of the result, with the field of view of the full input; None is
                the input's own.
        """
        return self.scaled(self.views(pixels, size))

    def views(self, pixels: Tensor, size: Size | None = None) -> Tensor:
        """Changed images, float 0 to 1, (N, C, height, width), from cached uint8 (N, H, W, C)."""
        if self.affine:
            images = shrunk(self._moved(pixels), size)
        else:
            images = self.cut(pixels, size).permute(0, 3, 1, 2)
        return erased(self._recoloured(images), self.settings.erase)

    def cut(self, pixels: Tensor, size: Size | None = None) -> Tensor:
        """Crop and mirror alone: uint8 (N, height, width, C) from cached uint8 (N, H, W, C)."""
        full = (self.spec.height, self.spec.width)
        boxes = self._boxes(pixels)
        if self.settings.crop == "resized":
            return crops.cut_resized(pixels, boxes, size or full)
        images = crops.cut(pixels, boxes, full)
        return shrunk(images.permute(0, 3, 1, 2), size).permute(0, 2, 3, 1)

    def _moved(self, pixels: Tensor) -> Tensor:
        """Rotation, zoom, shift, crop and mirror in one resampling; float (N, C, height, width)."""
        full = (self.spec.height, self.spec.width)
        cached = (pixels.shape[1], pixels.shape[2])
        matrices = geometry.draw(self._boxes(pixels), cached, full, self.settings)
        return geometry.resampled(floats(pixels.permute(0, 3, 1, 2)), matrices, full)

    def _boxes(self, pixels: Tensor) -> crops.Boxes:
        cached = (pixels.shape[1], pixels.shape[2])
        full = (self.spec.height, self.spec.width)
        return crops.draw(len(pixels), cached, full, self.settings)

    def _recoloured(self, images: Tensor) -> Tensor:
        """Float images from uint8 or float ones, after the policy."""
        s = self.settings
        if s.policy == "colour" and not (s.brightness or s.contrast or s.saturation):
            return floats(images)
        images = images.contiguous()  # channel after channel is what colours are fastest on
        if s.policy == "colour":
            return coloured(floats(images), s)
        if images.is_floating_point():
            images = (images * 255).round_().to(torch.uint8)
        return floats(policies.changed(images, s))
