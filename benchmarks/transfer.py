"""Does pretraining earn its keep? `python -m benchmarks.transfer [--task brand]`, in a walked project.

Pretrains on the tasks of `pretrain.tasks` but one, and trains that one twice: a few epochs from the
pretrained backbone, and many from random weights, each with the settings that suit it, on the same
images. The figures are of the validation split. Quarter of an hour on two cores. Goes on where it was
interrupted.
"""

import argparse
from pathlib import Path
from typing import Any

import pandas as pd

from roadworthy import environment, params
from roadworthy.layout import needed
from roadworthy.params import TaskPlan

SCRATCH = Path(".cache") / "transfer"


def main() -> None:
    """Pretrain, train twice, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", default="brand", help="the one that is held out")
    parser.add_argument("--epochs", type=int, default=3, help="from the pretrained backbone")
    parser.add_argument("--scratch-epochs", type=int, default=10, help="from random weights")
    parser.add_argument("--picture", type=Path, default=Path("artifacts/bench/transfer.png"))
    options = parser.parse_args()
    environment.apply()
    runs = compare(options.task, options.epochs, options.scratch_epochs)
    for name, rows in runs.items():
        print(f"{name}: val/accuracy", *(f"{row['val/accuracy']:.3f}" for row in rows))
    options.picture.parent.mkdir(parents=True, exist_ok=True)
    draw(options.task, runs, options.picture)
    pd.concat([pd.DataFrame(rows).assign(run=name) for name, rows in runs.items()]).to_csv(
        options.picture.with_suffix(".csv"), index=False
    )


def compare(task: str, epochs: int, scratch_epochs: int) -> dict[str, list[dict[str, Any]]]:
    """History of both trainings."""
    from roadworthy.data import cached
    from roadworthy.pipeline import pretrain

    settings = params.load()
    plan = settings.task(task)
    others = tuple(name for name in settings.pretrain.tasks if name != task)
    held_out = settings.pretrain.model_copy(update={"tasks": others})
    caches = [cached.load(needed(name, "prepare")) for name in others]
    folder = SCRATCH / task
    network, _ = pretrain.fitted(plan.backbone, held_out, caches, plan.seed, folder / "pretrain")
    state = network.backbone.state_dict()
    # From random weights the whole network must learn fast: pretraining's own, tuned, rates.
    alone = {"epochs": scratch_epochs, "lr": held_out.lr, "backbone_lr": 1.0, "weight_decay": 0.05}
    return {
        f"pretrained on {' and '.join(others)}": fine_tuned(
            plan, {"epochs": epochs}, state, folder / f"pretrained-{epochs}"
        ),
        "from scratch": fine_tuned(plan, alone, None, folder / f"scratch-{scratch_epochs}"),
    }


def fine_tuned(
    plan: TaskPlan, changes: dict[str, Any], state: dict[str, Any] | None, kept: Path
) -> list[dict[str, Any]]:
    """History of one training, from a backbone's weights or from random ones."""
    from roadworthy.data import cached
    from roadworthy.models.build import build
    from roadworthy.pipeline import train
    from roadworthy.training.criterion import outputs

    data = cached.load(needed(plan.name, "prepare"))
    plan = plan.model_copy(update={"train": plan.train.model_copy(update=changes)})
    network = build(
        plan.backbone, plan.head, outputs(plan, len(data.labels)), plan.input, plan.seed
    )
    if state is not None:
        network.backbone.load_state_dict(state)
    return train.fitted(plan, data, network, kept, lambda epoch, row: None, kept.name)


def draw(task: str, runs: dict[str, list[dict[str, Any]]], path: Path) -> None:
    """Validation accuracy by epoch."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6.4, 3.6), layout="constrained")
    for (name, rows), colour in zip(runs.items(), ("#0b6e4f", "#8a8a8a"), strict=True):
        shown = [row["val/accuracy"] for row in rows]
        axes.plot(range(1, len(shown) + 1), shown, "o-", color=colour)
        axes.annotate(
            f"{name}: {max(shown):.3f}",
            (len(shown), shown[-1]),
            xytext=(6, -12),
            textcoords="offset points",
            color=colour,
            ha="left" if len(shown) < 6 else "right",
        )
    axes.set(
        xlabel="epoch", ylabel="accuracy on validation", ylim=(0, 1), title=f"{task}, held out"
    )
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=130)


if __name__ == "__main__":
    main()
