"""TrivialAugmentWide and RandAugment with torchvision's operations, ranges and 31 bins.

Which operation an image gets is drawn on the CPU. The images are then sorted by operation, so that
each one works on a slice of the batch, whatever its size, and nobody asks the device for it.
"""

import torch
from torch import Tensor

from roadworthy.params import Augment
from roadworthy.training.augmentation import geometry, operations
from roadworthy.training.augmentation.draws import chosen, sent
from roadworthy.training.augmentation.normalise import Size
from roadworthy.training.augmentation.operations import Operation

BINS = 31
# Those that move pixels come first: together they are one slice and one resampling.
MOVES = ("ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate")
COLOURS: dict[str, Operation] = {
    "Identity": operations.identity,
    "Brightness": operations.brightness,
    "Color": operations.colour,
    "Contrast": operations.contrast,
    "Sharpness": operations.sharpness,
    "Posterize": operations.posterize,
    "Solarize": operations.solarize,
    "AutoContrast": operations.autocontrast,
    "Equalize": operations.equalize,
}
NAMES = (*MOVES, *COLOURS)
UNSIGNED = ("Identity", "Posterize", "Solarize", "AutoContrast", "Equalize")


def changed(images: Tensor, settings: Augment) -> Tensor:
    """Uint8 images (N, C, H, W) after the policy `trivial` or `rand`."""
    count, size = len(images), (images.shape[2], images.shape[3])
    wide = settings.policy == "trivial"
    table = magnitudes(wide, size)
    for _ in range(1 if wide else settings.rand_ops):
        which = torch.randint(len(NAMES), (count,))
        fixed = torch.full((count,), settings.rand_magnitude)
        bins = torch.randint(BINS, (count,)) if wide else fixed
        signed = torch.tensor([name not in UNSIGNED for name in NAMES])[which]
        sign = torch.where(chosen(count, 0.5) & signed, -1.0, 1.0)
        images = apply(images, which, table[which, bins] * sign)
    return images


def magnitudes(wide: bool, size: Size) -> Tensor:
    """What each operation does at each of the bins, float (operations, 31)."""
    strong = 0.99 if wide else 0.9
    ends = {
        "ShearX": 0.99 if wide else 0.3,
        "ShearY": 0.99 if wide else 0.3,
        "TranslateX": 32.0 if wide else 150 / 331 * size[1],
        "TranslateY": 32.0 if wide else 150 / 331 * size[0],
        "Rotate": 135.0 if wide else 30.0,
        **dict.fromkeys(("Brightness", "Color", "Contrast", "Sharpness"), strong),
    }
    rows = {name: torch.linspace(0, end, BINS) for name, end in ends.items()}
    rows["Posterize"] = (8 - torch.arange(BINS) / ((BINS - 1) / (6 if wide else 4))).round()
    rows["Solarize"] = torch.linspace(1, 0, BINS)
    return torch.stack([rows.get(name, torch.zeros(BINS)) for name in NAMES])


def apply(images: Tensor, which: Tensor, strengths: Tensor) -> Tensor:
    """Uint8 images (N, C, H, W), each after its operation.

    Args:
        which: int64 (N,) on the CPU, a place in `NAMES`.
        strengths: float (N,) on the CPU.
    """
    order = which.argsort(stable=True)
    place, strengths = sent(order, images.device), strengths[order]
    counts = torch.bincount(which, minlength=len(NAMES)).tolist()
    images = images[place]
    moving = sum(counts[: len(MOVES)])
    parts = [_moved(images[:moving], which[order[:moving]], strengths[:moving])] if moving else []
    magnitude = sent(strengths, images.device).view(-1, 1, 1, 1)
    start = moving
    for operation, count in zip(COLOURS.values(), counts[len(MOVES) :], strict=True):
        stop = start + count
        if count:
            parts.append(operation(images[start:stop], magnitude[start:stop]))
        start = stop
    out = torch.empty_like(images)
    out[place] = torch.cat(parts)
    return out


def _moved(images: Tensor, which: Tensor, strengths: Tensor) -> Tensor:
    """Sheared, shifted or turned, with black outside and the nearest pixel inside."""
    size = (images.shape[2], images.shape[3])
    zero, whole = torch.zeros_like(strengths), strengths.trunc()
    each = torch.stack(
        [
            geometry.shears_x(strengths, size),
            geometry.shears_y(strengths, size),
            geometry.shifts(whole, zero),
            geometry.shifts(zero, whole),
            geometry.rotations(torch.deg2rad(strengths)),
        ]
    )
    matrices = each[which, torch.arange(len(which))]
    moved = geometry.resampled(images.float(), matrices, size, "nearest", "zeros")
    return moved.to(torch.uint8)
