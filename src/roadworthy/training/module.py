"""What Lightning trains: a network, its criterion, its optimizer, and what is frozen when."""

import math
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar, cast

import lightning as L
import numpy as np
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor
from torch.optim import Optimizer, lr_scheduler
from torchmetrics import MeanMetric
from torchmetrics.classification import MulticlassAccuracy

from roadworthy.models.build import Network
from roadworthy.models.freezing import freeze_before
from roadworthy.models.stages import parameter_groups
from roadworthy.params import Augment, Input, Train
from roadworthy.progress import Report
from roadworthy.training.augmentation import Mixer, Normalise, RandomChanges
from roadworthy.training.criterion import Criterion, one_hot
from roadworthy.training.data import Batch, Batches
from roadworthy.training.machine import is_out_of_memory
from roadworthy.training.optimising import optimizer, schedule
from roadworthy.training.ranks import rank, world
from roadworthy.training.watch import LossWatch

T = TypeVar("T")
# Input sides are kept to multiples of this when they are scaled: most backbones halve them 4 times.
SIDE = 16
# BatchNorm has nothing to measure in a single image.
LEAST = 2
# Weights of a head up to which a step on features is too little work to share among threads.
SMALL = 1_000_000


class Recipe(Protocol):
    """What of a `TaskPlan` shapes training."""

    @property
    def seed(self) -> int:
        """Of every draw."""

    @property
    def input(self) -> Input:
        """What the network sees."""

    @property
    def augment(self) -> Augment:
        """Random changes."""

    @property
    def train(self) -> Train:
        """How long and how."""


