"""pretrain: a backbone of this project's own, where no ImageNet weights can be had."""

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import yaml
from safetensors.torch import save_file

from roadworthy.data import cached, seen
from roadworthy.data.cached import Cache
from roadworthy.errors import ParamsError
from roadworthy.layout import CHECKPOINTS, PLAN, PRETRAIN, needed, replacing, write_json
from roadworthy.params import Backbone, Head, Pretrain, Train

if TYPE_CHECKING:
    from roadworthy.models.build import Network

WEIGHTS = "backbone.safetensors"
HISTORY = "history.csv"
SEEN = "seen.npy"


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
    from roadworthy.training.history import write_history

    caches = [cached.load(needed(task, "prepare")) for task in settings.tasks]
    kept = CHECKPOINTS / f"pretrain-{_identity(backbone, settings, seed, caches)}"
    network, history = fitted(backbone, settings, caches, seed, kept)
    with replacing(PRETRAIN) as out:
        weights = network.backbone.state_dict()
        save_file({k: v.contiguous() for k, v in weights.items()}, out / WEIGHTS)
        write_history(out / HISTORY, history)
        rows = pd.concat([cache.rows for cache in caches])
        seen.save(out / SEEN, seen.fronts(rows.loc[rows["split"] != "test", "sha256"]))
    shutil.rmtree(kept)


def fitted(
    backbone: Backbone, settings: Pretrain, caches: list[Cache], seed: int, kept: Path
) -> tuple["Network", list[dict[str, Any]]]:
    """A network trained on the images of several tasks at once, and its history.

    Args:
        kept: folder of the checkpoints, see `training.fit`.

    Raises:
        ParamsError: the tasks do not share one `input`.
    """
    from roadworthy.models.build import build
    from roadworthy.training.data import Batches
    from roadworthy.training.fit import fit
    from roadworthy.training.module import Classifier
    from roadworthy.training.pretraining import Joint, JointClassifier, PretrainRecipe
    from roadworthy.training.resolve import choices

    spec = caches[0].input
    if any(c.input != spec for c in caches):
        raise ParamsError("pretrain.tasks must share one `input`")
    recipe = PretrainRecipe.of(settings, spec, seed)
    network = build(backbone, Head(), sum(len(c.labels) for c in caches), spec, seed)

    def made(train: Train) -> tuple[Classifier, Batches]:
        batches = Batches(Joint(caches), train, seed)
        steps = len(batches.order) * train.epochs
        return JointClassifier(network, replace(recipe, train=train), caches, steps), batches

    chosen = choices(recipe.train, kept, made)
    module, batches = made(chosen.settings)
    return network, fit(module, batches, chosen.machine, kept, "pretrain")


def _identity(backbone: Backbone, settings: Pretrain, seed: int, caches: list[Cache]) -> str:
    """Names the checkpoints of one pretraining: same settings, same images, same start."""
    plain = [backbone.model_dump(mode="json"), settings.model_dump(mode="json")]
    parts = json.dumps([*plain, seed, [c.digest for c in caches]])
    return hashlib.sha256(parts.encode()).hexdigest()[:16]
