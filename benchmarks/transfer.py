"""Does pretraining earn its keep? `python -m benchmarks.transfer [--task brand]`, in a walked project.

Pretrains on the tasks of `pretrain.tasks` but one, and trains that one twice with the same settings:
a few epochs from the pretrained backbone, and many from random weights, on few of its images and on
all. The figures are of the validation split. Ten minutes on two cores; goes on where it was interrupted.
"""

import argparse
import hashlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from roadworthy import environment, params
from roadworthy.layout import needed
from roadworthy.params import TaskPlan

if TYPE_CHECKING:
    from roadworthy.data.cached import Cache

Runs = dict[str, list[dict[str, Any]]]
SCRATCH = Path(".cache") / "transfer"


def main() -> None:
    """Pretrain, train twice for each number of images, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", default="police", help="the one that is held out")
    parser.add_argument("--epochs", type=int, default=3, help="from the pretrained backbone")
    parser.add_argument("--scratch-epochs", type=int, default=10, help="from random weights")
    parser.add_argument(
        "--images", type=int, nargs="+", default=[200, 400, 0], help="of it to train on; 0 is all"
    )
    parser.add_argument("--pretrain-epochs", type=int, help="(those of params.yaml)")
    options = parser.parse_args()
    environment.apply()
    panels = compare(options)
    for count, runs in panels.items():
        for name, rows in runs.items():
            accuracies = (f"{row['val/accuracy']:.3f}" for row in rows)
            print(f"{count} images, {name}: val/accuracy", *accuracies)
    picture = Path(f"artifacts/bench/transfer-{options.task}.png")
    picture.parent.mkdir(parents=True, exist_ok=True)
    draw(options.task, panels, picture)


def compare(options: argparse.Namespace) -> dict[str, Runs]:
    """History of both trainings, for each number of images."""
    from roadworthy.data import cached
    from roadworthy.pipeline import pretrain

    settings, task = params.load(), options.task
    plan = settings.task(task)
    others = tuple(name for name in settings.pretrain.tasks if name != task)
    epochs = options.pretrain_epochs or settings.pretrain.epochs
    held_out = settings.pretrain.model_copy(update={"tasks": others, "epochs": epochs})
    caches = [cached.load(needed(name, "prepare")) for name in others]
    folder = SCRATCH / task
    network, _ = pretrain.fitted(
        plan.backbone, held_out, caches, plan.seed, folder / f"pretrain-{epochs}"
    )
    state = network.backbone.state_dict()
    # What pretraining from random weights was tuned to, so that the longer training is not held back.
    same = {"optimizer": "adamw", "schedule": "onecycle", "lr": held_out.lr, "backbone_lr": 1.0}
    same |= {"weight_decay": held_out.weight_decay, "accumulate": 1, "patience": 0}
    few, many = ({**same, "epochs": n} for n in (options.epochs, options.scratch_epochs))
    name = f"pretrained on {' and '.join(others)}"
    panels: dict[str, Runs] = {}
    for count in options.images:
        data = fewer(cached.load(needed(task, "prepare")), count, plan.seed)
        panels[str(len(data.places("train")))] = {
            name: fine_tuned(plan, data, few, state, folder / "pretrained"),
            "from scratch": fine_tuned(plan, data, many, None, folder / "scratch"),
        }
    return panels


def fewer(data: "Cache", images: int, seed: int) -> "Cache":
    """The cache with so many of its training images, drawn at random; 0 is all."""
    places = np.random.default_rng(seed).permutation(data.places("train"))
    split = data.rows["split"].to_numpy(copy=True)
    split[places[images or len(places) :]] = "left out"
    return replace(data, rows=data.rows.assign(split=split))


def fine_tuned(
    plan: TaskPlan, data: "Cache", changes: dict[str, Any], state: dict[str, Any] | None, kept: Path
) -> list[dict[str, Any]]:
    """History of one training, from a backbone's weights or from random ones."""
    from roadworthy.models.build import build
    from roadworthy.pipeline import fitting
    from roadworthy.training.criterion import outputs

    plan = plan.model_copy(update={"train": plan.train.model_copy(update=changes)})
    # Checkpoints are found again by their folder: other settings need another one.
    what = f"{plan.model_dump_json()} {data.digest} {kept}"
    kept /= hashlib.sha256(what.encode()).hexdigest()[:12]
    network = build(
        plan.backbone, plan.head, outputs(plan, len(data.labels)), plan.input, plan.seed
    )
    if state is not None:
        network.backbone.load_state_dict(state)
    return fitting.fitted(plan, data, network, kept, lambda epoch, row: None, kept.parent.name)


def draw(task: str, panels: dict[str, Runs], path: Path) -> None:
    """Validation accuracy by epoch, one panel for each number of training images."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    size = {"figsize": (3.2 * len(panels), 3.0), "layout": "constrained"}
    figure, found = pyplot.subplots(1, len(panels), sharey=True, squeeze=False, **size)
    for axes, (count, runs) in zip(found[0], panels.items(), strict=True):
        for (name, rows), colour in zip(runs.items(), ("#0b6e4f", "#8a8a8a"), strict=True):
            shown = [row["val/accuracy"] for row in rows]
            best = f"{name}: {max(shown):.3f}"
            axes.plot(range(1, len(shown) + 1), shown, "o-", ms=4, color=colour, label=best)
        axes.set(xlabel="epoch", ylim=(0, 1), title=f"{count} training images")
        axes.legend(loc="lower right", frameon=False, fontsize=7, labelcolor="linecolor")
        axes.spines[["top", "right"]].set_visible(False)
    found[0][0].set_ylabel(f"{task}: accuracy on validation")
    figure.savefig(path, dpi=130)


if __name__ == "__main__":
    main()
