"""Losses per image, from logits and soft targets, so that blended images need no case of their own."""

from typing import cast

from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.ops import sigmoid_focal_loss

from roadworthy.params import TaskPlan, Train


class Criterion(nn.Module):
    """The loss that a plan names.

    Args:
        weights: float (C,), how much an image of each class counts; mean 1 over the images, so that
            the size of the gradient does not depend on the rule.
    """

    def __init__(self, settings: Train, weights: Tensor) -> None:
        super().__init__()
        self.settings = settings
        self.register_buffer("weights", weights, persistent=False)

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Loss of each image, float (N,), from logits (N, 1 or C) and shares of classes (N, C)."""
        logits, weights = logits.float(), cast(Tensor, self.weights)
        gamma = self.settings.focal_gamma if self.settings.loss == "focal" else 0.0
        smoothed = _smoothed(targets, self.settings.label_smoothing)
        if logits.shape[1] == 1:
            each = sigmoid_focal_loss(logits[:, 0], smoothed[:, 1], alpha=-1, gamma=gamma)
            return cast(Tensor, each) * (targets @ weights)
        logs = F.log_softmax(logits, 1)
        return -((1 - logs.exp()) ** gamma * logs.clamp(min=-1e4) * smoothed * weights).sum(1)


def one_hot(targets: Tensor, classes: int) -> Tensor:
    """Shares of classes, float (N, C), from class numbers (N,)."""
    return F.one_hot(targets, classes).float()


def outputs(plan: TaskPlan, classes: int) -> int:
    """Logits that the network gives: one for a binary task with BCE or focal loss, else one per class."""
    one = plan.loss == "bce" or (plan.loss == "focal" and plan.kind == "binary")
    return 1 if one else classes


def _smoothed(targets: Tensor, smoothing: float) -> Tensor:
    """Label smoothing (Szegedy et al. 2016): a share is spread evenly over all classes."""
    return targets * (1 - smoothing) + smoothing / targets.shape[1] if smoothing else targets
