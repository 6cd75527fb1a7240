"""index: one row per image."""

from collections import Counter
from pathlib import Path

import numpy as np

from roadworthy.data import boxes, manifest, version
from roadworthy.data.changes import BESIDE
from roadworthy.layout import folder, replacing
from roadworthy.params import TaskPlan
from roadworthy.progress import bar

MANIFEST = "manifest.parquet"
THUMBNAILS = "thumbnails.npy"
BOXES = "boxes.parquet"
BOX_FAULTS = "box_faults.csv"
MEMORY = Path(".cache/index")


def run(plan: TaskPlan) -> None:
    """Write the manifest of a task's images, their thumbnails, and the boxes that files beside give.

    Raises:
        DataError: the folder is missing or holds no images, a `labels.csv` is wrong, or `data/` was
            changed by hand and DVC has taken it for a new version that nobody accepted.
    """
    version.refuse_unaccepted()
    with bar(f"index {plan.name}") as progress:
        made = manifest.build(plan, MEMORY / f"{plan.name}.npz", progress)
    found = boxes.read(plan.images) if _may_have_boxes(made) else None
    with replacing(folder(plan.name, "index")) as out:
        made.rows.to_parquet(out / MANIFEST, index=False)
        np.save(out / THUMBNAILS, made.thumbnails)
        if found is not None:
            found.rows.to_parquet(out / BOXES, index=False)
            found.faults.to_csv(out / BOX_FAULTS, index=False)
    print(f"index {plan.name}: {len(made.rows):,} images, {made.read:,} of them read")
    _report_others(made)
    if found is not None:
        _report_boxes(found)


def _may_have_boxes(made: manifest.Manifest) -> bool:
    return any(path.name == boxes.TABLE or path.suffix == ".txt" for path in made.left_out)


def _report_others(made: manifest.Manifest) -> None:
    endings = Counter(path.suffix.lower() or path.name for path in made.left_out)
    counts = [f"{n} {ending}" for ending, n in endings.most_common() if ending not in BESIDE]
    if counts:
        print(f"  not images, left out: {', '.join(counts[:5])}")


def _report_boxes(found: boxes.Boxes) -> None:
    print(f"  {len(found.rows):,} boxes in {found.rows['path'].nunique():,} images")
    for fault in found.faults.head(5).to_dict("records"):
        print(f"  no box: {fault['file']}, line {fault['line']}: {fault['reason']}")
    if len(found.faults) > 5:
        print(f"  ... and {len(found.faults) - 5} more: {BOX_FAULTS}")
