"""Notices a loss that is not a number or explodes, on the device and without waiting for it."""

import torch
from torch import Tensor, nn

from roadworthy.errors import TrainingError

# The running mean of the loss may grow to this multiple of what the training began with.
EXPLODED = 20.0
MEMORY = 0.9


class DivergedError(TrainingError):
    """The loss is not a number, or has exploded."""


class LossWatch(nn.Module):
    """A running mean of the loss, compared with where it began; its state is in every checkpoint."""

    begin: Tensor
    mean: Tensor
    bad: Tensor
    """Whether something was wrong; looking at it waits for the device."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("begin", torch.tensor(-1.0))
        self.register_buffer("mean", torch.tensor(0.0))
        self.register_buffer("bad", torch.tensor(False))

    @torch.no_grad()
    def update(self, loss: Tensor) -> None:
        """Take in the loss of a step, a scalar on the device."""
        first = self.begin < 0
        self.begin.copy_(torch.where(first, loss, self.begin))
        self.mean.copy_(torch.where(first, loss, MEMORY * self.mean + (1 - MEMORY) * loss))
        self.bad |= ~torch.isfinite(loss) | (self.mean > EXPLODED * self.begin.clamp(min=0.05))

    def error(self) -> DivergedError:
        """What to say when it is bad."""
        return DivergedError(
            f"the loss diverged (it began at {float(self.begin):.3g} and its mean became "
            f"{float(self.mean):.3g}): lower train.lr (train.divergence: rollback does so by itself)"
        )
