"""train: fine-tune the network of one task."""

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from roadworthy.data import cached
from roadworthy.data.cached import Cache
from roadworthy.detection.convert import Branch
from roadworthy.detection.refine import fit_branch
from roadworthy.errors import StaleError
from roadworthy.layout import CHECKPOINTS, folder, needed, replacing, write_json
from roadworthy.models.build import Network, build
from roadworthy.params import TaskPlan
from roadworthy.pipeline import scenes
from roadworthy.pipeline.fitting import begin, fitted, identity
from roadworthy.tracking import lineage
from roadworthy.tracking.runs import RunLog
from roadworthy.training.checkpoints import write
from roadworthy.training.criterion import outputs
from roadworthy.training.history import read_history, write_history
from roadworthy.training.processes import launch
from roadworthy.training.ranks import rank, world

MODEL = "model.safetensors"
HISTORY = "history.csv"
META = "train.json"
RUN = "run"
BRANCH = "boxes"


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
    branch: Branch | None = None
    """Where in its window the thing is; of a task that searches."""


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
    source = scenes.learned(plan, data)
    network, backbone = begin(plan, data.labels)
    kept = CHECKPOINTS / f"{plan.name}-{identity(plan, source.digest, backbone)}"
    if rank() > 0:
        fitted(plan, source, network, kept, lambda epoch, row: None)
        return
    with _record(plan, data, kept, backbone) as run:
        earlier = kept / HISTORY
        run.replay(read_history(earlier) if earlier.is_file() else ())
        history = fitted(plan, source, network, kept, lambda epoch, row: run.metrics(row, epoch))
        # What a server that was away has missed.
        run.replay(history)
        with replacing(folder(plan.name, "train")) as out:
            save_file(_state(plan, network), out / MODEL)
            write_history(out / HISTORY, history)
            write_json(out / META, {"backbone": backbone})
        run.trained(_sha256(folder(plan.name, "train") / MODEL))
    shutil.rmtree(kept)


def _state(plan: TaskPlan, network: Network) -> dict[str, torch.Tensor]:
    """The weights, those of the branch that places boxes among them."""
    state = {name: value.contiguous() for name, value in network.state_dict().items()}
    known = scenes.windows(plan)
    if known is None:
        return state
    branch = fit_branch(network, plan.input, known, plan.search.refine)
    return state | {f"{BRANCH}.weight": branch.weight, f"{BRANCH}.bias": branch.bias}


def load(plan: TaskPlan) -> Trained:
    """The network as `train` left it.

    Raises:
        StaleError: it has not been trained, or not with these settings.
    """
    stage = needed(plan.name, "train")
    data = cached.load(needed(plan.name, "prepare"))
    network = build(plan.backbone, plan.head, _outputs(plan, data), plan.input)
    state = load_file(stage / MODEL)
    placed = {name: state.pop(name) for name in list(state) if name.startswith(f"{BRANCH}.")}
    if plan.search.enabled != bool(placed):
        raise StaleError(
            f"{stage / MODEL} was made with another search.enabled: run `dvc repro train@{plan.name}`"
        )
    branch = Branch(placed[f"{BRANCH}.weight"], placed[f"{BRANCH}.bias"]) if placed else None
    network.load_state_dict(state)
    known = made(plan)
    return Trained(known.weights_sha256, known.backbone, network.eval(), data, branch)


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


def _outputs(plan: TaskPlan, data: Cache) -> int:
    return outputs(plan, len(data.labels))
