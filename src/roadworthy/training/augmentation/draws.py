"""Numbers drawn on the CPU, and their way to the device."""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor


def uniform(shape: int | tuple[int, ...], low: float, high: float) -> Tensor:
    """Float32 on the CPU, between `low` and `high`."""
    return torch.rand(shape) * (high - low) + low


def chosen(count: int, chance: float) -> Tensor:
    """Bool (count,) on the CPU, each true with `chance`."""
    return torch.rand(count) < chance


def first(usable: Tensor, values: Tensor) -> Tensor:
    """Of each row of tries (N, T) the value of the first usable one, (N,)."""
    return values.gather(1, usable.to(torch.uint8).argmax(1, keepdim=True))[:, 0]


def sent(values: Tensor, device: torch.device) -> Tensor:
    """The same values on the device, which nobody waits for: pinned memory is copied beside the work."""
    if device.type == "cuda":
        values = values.pin_memory()
    return values.to(device, non_blocking=True)


def full_precision(device: torch.device) -> AbstractContextManager[object]:
    """No autocast inside: the 8 bits of bf16's fraction are too few for sums of bytes."""
    known = torch.amp.is_autocast_available(device.type)
    return torch.autocast(device.type, enabled=False) if known else nullcontext()
