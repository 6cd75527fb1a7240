"""audit: which labels are probably wrong, and what a person made of that.

Not a stage of the road: it is run when the labels are doubted, on the network that `train` left.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from roadworthy.data import manifest, version
from roadworthy.data.staging import DATA
from roadworthy.errors import DataError
from roadworthy.layout import folder, replacing
from roadworthy.params import TaskPlan
from roadworthy.pipeline.index import MEMORY
from roadworthy.progress import bar
from roadworthy.quality import corrections, suspects, suspects_page
from roadworthy.quality.units import units

if TYPE_CHECKING:
    from roadworthy.pipeline.train import Trained

CSV = "suspects.csv"
PAGE = "suspects.html"


def run(plan: TaskPlan) -> None:
    """Rank the images of a task by what speaks against their label: a CSV and a gallery.

    Raises:
        StaleError: the task has no trained network.
        DataError: the CSV of an earlier audit holds corrections that were not applied.
    """
    from roadworthy.pipeline import train

    trained = train.load(plan)
    out = folder(plan.name, "audit")
    _keep_edits(out / CSV, trained.data.rows, plan.name)
    table = judge(plan, trained)
    labels = trained.data.labels
    with replacing(out) as new, bar(f"suspects {plan.name}") as progress:
        table.to_csv(new / CSV, index=False)
        shown = suspects_page.render(plan.name, table, labels, plan.audit.show, progress)
        (new / PAGE).write_text(shown, encoding="utf-8")
    found = int((table["issue"] == "yes").sum())
    print(f"audit {plan.name}: {found} of {len(table)} labels are probably wrong")
    print(f"next: judge them in {out / PAGE} (or edit `label` in {out / CSV}), then")
    print(f"      roadworthy audit {plan.name} --apply FILE.csv")


def judge(plan: TaskPlan, trained: "Trained") -> pd.DataFrame:
    """The ranking, as `suspects.rank` gives it, of all images in the cache of a trained network."""
    data = trained.data
    targets = data.targets(np.arange(len(data)))
    found = features(trained, plan.train.threads, f"features {plan.name}")
    whole = units(data.rows)
    probabilities = suspects.out_of_fold(found, targets, whole, plan.audit.folds, plan.seed)
    return suspects.rank(data.rows, data.labels, probabilities)


def features(trained: "Trained", threads: int | Literal["auto"], title: str) -> np.ndarray:
    """What the backbone makes of each image of the cache, float32 (N, width), without augmentation."""
    import torch

    from roadworthy.training.augmentation import Normalise
    from roadworthy.training.machine import set_threads

    set_threads(threads)
    data = trained.data
    plain = Normalise(data.input)
    parts = []
    with torch.inference_mode(), bar(title) as progress:
        for start in range(0, len(data), 64):
            places = np.arange(start, min(start + 64, len(data)))
            pixels = torch.from_numpy(data.pixels(places))
            parts.append(trained.network.backbone(plain(pixels)).float().numpy())
            progress(int(places[-1]) + 1, len(data))
    return np.concatenate(parts)


def apply(plan: TaskPlan, file: Path) -> None:
    """Take a person's corrections into the data, as a new version.

    Args:
        file: `suspects.csv` with its column `label` edited, or what the gallery saved.

    Raises:
        DataError: the file does not fit the data, or the data were changed; nothing changed.
    """
    if DATA not in plan.images.parents:
        raise DataError(f"the images of {plan.name} are in {plan.images}, not below {DATA}/")
    version.ensure()
    with bar(f"index {plan.name}") as progress:
        rows = manifest.build(plan, MEMORY / f"{plan.name}.npz", progress).rows
    known = plan.label.classes or tuple(rows["label"].dropna().unique())
    found = corrections.read(file, rows, known)
    if not found:
        raise DataError(f"{file} corrects nothing: its column `label` says what `given` says")
    inside = plan.images.relative_to(DATA)

    def edit(copy: Path) -> None:
        corrections.write(found, plan.images, copy / inside)

    out = sum(not correction.label for correction in found)
    note = f"{plan.name}: {len(found) - out} relabelled, {out} taken out"
    accepted = version.change(edit, note)
    print(f"{plan.name}: labels corrected: {len(found)}")
    print("\n".join(corrections.summarise(found)))
    print(f"data version {accepted}: {accepted.message}")
    print(
        f"next: dvc repro export@{plan.name} && roadworthy promote --task {plan.name}; commit data.dvc"
    )


def _keep_edits(file: Path, rows: pd.DataFrame, task: str) -> None:
    """Stop where a new CSV would replace corrections that are not in the data yet."""
    if not file.is_file():
        return
    edited = corrections.table(file)
    now = edited["path"].map(dict(zip(rows["path"], rows["label"], strict=True)))
    waiting = int(((edited["label"] != edited["given"]) & (now == edited["given"])).sum())
    if waiting:
        raise DataError(
            f"{file} holds {waiting} corrections that the network has not seen: "
            f"`roadworthy audit {task} --apply {file}` and `dvc repro train@{task}` take them in; "
            "or delete the file"
        )
