"""pretrain: a backbone of this project's own, where no ImageNet weights can be had."""

import hashlib
import json
import shutil

import yaml
from safetensors.torch import save_file

from roadworthy.data import cache
from roadworthy.errors import ParamsError
from roadworthy.layout import CHECKPOINTS, PLAN, PRETRAIN, needed, replacing, write_json
from roadworthy.models.build import build
from roadworthy.params import Augment, Backbone, Head, Pretrain

WEIGHTS = "backbone.safetensors"
HISTORY = "history.csv"


def run() -> None:
    """Write the backbone; an empty folder with the reason where `backbone.weights` names others.

    Raises:
        ParamsError: `pretrain.tasks` do not share one input size.
    """
    settings = yaml.safe_load((PLAN / "pretrain.yaml").read_text(encoding="utf-8"))
    backbone = Backbone.model_validate(settings.pop("backbone"))
    seed = settings.pop("seed")
    pretrain = Pretrain.model_validate(settings)
    if backbone.weights != "pretrain" or not pretrain.tasks:
        with replacing(PRETRAIN) as out:
            write_json(out / "skipped.json", {"backbone.weights": backbone.weights})
        print(f"pretrain: skipped, backbone.weights is {backbone.weights}")
        return
    _train(backbone, pretrain, seed)


def _train(backbone: Backbone, settings: Pretrain, seed: int) -> None:
    from roadworthy.training.callbacks import write_history
    from roadworthy.training.fit import Schedule, fit
    from roadworthy.training.pretraining import JointClassifier, batches

    caches = [cache.load(needed(task, "prepare")) for task in settings.tasks]
    if any(c.input != caches[0].input for c in caches):
        raise ParamsError("pretrain.tasks must share one `input`")
    train = batches(caches, "train", settings.batch_size, seed)
    val = batches(caches, "val", 64, seed)
    classes = sum(len(c.labels) for c in caches)
    network = build(backbone, Head(), classes, caches[0].input, seed)
    steps = len(train) * settings.epochs
    module = JointClassifier(network, caches, settings, Augment(), steps)
    identity = json.dumps([settings.model_dump(mode="json"), seed, [c.digest for c in caches]])
    kept = CHECKPOINTS / f"pretrain-{hashlib.sha256(identity.encode()).hexdigest()[:16]}"
    schedule = Schedule("pretrain", settings.epochs, seed)
    history = fit(module, train, val, schedule, kept)
    with replacing(PRETRAIN) as out:
        weights = module.network.backbone.state_dict()
        save_file({k: v.contiguous() for k, v in weights.items()}, out / WEIGHTS)
        write_history(out / HISTORY, history)
    shutil.rmtree(kept)
