"""train: fine-tune the network of one task."""

import hashlib
import json
import math
import shutil
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from roadworthy.data import cache
from roadworthy.data.cache import Cache
from roadworthy.layout import CHECKPOINTS, PRETRAIN, folder, needed, replacing, write_json
from roadworthy.models.build import Network, build
from roadworthy.models.weights import load_backbone
from roadworthy.params import TaskPlan
from roadworthy.pipeline import pretrain
from roadworthy.tracking import lineage
from roadworthy.tracking.runs import RunLog
from roadworthy.training.balance import class_weights
from roadworthy.training.callbacks import EpochReport, write_history
from roadworthy.training.data import ordered_batches, train_batches
from roadworthy.training.fit import Schedule, fit
from roadworthy.training.module import Classifier, head_outputs

MODEL = "model.safetensors"
HISTORY = "history.csv"
META = "train.json"


@dataclass(frozen=True)
class Trained:
    """The trained network of a task, and what it was trained on."""

    network: Network
    data: Cache
    weights_sha256: str
    backbone: str | None


def run(plan: TaskPlan) -> None:
    """Fine-tune, and write the best weights and the history.

    Raises:
        TrackingError: the tracking server cannot be reached; nothing was begun.
    """
    data = cache.load(needed(plan.name, "prepare"))
    network = build(plan.backbone, plan.head, _outputs(plan, data), plan.input, plan.seed)
    backbone = load_backbone(network, plan.backbone, PRETRAIN / pretrain.WEIGHTS)
    kept = CHECKPOINTS / f"{plan.name}-{_identity(plan, data, backbone)}"
    origin = lineage.collect(lineage.params_hash(plan), backbone)
    record = RunLog.start(plan.name, params=plan.as_dict(), lineage=origin, rows=data.rows)
    with record as run:
        history = _fit(plan, data, network, kept, lambda epoch, row: run.metrics(row, epoch))
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
    data = cache.load(needed(plan.name, "prepare"))
    network = build(plan.backbone, plan.head, _outputs(plan, data), plan.input)
    network.load_state_dict(load_file(stage / MODEL))
    meta = json.loads((stage / META).read_text(encoding="utf-8"))
    return Trained(network.eval(), data, _sha256(stage / MODEL), meta["backbone"])


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _fit(
    plan: TaskPlan, data: Cache, network: Network, kept: Path, report: EpochReport
) -> list[dict[str, float]]:
    s = plan.train
    train = train_batches(data, s.batch_size, plan.seed)
    counts = torch.bincount(torch.from_numpy(data.targets(data.places("train"))))
    module = Classifier(
        network,
        plan,
        class_weights(counts, s.class_weights),
        len(data.labels),
        # Lightning steps once per `accumulate` batches, and once more for a rest.
        steps=math.ceil(len(train) / s.accumulate) * s.epochs,
    )
    schedule = Schedule(
        title=f"train {plan.name}",
        epochs=s.epochs,
        seed=plan.seed,
        monitor=s.monitor,
        patience=s.patience,
        accumulate=s.accumulate,
        clip_norm=s.clip_norm,
        precision=s.precision,
        threads=s.threads,
    )
    return fit(module, train, ordered_batches(data, "val"), schedule, kept, report)


def _outputs(plan: TaskPlan, data: Cache) -> int:
    return head_outputs(plan.loss, len(data.labels))


def _identity(plan: TaskPlan, data: Cache, backbone: str | None) -> str:
    """Names the checkpoints of one training: same plan, same images, same start."""
    parts = [plan.model_dump(mode="json"), data.digest, backbone]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
