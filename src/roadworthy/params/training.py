"""The sections of `params.yaml` that make a model: network, augmentation, training, search."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from roadworthy.params.sections import Count, Positive, Rate, Section, Share

Auto = Literal["auto"]


class Backbone(Section):
    """The part of the network that makes features."""

    name: str = "resnet50"
    """Any torchvision classifier, or `patch_cnn`."""
    weights: str | None = "pretrain"
    """`pretrain` (made by that stage), a torchvision name such as IMAGENET1K_V2, a file, or null."""


class Head(Section):
    """The part of the network that makes logits of features."""

    hidden: tuple[Positive, ...] = ()
    """Widths of hidden layers (linear, BatchNorm, ReLU, dropout), none is linear.
    `[2048, 1024]` on ResNet-50 is 2048-2048-1024-C."""
    dropout: Share = 0.0
    """Share of features that are dropped in training, after each hidden layer or before a linear head."""


class Augment(Section):
    """Random changes to training images, one draw per image; 0 or false switches one off."""

    crop: Literal["centre", "random", "resized"] = "centre"
    """What of the cached image is seen: its centre, a part anywhere, or one of any size and aspect."""
    crop_scale: tuple[Share, Share] = (0.35, 1.0)
    """Share of the image's area that a `resized` crop takes."""
    crop_ratio: tuple[Rate, Rate] = (0.75, 1.3333)
    """Width over height of a `resized` crop."""
    flip: Share = 0.5
    """Chance of a mirror image."""
    rotate: Annotated[float, Field(ge=0, le=180)] = 8.0
    """Largest angle in degrees."""
    scale: tuple[Rate, Rate] = (0.85, 1.15)
    """Range of the zoom."""
    translate: Share = 0.06
    """Largest shift as a share of the side."""
    brightness: Share = 0.2
    contrast: Share = 0.2
    saturation: Share = 0.2
    policy: Literal["colour", "trivial", "rand"] = "colour"
    """The three colour settings above, or instead of them TrivialAugmentWide or RandAugment."""
    rand_ops: Positive = 2
    """Operations that RandAugment applies to an image."""
    rand_magnitude: Annotated[int, Field(ge=0, le=30)] = 9
    """How strongly, from 0 to 30."""
    erase: Share = 0.0
    """Chance that a random rectangle is blanked."""
    mixup: Annotated[float, Field(ge=0)] = 0.0
    """Alpha of the Beta distribution by which two images are blended; 0 is off."""
    cutmix: Annotated[float, Field(ge=0)] = 0.0
    """Alpha by which a rectangle comes from another image; with mixup on as well, half get each."""


class Pretrain(Section):
    """The backbone of this project's own, where ImageNet weights cannot be had."""

    tasks: tuple[str, ...] = ()
    """Whose images it learns from."""
    epochs: Positive = 4
    batch_size: Positive = 32
    lr: Rate = 0.002
    weight_decay: Annotated[float, Field(ge=0)] = 0.05
    deterministic: bool = False
    """As `train.deterministic`."""


class Train(Section):
    """Fine-tuning."""

    epochs: Positive = 3
    batch_size: Positive | Auto = 32
    """Images at a time; `auto` measures what fits and is fastest."""
    accumulate: Positive = 1
    """Batches per optimizer step."""
    optimizer: Literal["adam", "adamw", "sgd"] = "adamw"
    """`sgd` has Nesterov momentum of 0.9."""
    lr: Rate | Auto = 0.001
    """Learning rate of the head; `auto` runs a range test first."""
    backbone_lr: Share = 0.1
    """Learning rate of the backbone's last stage as a share of the head's."""
    depth_decay: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Each earlier stage of the backbone learns at this share of the next one's rate."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    schedule: Literal["constant", "plateau", "onecycle", "cosine"] = "onecycle"
    """How the learning rate moves; `plateau` divides it by 5 when `monitor` stands still."""
    warmup: Share = 0.0
    """Share of all steps in which the rate rises to its full value (cosine and constant)."""
    loss: Literal["auto", "bce", "cross_entropy", "focal"] = "auto"
    """`auto`: one logit and BCE for a binary task, cross-entropy otherwise."""
    focal_gamma: Annotated[float, Field(ge=0)] = 2.0
    """How little the focal loss cares for what is already right."""
    label_smoothing: Share = 0.0
    class_weights: Literal["none", "balanced", "sqrt"] | dict[str, Rate] = "none"
    """Weight of a class in the loss: by its rarity, by the root of that, or named."""
    sampler: Literal["shuffle", "balanced"] = "shuffle"
    """`balanced` draws each class equally often, with repetition."""
    unfreeze: tuple[str, ...] = ("all",)
    """What trains from epoch 0, 1, 2 ...: `head`, a layer of the backbone (with all after it), `all`."""
    unfreeze_lr: tuple[Rate, ...] = ()
    """Factor on the learning rate in epoch 0, 1, 2 ...; the last one stays."""
    cache_features: bool = False
    """While only the head trains, compute each image's features once (without random changes)."""
    resize: tuple[Annotated[float, Field(gt=0, le=1)], ...] = (1.0,)
    """Share of the input's size in epoch 0, 1, 2 ...; the last one stays."""
    ema: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Decay of the moving average of the weights, which is validated and kept; 0 is off."""
    clip_norm: Annotated[float, Field(ge=0)] = 1.0
    """Longest gradient; 0 does not clip."""
    monitor: Literal["val/loss", "val/accuracy"] = "val/loss"
    """What early stopping, `plateau` and the best checkpoint watch."""
    patience: Count = 0
    """Epochs without improvement before training stops; 0 is never."""
    divergence: Literal["stop", "rollback"] = "stop"
    """A loss that is not a number or explodes ends training, or goes back to the last checkpoint with
    half the learning rate."""
    checkpoint_seconds: Count = 60
    """Time between two checkpoints; 0 writes one after each step."""
    deterministic: bool = False
    """The same bits again on the same kind of processor: no probing, no non-deterministic kernels."""
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    """`auto` measures whether bf16 is faster."""
    threads: Positive | Auto = "auto"
    """CPU threads; `auto` measures which number is fastest beside whatever else runs."""
    compile: bool = False
    """torch.compile; minutes of warm-up, worth it on a GPU only."""
    device_cache: Literal["auto", "on", "off"] = "auto"
    """Keep all images on the device; `auto` does so on a GPU that has room."""
    workers: Count = 0
    """Processes that read batches; 0 reads in this one, enough for memory-mapped shards."""
    processes: Positive = 1
    """Processes that train together (one per GPU), by `torchrun`."""

    @model_validator(mode="after")
    def _one_rate_per_stage(self) -> Self:
        if len(self.unfreeze_lr) > 1 and len(self.unfreeze) not in (1, len(self.unfreeze_lr)):
            raise ValueError("train.unfreeze_lr needs one value for each entry of train.unfreeze")
        return self


class Tune(Section):
    """The search for better settings."""

    trials: Positive = 20
    """In all, those of an earlier search counted in."""
    jobs: Positive = 1
    """Processes that search at once."""
    metric: Literal["val/loss", "val/accuracy"] = "val/loss"
    prune: bool = True
    """Stop a trial that is worse than the median of the earlier ones at the same epoch."""
    space: dict[str, Any] = {
        "train.lr": {"low": 1e-4, "high": 1e-2, "log": True},
        "train.weight_decay": {"low": 1e-4, "high": 0.3, "log": True},
        "train.backbone_lr": {"low": 0.05, "high": 1.0, "log": True},
    }
    """Setting to what is tried: a list of choices, or `{low, high}` with `log` and `step` as needed."""
