"""The moving average of the weights, which is validated and kept instead of the weights themselves."""

from typing import Any, cast

import lightning as L
import torch
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor

from roadworthy.models.build import Network
from roadworthy.training.module import Classifier


class MovingAverage(WeightAveraging):
    """Exponential moving average of weights and statistics, with a short memory at the beginning.

    The decay is the smaller of `decay` and (1 + step) / (10 + step), as in TensorFlow's and timm's:
    otherwise a short training would keep its random beginning.
    """

    def __init__(self, decay: float) -> None:
        self.decay, self._now = decay, 0.0
        super().__init__(multi_avg_fn=self._average)

    @property
    def network(self) -> Network:
        """The network with the average weights."""
        assert self._average_model is not None
        return cast(Network, cast(Classifier, self._average_model.module).network)

    def on_train_batch_end(
        self, trainer: L.Trainer, module: L.LightningModule, outputs: Any, batch: Any, index: int
    ) -> None:
        """Take in the weights of this step."""
        step = trainer.global_step
        self._now = min(self.decay, (1 + step) / (10 + step))
        super().on_train_batch_end(trainer, module, outputs, batch, index)

    def _average(self, kept: Any, new: Any, _: Tensor | int) -> None:
        if kept[0].is_floating_point():
            torch._foreach_lerp_(kept, new, 1 - self._now)
        else:
            # Counts of batches, not weights.
            torch._foreach_copy_(kept, new)
