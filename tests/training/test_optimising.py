"""Optimizers by name, and schedules that are as long as the training."""

from itertools import pairwise

import pytest
import torch
from torch import nn

from roadworthy.params import Train
from roadworthy.training.optimising import optimizer, schedule


def rates(settings: Train, steps: int) -> list[float]:
    """The learning rate at each step."""
    groups = [{"params": [nn.Parameter(torch.zeros(1))], "lr": 0.1}]
    made = optimizer(settings, groups)
    moved = schedule(settings, made, steps)
    seen = []
    for _ in range(steps):
        seen.append(made.param_groups[0]["lr"])
        made.step()
        moved.step()
    return seen


@pytest.mark.parametrize(
    "name", [("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW), ("sgd", torch.optim.SGD)]
)
def test_an_optimizer_is_the_named_one(name: tuple[str, type]) -> None:
    """Fused; SGD with Nesterov momentum."""
    made = optimizer(Train(optimizer=name[0]), [{"params": [nn.Parameter(torch.zeros(1))]}])  # type: ignore[arg-type]
    assert type(made) is name[1] and made.defaults["fused"]
    if name[0] == "sgd":
        assert made.defaults["nesterov"] and made.defaults["momentum"] == 0.9


def test_onecycle_rises_and_comes_to_nothing_at_the_last_step() -> None:
    """Sized too long it would never come down, too short it would stop the training."""
    seen = rates(Train(schedule="onecycle"), 50)
    assert max(seen) == pytest.approx(0.1) and 10 < seen.index(max(seen)) < 20
    assert seen[-1] < 1e-4 * max(seen)


def test_cosine_falls_after_the_warm_up() -> None:
    """From a small rate to the full one, then down."""
    seen = rates(Train(schedule="cosine", warmup=0.2), 50)
    assert seen[0] < 0.02 and seen[10] == pytest.approx(0.1)
    assert all(a > b for a, b in pairwise(seen[10:]))
    assert seen[-1] < 0.001


def test_constant_stays() -> None:
    """Except for a warm-up that was asked for."""
    assert set(rates(Train(schedule="constant"), 9)) == {0.1}
    assert rates(Train(schedule="constant", warmup=0.5), 8)[:2] == pytest.approx([0.02, 0.04])