class Classifier(L.LightningModule):
    """Fine-tunes a network on one task.

    One batch is one optimizer step, which the module takes in micro-batches: so an accumulated step
    is one step for every schedule, and a step that does not fit is taken again in smaller parts.

    Args:
        network: gives one logit (binary) or one per class.
        plan: a `TaskPlan`; `train.batch_size` and `train.lr` must be numbers by now.
        class_weights: float (C,), the weight of each class in the loss.
        steps: optimizer steps of the whole training.
    """

    def __init__(self, network: Network, plan: Recipe, class_weights: Tensor, steps: int) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if plan.train.compile:
            # In place: names of weights stay as they are.
            self.network.compile()
        self.plan, self.steps, self.classes = plan, steps, len(class_weights)
        assert plan.train.batch_size != "auto"
        self.micro_batch: int = plan.train.batch_size
        self.rate = 1.0
        """Factor on every learning rate; halved by a rollback."""
        self.changes = RandomChanges(plan.input, plan.augment)
        self.plain, self.mixer = Normalise(plan.input), Mixer(plan.augment)
        self.criterion = Criterion(plan.train, class_weights)
        self.watch = LossWatch()
        # NaN is the watch's business; these checks would wait for the device at each step.
        self.train_loss = MeanMetric(nan_strategy="disable")
        self.train_loss.persistent(True)
        self.val_loss = MeanMetric(nan_strategy="disable")
        self.val_accuracy = MulticlassAccuracy(self.classes, average="micro", validate_args=False)
        self._features: Tensor | None = None
        self._size: tuple[int, int] | None = None
        self._threads = torch.get_num_threads()
        self.progress: Report = _silent
        """Told how far the features are."""

    def forward(self, pixels: Tensor) -> Tensor:
        """Logits of cached uint8 pixels (N, H, W, C), as evaluation sees them."""
        return cast(Tensor, self.network(self.plain(pixels)))

    def on_train_start(self) -> None:
        """A training that goes on inside an epoch gets no start of that epoch."""
        if world() > 1 and rank() > 0:
            # What the checkpoint has is the sum over all processes; the first one goes on with it.
            self.train_loss.reset()
        self._enter(self.current_epoch)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the size of the parts, and of several processes the sum of their losses."""
        checkpoint["micro_batch"] = self.micro_batch
        if world() > 1:
            key = "current_model_state" if "current_model_state" in checkpoint else "state_dict"
            for name in ("mean_value", "weight"):
                value = getattr(self.train_loss, name).clone()
                torch.distributed.all_reduce(value)
                checkpoint[key][f"train_loss.{name}"] = value

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take the size of the parts."""
        self.micro_batch = checkpoint["micro_batch"]

    def on_train_epoch_start(self) -> None:
        """Open the part of the network that trains in this epoch."""
        self.train_loss.reset()
        self._enter(self.current_epoch)

    def training_step(self, batch: Batch, index: int) -> Tensor:
        """One optimizer step; returns the mean loss of this process's images."""
        step = cast(Optimizer, self.optimizers())
        loss = self._backward(batch, index, step)
        self.watch.update(loss)
        # One value per image: torchmetrics 1.9 forgets weights where NaN is not looked for.
        self.train_loss.update(loss.expand(len(batch.targets)))
        if self.plan.train.clip_norm:
            # Lightning's own refuses fused optimizers, for the sake of fp16, which is not used here.
            parameters = [p for group in step.param_groups for p in group["params"]]
            torch.nn.utils.clip_grad_norm_(parameters, self.plan.train.clip_norm)
        self._step(step)
        step.zero_grad()
        return loss

    def on_train_epoch_end(self) -> None:
        """Let `plateau` see the metric that it watches."""
        moved = self.lr_schedulers()
        if isinstance(moved, lr_scheduler.ReduceLROnPlateau):
            moved.step(float(self.trainer.callback_metrics[self.plan.train.monitor]))

    def on_validation_epoch_start(self) -> None:
        """All processes validate with the first one's BatchNorm statistics, which are those that are kept."""
        for buffer in self.network.buffers() if world() > 1 else ():
            torch.distributed.broadcast(buffer, 0)

    def validation_step(self, batch: Batch, _: int) -> None:
        """Loss and accuracy of one batch of the validation split."""
        targets = batch.targets
        logits = self.among(self.logits(batch).float(), targets)
        self.val_loss.update(self.criterion(logits, one_hot(targets, self.classes)))
        answers = (logits[:, 0] > 0).long() if logits.shape[1] == 1 else logits
        self.val_accuracy.update(answers, targets)

    def on_validation_epoch_end(self) -> None:
        """Report what early stopping and the best checkpoint watch."""
        # The same in all processes already; Lightning cannot know.
        self.log("val/loss", self.val_loss.compute(), sync_dist=True)
        self.log("val/accuracy", self.val_accuracy.compute(), sync_dist=True)
        self.val_loss.reset()
        self.val_accuracy.reset()

    def logits(self, batch: Batch) -> Tensor:
        """Logits of a batch as evaluation sees it."""
        if self._features is not None:
            return cast(Tensor, self.network.head(self._features[batch.places]))
        return cast(Tensor, self(batch.pixels))

    def among(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Logits (N, C) of the classes that an image of class `targets` (N,) is to be told from."""
        return logits

    def losses(self, batch: Batch) -> Tensor:
        """Loss of each image, with random changes, float (N,)."""
        targets = one_hot(batch.targets, self.classes)
        if self._features is not None:
            return cast(Tensor, self.criterion(self.logits(batch), targets))
        images, targets = self.mixer(self.changes(batch.pixels, self._size), targets)
        logits = self.among(self.network(images).float(), batch.targets)
        losses = self.criterion(logits, targets)
        for other in self.network.auxiliary:
            logits = self.among(other.float(), batch.targets)
            losses = losses + self.network.auxiliary_weight * self.criterion(logits, targets)
        return cast(Tensor, losses)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Head and stages of the backbone with rates of their own; the schedule moves every step."""
        s = self.plan.train
        assert s.lr != "auto"
        groups = parameter_groups(self.network, s.lr, s.backbone_lr, s.depth_decay, s.weight_decay)
        made = optimizer(s, groups)
        moved = schedule(s, made, self.steps)
        return cast(OptimizerLRScheduler, {"optimizer": made, "lr_scheduler": {"scheduler": moved}})

    def _backward(self, batch: Batch, index: int, step: Optimizer) -> Tensor:
        """Gradients of the whole step, in micro-batches; halves them when memory runs out."""
        while True:
            try:
                return self._accumulated(batch, index)
            except RuntimeError as error:
                # Several processes would wait for each other for ever if one began anew.
                size = min(self.micro_batch, len(batch.targets))
                if not is_out_of_memory(error) or size // 2 < LEAST or world() > 1:
                    raise
            # Only now: while the error is at hand, its traceback holds the tensors.
            self.micro_batch = -(-size // 2)
            self.network.auxiliary = []
            step.zero_grad()
            torch.cuda.empty_cache()
            self.print(f"out of memory: going on with {self.micro_batch} images at a time")

    def _accumulated(self, batch: Batch, index: int) -> Tensor:
        # The same number in all processes, however their parts differ by an image.
        count = math.ceil(math.ceil(batch.total / world()) / self.micro_batch)
        total = torch.zeros((), device=self.device)
        for number, part in enumerate(parts(batch, count)):
            # What is drawn follows from these numbers alone: a resumed training draws it again, and
            # two processes draw what one would.
            self._draw(index, rank() * count + number)
            loss = self.losses(part).sum()
            with self._syncing(last=number == count - 1):
                # DDP takes the mean over processes; the mean over images is what is wanted.
                self.manual_backward(loss * (world() / batch.total))
            total += loss.detach()
        return total / len(batch.targets)

    def _syncing(self, last: bool) -> Any:
        strategy: Any = self.trainer.strategy
        together = world() > 1 and not last
        return strategy.block_backward_sync() if together else torch.enable_grad()

    def _draw(self, index: int, part: int) -> None:
        numbers = [self.plan.seed, self.current_epoch, index, part]
        seed = int(np.random.SeedSequence(numbers).generate_state(1)[0])
        # Not torch.manual_seed: without a GPU it takes forty times as long, for a message to nobody.
        torch.default_generator.manual_seed(seed)
        if self.device.type == "cuda":
            torch.cuda.manual_seed(seed)

    def factor(self, epoch: int) -> float:
        """What the scheduled rates are multiplied by in an epoch."""
        return self.rate * _at(self.plan.train.unfreeze_lr or (1.0,), epoch)

    def _step(self, step: Optimizer) -> None:
        factor = self.factor(self.current_epoch)
        rates = [group["lr"] for group in step.param_groups]
        for group in step.param_groups:
            group["lr"] *= factor
        step.step()
        # The schedule goes on from its own rates.
        for group, rate in zip(step.param_groups, rates, strict=True):
            group["lr"] = rate
        moved = self.lr_schedulers()
        if not isinstance(moved, lr_scheduler.ReduceLROnPlateau):
            cast(lr_scheduler.LRScheduler, moved).step()

    def _enter(self, epoch: int) -> None:
        """What trains in this epoch, on what size, and whether features are at hand."""
        s, spec = self.plan.train, self.plan.input
        part = _at(s.unfreeze, epoch)
        freeze_before(self.network, part)
        self._size = sides(spec, _at(s.resize, epoch))
        cached = s.cache_features and part == "head"
        data = cast(Batches, self.trainer.datamodule)  # type: ignore[attr-defined]
        data.features_only(cached)
        if not cached:
            self._features = None
        elif self._features is None:
            self._features = self._computed(data)
        small = sum(weights.numel() for weights in self.network.head.parameters()) <= SMALL
        torch.set_num_threads(1 if cached and small else self._threads)

    def on_train_end(self) -> None:
        """Give the threads back."""
        torch.set_num_threads(self._threads)

    @torch.no_grad()
    def _computed(self, data: Batches) -> Tensor:
        """Features of all training and validation images, float (rows of the source, width)."""
        self.network.eval()
        found: Tensor | None = None
        done, total = 0, sum(len(data.source.places(split)) for split in ("train", "val"))
        data.features_only(False)
        for split in ("train", "val"):
            for batch in data.ordered(split, whole=True):
                moved = data.transfer_batch_to_device(batch, self.device, 0)
                moved = data.on_after_batch_transfer(moved, 0)
                with self.trainer.precision_plugin.forward_context():
                    features = self.network.backbone(self.plain(moved.pixels)).float()
                if found is None:
                    found = features.new_zeros(len(data.source), features.shape[1])
                found[moved.places] = features
                done += len(features)
                self.progress(done, total, "features of the frozen backbone")
        data.features_only(True)
        freeze_before(self.network, "head")
        assert found is not None
        return found


def _silent(done: int, total: int, note: str | Callable[[], str] = "") -> None:
    """Where nobody watches."""


def parts(batch: Batch, count: int) -> list[Batch]:
    """The batch in `count` nearly equal parts."""
    targets = batch.targets.tensor_split(count)
    places = batch.places.tensor_split(count)
    pixels: Sequence[Tensor] = [batch.pixels] * count
    if batch.pixels.ndim > 1:
        pixels = batch.pixels.tensor_split(count)
    return [Batch(*part, batch.total) for part in zip(pixels, targets, places, strict=True)]


def _at(values: Sequence[T], epoch: int) -> T:
    """The value of an epoch; the last one stays."""
    return values[min(epoch, len(values) - 1)]


def sides(spec: Input, share: float) -> tuple[int, int] | None:
    """Height and width of the input when it is shrunk to a share; None for all of it."""
    if share == 1:
        return None
    height, width = (
        max(SIDE, round(side * share / SIDE) * SIDE) for side in (spec.height, spec.width)
    )
    return height, width
