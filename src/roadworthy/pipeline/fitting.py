"""One training of a task's network, as `train` and `scenes` run it."""

import hashlib
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from roadworthy.data.cached import Cache
from roadworthy.data.extended import Extended
from roadworthy.errors import ParamsError
from roadworthy.layout import PRETRAIN
from roadworthy.models import catalogue
from roadworthy.models.build import Network, build
from roadworthy.models.weights import load_backbone
from roadworthy.params import TaskPlan, Train
from roadworthy.pipeline.pretrain import WEIGHTS
from roadworthy.training.balance import class_weights
from roadworthy.training.callbacks import EpochReport
from roadworthy.training.criterion import outputs
from roadworthy.training.data import Batches
from roadworthy.training.fit import fit
from roadworthy.training.module import Classifier, sides
from roadworthy.training.resolve import choices

# The sections of a plan that shape what training gives.
SHAPES = {"seed", "kind", "input", "backbone", "head", "augment", "train"}
log = logging.getLogger(__name__)


def begin(plan: TaskPlan, labels: Sequence[str]) -> tuple[Network, str | None]:
    """The network that training begins with, and what its backbone came from (`load_backbone`).

    Raises:
        ParamsError: the backbone is not known.
        TrainingError: its weights cannot be had.
    """
    network = build(plan.backbone, plan.head, outputs(plan, len(labels)), plan.input, plan.seed)
    return network, load_backbone(network, plan.backbone, PRETRAIN / WEIGHTS, plan.input)


def identity(plan: TaskPlan, images: str, backbone: str | None) -> str:
    """Names the checkpoints of one training: same plan, same images (a digest), same start."""
    settings = plan.model_dump(mode="json", include=SHAPES)
    # These change how fast a training is, or how often it is saved, not what it gives.
    for name in ("workers", "processes", "checkpoint_seconds", "device_cache"):
        settings["train"].pop(name)
    parts = [settings, images, backbone]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def fitted(
    plan: TaskPlan,
    data: Cache | Extended,
    network: Network,
    kept: Path,
    report: EpochReport,
    title: str = "train",
) -> list[dict[str, Any]]:
    """Train `network` on a task's images; its weights are the best epoch's when this returns.

    Args:
        kept: folder of the checkpoints, see `fit`.
        report: called with each epoch and its metrics; what it raises ends training.
        title: of the progress bar, before the task's name.

    Raises:
        ParamsError: the settings do not fit the backbone or the labels.
        TrainingError: see `fit`.
    """
    _check_sizes(plan)
    targets = torch.from_numpy(data.targets(data.places("train")))
    # A class may have no image left to train on.
    counts = torch.bincount(targets, minlength=len(data.labels))
    weights = class_weights(counts, plan.train.class_weights, data.labels)
    if plan.train.sampler == "balanced" and plan.train.class_weights != "none":
        log.warning(
            "%s: rare classes count twice: train.sampler and train.class_weights", plan.name
        )

    def made(settings: Train) -> tuple[Classifier, Batches]:
        batches = Batches(data, settings, plan.seed)
        steps = len(batches.order) * settings.epochs
        resolved = plan.model_copy(update={"train": settings})
        return Classifier(network, resolved, weights, steps), batches

    chosen = choices(plan.train, kept, made)
    module, batches = made(chosen.settings)
    return fit(module, batches, chosen.machine, kept, f"{title} {plan.name}", report)


def _check_sizes(plan: TaskPlan) -> None:
    """That the backbone takes the sizes of progressive resizing."""
    name = plan.backbone.name
    for share in plan.train.resize:
        size = sides(plan.input, share)
        if size and catalogue.has_one_size(name):
            raise ParamsError(f"train.resize: {name} takes images of one size only")
        if size:
            catalogue.check_size(name, *size)
