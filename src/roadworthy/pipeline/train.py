"""train: fine-tune the network of one task."""

import hashlib
import json
import logging
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from roadworthy.data import cached
from roadworthy.data.cached import Cache
from roadworthy.errors import ParamsError
from roadworthy.layout import CHECKPOINTS, PRETRAIN, folder, needed, replacing, write_json
from roadworthy.models import catalogue
from roadworthy.models.build import Network, build
from roadworthy.models.weights import load_backbone
from roadworthy.params import TaskPlan, Train
from roadworthy.pipeline import pretrain
from roadworthy.tracking import lineage
from roadworthy.tracking.runs import RunLog
from roadworthy.training.balance import class_weights
from roadworthy.training.callbacks import EpochReport
from roadworthy.training.checkpoints import write
from roadworthy.training.criterion import outputs
from roadworthy.training.data import Batches
from roadworthy.training.fit import fit
from roadworthy.training.history import read_history, write_history
from roadworthy.training.module import Classifier, sides
from roadworthy.training.processes import launch
from roadworthy.training.ranks import rank, world
from roadworthy.training.resolve import choices

MODEL = "model.safetensors"
HISTORY = "history.csv"
META = "train.json"
RUN = "run"
# The sections of a plan that shape what training gives.
SHAPES = {"seed", "kind", "input", "backbone", "head", "augment", "train"}
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Made:
    """What a training made, and from what."""

    weights_sha256: str
    backbone: str | None


@dataclass(frozen=True)
class Trained(Made):
    """The trained network of a task, and what it was trained on."""

    network: Network
    data: Cache


def run(plan: TaskPlan) -> None:
    """Fine-tune, and write the best weights and the history.

    With `train.processes` above 1 it starts so many of itself; the first one logs and writes.

    Raises:
        TrackingError: the tracking server cannot be reached; nothing was begun.
        TrainingError: the loss diverged, or a process failed.
    """
    if plan.train.processes > 1 and world() == 1:
        launch(plan.train.processes, ["train", "--task", plan.name])
        return
    data = cached.load(needed(plan.name, "prepare"))
    network = build(plan.backbone, plan.head, _outputs(plan, data), plan.input, plan.seed)
    backbone = load_backbone(network, plan.backbone, PRETRAIN / pretrain.WEIGHTS, plan.input)
    kept = CHECKPOINTS / f"{plan.name}-{_identity(plan, data, backbone)}"
    if rank() > 0:
        fitted(plan, data, network, kept, lambda epoch, row: None)
        return
    with _record(plan, data, kept, backbone) as run:
        earlier = kept / HISTORY
        run.replay(read_history(earlier) if earlier.is_file() else ())
        history = fitted(plan, data, network, kept, lambda epoch, row: run.metrics(row, epoch))
        # What a server that was away has missed.
        run.replay(history)
        with replacing(folder(plan.name, "train")) as out:
            state = {name: value.contiguous() for name, value in network.state_dict().items()}
            save_file(state, out / MODEL)
            write_history(out / HISTORY, history)
            write_json(out / META, {"backbone": backbone})
        run.trained(_sha256(folder(plan.name, "train") / MODEL))
    shutil.rmtree(kept)


def load(plan: TaskPlan) -> Trained:
    """The network as `train` left it."""
    stage = needed(plan.name, "train")
    data = cached.load(needed(plan.name, "prepare"))
    network = build(plan.backbone, plan.head, _outputs(plan, data), plan.input)
    network.load_state_dict(load_file(stage / MODEL))
    known = made(plan)
    return Trained(known.weights_sha256, known.backbone, network.eval(), data)


def made(plan: TaskPlan) -> Made:
    """What `train` left behind, without loading it."""
    stage = needed(plan.name, "train")
    meta = json.loads((stage / META).read_text(encoding="utf-8"))
    return Made(_sha256(stage / MODEL), meta["backbone"])


def _record(plan: TaskPlan, data: Cache, kept: Path, backbone: str | None) -> RunLog:
    """The training's run: the same one where it is taken up again."""
    known = kept / RUN
    run = RunLog.start(
        plan.name,
        params=plan.as_dict(),
        lineage=lineage.collect(lineage.params_hash(plan), backbone),
        rows=data.rows,
        resume=known.read_text(encoding="utf-8") if known.is_file() else None,
    )
    write(known, lambda path: path.write_text(run.run_id, encoding="utf-8"))
    return run


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def fitted(
    plan: TaskPlan,
    data: Cache,
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


def _outputs(plan: TaskPlan, data: Cache) -> int:
    return outputs(plan, len(data.labels))


def _identity(plan: TaskPlan, data: Cache, backbone: str | None) -> str:
    """Names the checkpoints of one training: same plan, same images, same start."""
    settings = plan.model_dump(mode="json", include=SHAPES)
    # These change how fast a training is, or how often it is saved, not what it gives.
    for name in ("workers", "processes", "checkpoint_seconds", "device_cache"):
        settings["train"].pop(name)
    parts = [settings, data.digest, backbone]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
