"""Which parts of an image spoke for an answer: Grad-CAM, or integrated gradients; both by captum.

Tables and reports are not known here: a service can use it as well.
"""

import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torchvision.transforms.v2 import functional as F

# A last map with fewer cells on its shorter side says no more than "left" or "right": ResNet-50's
# has 2 x 2 for 64 px, 7 x 7 for 224. Earlier maps are finer but were of no use: hot beside the cars.
CELLS = 6
# Integrated gradients: steps on the way from the mean colour to the image.
STEPS = 12
# Of single pixels they are speckled: smoothed by this share of the side.
SMOOTH = 0.03
BATCH = 16
# Longer side of an overlay, in pixels.
SIDE = 224
# Of a heat map over the image, where it is hottest.
OPACITY = 0.75


def explain(network: nn.Module, images: Tensor, targets: np.ndarray) -> np.ndarray:
    """Heat of every image for one class each.

    Grad-CAM on the last convolutional map, where it is not too coarse, with each cell's own
    gradient: the same where a network averages that map, and right where it does not, as the
    detector's (Selvaraju et al. 2017, "Grad-CAM"; Draelos and Carin 2020, "Use HiResCAM instead of
    Grad-CAM"). Else, and where there is none as in ViT and Swin, integrated gradients (Sundararajan
    et al. 2017), smoothed.

    The network may be frozen or in training mode; it is left as it was, without gradients.

    Args:
        network: from (N, C, H, W) to logits (N, classes), or (N, 1) of class 1 against class 0.
        images: float (N, C, H, W), normalised.
        targets: class numbers (N,) to explain, such as the answers.

    Returns:
        float32 (N, H, W), 0 to 1, the hottest place of an image at 1; all 0 where nothing spoke for
        the class.
    """
    if not len(images):
        return np.zeros((0, *images.shape[-2:]), np.float32)
    wanted = torch.as_tensor(targets, dtype=torch.int64, device=images.device)
    with _still(network):
        layer = last_map(network, images[:1])
        parts = [
            _heat(network, layer, images[start : start + BATCH], wanted[start : start + BATCH])
            for start in range(0, len(images), BATCH)
        ]
    heat = torch.cat(parts)
    heat = heat / heat.amax(dim=(1, 2), keepdim=True).clamp_min(torch.finfo(heat.dtype).tiny)
    result: np.ndarray = heat.float().cpu().numpy()
    return result


def overlay(pixels: np.ndarray, heat: np.ndarray) -> Image.Image:
    """The image in grey under its heat, enlarged so that its parts can be seen.

    Args:
        pixels: uint8 (H, W, C) with 1 or 3 channels.
        heat: (H, W), 0 to 1.

    Returns:
        RGB, the longer side of 224 pixels at least; matplotlib's `inferno`, which colour-blind
        people read as well, transparent where it is cold.
    """
    from matplotlib import colormaps

    height, width = pixels.shape[:2]
    scale = max(SIDE / max(height, width), 1.0)
    size = (round(width * scale), round(height * scale))
    grey = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).convert("L")
    base = np.asarray(grey.resize(size, Image.Resampling.BICUBIC), np.float32)[..., None]
    smooth = Image.fromarray(heat.astype(np.float32)).resize(size, Image.Resampling.BILINEAR)
    warm = np.asarray(smooth).clip(0, 1)
    colour = colormaps["inferno"](warm)[..., :3] * 255
    alpha = OPACITY * np.sqrt(warm)[..., None]
    return Image.fromarray((base * (1 - alpha) + colour * alpha).round().astype(np.uint8))


def _heat(network: nn.Module, layer: nn.Module | None, images: Tensor, targets: Tensor) -> Tensor:
    """Positive evidence, (N, H, W), not scaled."""
    from captum.attr import IntegratedGradients, LayerAttribution, LayerGradientXActivation

    images = images.detach().clone().requires_grad_()
    size = (images.shape[-2], images.shape[-1])

    def score(batch: Tensor, classes: Tensor) -> Tensor:
        return _log_odds(network(batch), classes)

    if layer is not None:
        by_map = LayerGradientXActivation(score, layer)
        found: Tensor = by_map.attribute(images, additional_forward_args=targets).detach()
        evidence = found.sum(dim=1, keepdim=True).relu()
        wide: Tensor = LayerAttribution.interpolate(evidence, size, interpolate_mode="bilinear")
        return wide[:, 0]
    by_pixel = IntegratedGradients(score)
    found = by_pixel.attribute(
        images, additional_forward_args=targets, n_steps=STEPS, internal_batch_size=BATCH
    ).detach()
    sigma = SMOOTH * min(size)
    reach = 2 * math.ceil(2 * sigma) + 1
    evidence = found.sum(dim=1, keepdim=True).relu()
    smooth: Tensor = F.gaussian_blur(evidence, [reach] * 2, [sigma] * 2)
    return smooth[:, 0]


def _log_odds(logits: Tensor, classes: Tensor) -> Tensor:
    """Of each class against all others, (N,): what speaks for all classes alike drops out."""
    if logits.shape[1] == 1:
        return torch.where(classes == 1, logits[:, 0], -logits[:, 0])
    own = logits.gather(1, classes[:, None])[:, 0]
    return own - logits.scatter(1, classes[:, None], -torch.inf).logsumexp(dim=1)


def last_map(network: nn.Module, image: Tensor) -> nn.Module | None:
    """The last part to give a map (1, channels, H, W), if it has cells enough; else None.

    A part is a convolution or whatever has one inside: of ResNet the stage with its shortcuts. A
    network that begins with one convolution and has no other is a transformer, without such maps.
    """
    convolutional = [
        module
        for module in network.modules()
        if any(isinstance(part, nn.Conv2d) for part in module.modules())
    ]
    if sum(isinstance(module, nn.Conv2d) for module in convolutional) < 2:
        return None
    seen: list[tuple[nn.Module, int]] = []

    def note(module: nn.Module, given: object, made: object) -> None:
        if isinstance(made, Tensor) and made.ndim == 4:
            seen.append((module, min(made.shape[-2:])))

    with ExitStack() as hooks, torch.no_grad():
        for module in convolutional:
            hooks.callback(module.register_forward_hook(note).remove)
        network(image)
    last, cells = seen[-1]
    return last if cells >= CELLS else None


@contextmanager
def _still(network: nn.Module) -> Iterator[None]:
    """In evaluation mode and with gradients inside the block; afterwards every part as it was."""
    modes = {module: module.training for module in network.modules()}
    network.eval()
    try:
        with torch.inference_mode(False), torch.enable_grad():
            yield
    finally:
        for module, training in modes.items():
            module.training = training
