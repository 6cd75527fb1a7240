"""One backbone from several tasks at once, each with its own part of one joint head."""

from typing import cast

import lightning as L
import numpy as np
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor
from torch.nn import functional as F
from torch.optim import AdamW, lr_scheduler
from torch.utils.data import DataLoader, Dataset
from torchmetrics import MeanMetric
from torchmetrics.classification import MulticlassAccuracy

from roadworthy.data.cache import Cache
from roadworthy.models.build import Network
from roadworthy.params import Augment, Pretrain
from roadworthy.training.augmentation import Normalise, RandomChanges
from roadworthy.training.data import Batch, Shuffled, loader


class Joint(Dataset[Batch]):
    """Rows of several caches, with the class numbers of each task after those of the one before."""

    def __init__(self, caches: list[Cache], split: str) -> None:
        places = [cache.places(split) for cache in caches]
        self.caches = caches
        self.task = np.repeat(np.arange(len(caches)), [len(p) for p in places])
        self.place = np.concatenate(places)
        self.offset = np.cumsum([0, *(len(cache.labels) for cache in caches)])

    def __len__(self) -> int:
        return len(self.place)

    def __getitem__(self, index: list[int]) -> Batch:
        task, place = self.task[index], self.place[index]
        size = self.caches[0].shards[0].shape[1:]
        pixels = np.empty((len(task), *size), np.uint8)
        targets = np.empty(len(task), np.int64)
        for number, cache in enumerate(self.caches):
            mine = task == number
            pixels[mine] = cache.pixels(place[mine])
            targets[mine] = cache.targets(place[mine]) + self.offset[number]
        return torch.from_numpy(pixels), torch.from_numpy(targets)


class JointClassifier(L.LightningModule):
    """Cross-entropy among the classes of an image's own task: other tasks' logits do not compete."""

    def __init__(
        self,
        network: Network,
        caches: list[Cache],
        settings: Pretrain,
        augment: Augment,
        steps: int,
    ) -> None:
        super().__init__()
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.settings, self.steps = settings, steps
        spec = caches[0].input
        self.changes, self.plain = RandomChanges(spec, augment), Normalise(spec)
        task_of = np.repeat(np.arange(len(caches)), [len(cache.labels) for cache in caches])
        rival = torch.from_numpy(task_of[:, None] == task_of[None, :])
        self.register_buffer("rival", rival, persistent=False)
        self.train_loss, self.val_loss = MeanMetric(), MeanMetric()
        self.val_accuracy = MulticlassAccuracy(len(task_of), average="micro")

    def on_train_epoch_start(self) -> None:
        """Begin a new mean; `History` reads it when the epoch ends."""
        self.train_loss.reset()

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """Loss of one augmented batch."""
        pixels, targets = batch
        loss = F.cross_entropy(self._masked(self.changes(pixels), targets), targets)
        self.train_loss.update(loss.detach(), len(targets))
        return loss

    def validation_step(self, batch: Batch, _: int) -> None:
        """Loss and accuracy within each image's own task."""
        pixels, targets = batch
        logits = self._masked(self.plain(pixels), targets)
        self.val_loss.update(F.cross_entropy(logits, targets), len(targets))
        self.val_accuracy.update(logits, targets)

    def on_validation_epoch_end(self) -> None:
        """Report what the best checkpoint watches."""
        self.log("val/loss", self.val_loss.compute())
        self.log("val/accuracy", self.val_accuracy.compute())
        self.val_loss.reset()
        self.val_accuracy.reset()

    def _masked(self, images: Tensor, targets: Tensor) -> Tensor:
        logits: Tensor = self.network(images).float()
        rival = cast(Tensor, self.rival)[targets]
        return logits.masked_fill(~rival, float("-inf"))

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """AdamW under OneCycle, the best pair measured from scratch."""
        s = self.settings
        optimizer = AdamW(self.parameters(), s.lr, weight_decay=s.weight_decay)
        cycle = lr_scheduler.OneCycleLR(optimizer, s.lr, total_steps=self.steps)
        stepped = {"scheduler": cycle, "interval": "step"}
        return cast(OptimizerLRScheduler, {"optimizer": optimizer, "lr_scheduler": stepped})


def batches(caches: list[Cache], split: str, batch_size: int, seed: int) -> DataLoader[Batch]:
    """Shuffled batches in which the tasks are mixed."""
    rows = Joint(caches, split)
    return loader(rows, Shuffled(len(rows), batch_size, seed))
