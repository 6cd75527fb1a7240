"""Optimizers and schedules by name; schedules move once per optimizer step."""

import math
from typing import Any

import torch
from torch.optim import Optimizer, lr_scheduler

from roadworthy.params import Train

# `plateau` multiplies the rate by this when the watched metric stands still for an epoch.
PLATEAU = 0.2


def optimizer(settings: Train, groups: list[dict[str, Any]]) -> Optimizer:
    """The optimizer over parameter groups, in one fused kernel."""
    decay = settings.weight_decay
    if settings.optimizer == "adam":
        return torch.optim.Adam(groups, weight_decay=decay, fused=True)
    if settings.optimizer == "sgd":
        return torch.optim.SGD(groups, momentum=0.9, nesterov=True, weight_decay=decay, fused=True)
    return torch.optim.AdamW(groups, weight_decay=decay, fused=True)


def schedule(settings: Train, optimizer: Optimizer, steps: int) -> lr_scheduler.LRScheduler:
    """The schedule over `steps` optimizer steps of the whole training."""
    if settings.schedule == "onecycle":
        rates = [group["lr"] for group in optimizer.param_groups]
        return lr_scheduler.OneCycleLR(optimizer, rates, total_steps=steps)
    if settings.schedule == "plateau":
        mode: Any = mode_of(settings.monitor)
        return lr_scheduler.ReduceLROnPlateau(optimizer, mode, factor=PLATEAU, patience=0)
    rising = round(steps * settings.warmup)

    def share(step: int) -> float:
        if step < rising:
            return (step + 1) / (rising + 1)
        if settings.schedule == "constant":
            return 1.0
        return (1 + math.cos(math.pi * (step - rising) / max(steps - rising, 1))) / 2

    return lr_scheduler.LambdaLR(optimizer, share)


def mode_of(monitor: str) -> str:
    """Whether a watched metric is better when it is larger (`max`) or smaller (`min`)."""
    return "max" if monitor.endswith("accuracy") else "min"
