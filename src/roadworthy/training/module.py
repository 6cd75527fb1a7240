"""What Lightning trains: a network, its criterion, its optimizer, and what is frozen when."""

from typing import Any, cast

import lightning as L
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor
from torch.nn import functional as F
from torch.optim import lr_scheduler
from torchmetrics import MeanMetric
from torchmetrics.classification import MulticlassAccuracy

from roadworthy.models.build import Network
from roadworthy.models.freezing import freeze_before
from roadworthy.params import TaskPlan
from roadworthy.training.augmentation import Normalise, RandomChanges


class Classifier(L.LightningModule):
    """Fine-tunes a network on one task.

    Args:
        network: gives one logit (binary with BCE) or one per class.
        plan: the task's settings; `train`, `augment` and `input` are used.
        class_weights: float (C,), the weight of each class in the loss.
        steps: optimizer steps of the whole training, which OneCycle and cosine need.
    """

    def __init__(
        self, network: Network, plan: TaskPlan, class_weights: Tensor, classes: int, steps: int
    ) -> None:
        super().__init__()
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.plan, self.steps = plan, steps
        self.changes = RandomChanges(plan.input, plan.augment)
        self.plain = Normalise(plan.input)
        self.register_buffer("class_weights", class_weights, persistent=False)
        self.train_loss = MeanMetric()
        self.val_loss = MeanMetric()
        self.val_accuracy = MulticlassAccuracy(classes, average="micro")

    def forward(self, pixels: Tensor) -> Tensor:
        """Logits of cached uint8 pixels (N, H, W, C), as evaluation sees them."""
        return cast(Tensor, self.network(self.plain(pixels)))

    def on_train_epoch_start(self) -> None:
        """Open the part of the network that trains in this epoch."""
        self.train_loss.reset()
        parts = self.plan.train.unfreeze
        freeze_before(self.network, parts[min(self.current_epoch, len(parts) - 1)])

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        """Loss of one augmented batch."""
        pixels, targets = batch
        loss = self.criterion(self.network(self.changes(pixels)), targets)
        self.train_loss.update(loss.detach(), len(targets))
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], _: int) -> None:
        """Loss and accuracy of one batch of the validation split."""
        pixels, targets = batch
        logits = self(pixels).float()
        self.val_loss.update(self.criterion(logits, targets), len(targets))
        answers = (logits[:, 0] > 0).long() if logits.shape[1] == 1 else logits
        self.val_accuracy.update(answers, targets)

    def on_validation_epoch_end(self) -> None:
        """Report what early stopping and the best checkpoint watch."""
        self.log("val/loss", self.val_loss.compute())
        self.log("val/accuracy", self.val_accuracy.compute())
        self.val_loss.reset()
        self.val_accuracy.reset()

    def criterion(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Mean loss of logits (N, 1 or C) against class numbers (N,)."""
        weights = cast(Tensor, self.class_weights)
        smoothing = self.plan.train.label_smoothing
        if logits.shape[1] == 1:
            wanted = targets.float() * (1 - smoothing) + smoothing / 2
            each = F.binary_cross_entropy_with_logits(logits[:, 0], wanted, reduction="none")
            return (each * weights[targets]).sum() / weights[targets].sum()
        return F.cross_entropy(logits, targets, weight=weights, label_smoothing=smoothing)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Head and backbone with learning rates of their own; the schedule moves every step."""
        s = self.plan.train
        groups = [
            {"params": list(self.network.backbone.parameters()), "lr": s.lr * s.backbone_lr},
            {"params": list(self.network.head.parameters()), "lr": s.lr},
        ]
        optimizer = _optimizer(s.optimizer, groups, s.weight_decay)
        if s.schedule == "constant":
            return optimizer
        if s.schedule == "plateau":
            mode: Any = "min" if s.monitor == "val/loss" else "max"
            plateau = lr_scheduler.ReduceLROnPlateau(optimizer, mode, factor=0.2, patience=0)
            watched = {"scheduler": plateau, "monitor": s.monitor}
            return cast(OptimizerLRScheduler, {"optimizer": optimizer, "lr_scheduler": watched})
        stepped = {"scheduler": self._stepped(optimizer), "interval": "step"}
        return cast(OptimizerLRScheduler, {"optimizer": optimizer, "lr_scheduler": stepped})

    def _stepped(self, optimizer: torch.optim.Optimizer) -> lr_scheduler.LRScheduler:
        if self.plan.train.schedule == "cosine":
            return lr_scheduler.CosineAnnealingLR(optimizer, self.steps)
        rates = [group["lr"] for group in optimizer.param_groups]
        return lr_scheduler.OneCycleLR(optimizer, rates, total_steps=self.steps)


def _optimizer(name: str, groups: list[dict[str, Any]], decay: float) -> torch.optim.Optimizer:
    if name == "adam":
        return torch.optim.Adam(groups, weight_decay=decay)
    if name == "sgd":
        return torch.optim.SGD(groups, momentum=0.9, nesterov=True, weight_decay=decay)
    return torch.optim.AdamW(groups, weight_decay=decay)


def head_outputs(loss: str, classes: int) -> int:
    """Logits that the network gives: one for BCE, else one per class."""
    return 1 if loss == "bce" else classes
