"""index: one row per image."""

from collections import Counter
from pathlib import Path

import numpy as np

from roadworthy.data import boxes, manifest, version
from roadworthy.layout import folder, replacing
from roadworthy.params import TaskPlan
from roadworthy.progress import bar

MANIFEST = "manifest.parquet"
THUMBNAILS = "thumbnails.npy"
BOXES = "boxes.parquet"
BOX_FAULTS = "box_faults.csv"
# Where boxes may stand.
WITH_BOXES = frozenset({".csv", ".txt"})
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
    with replacing(folder(plan.name, "index")) as out:
        made.rows.to_parquet(out / MANIFEST, index=False)
        np.save(out / THUMBNAILS, made.thumbnails)
        if any(path.suffix.lower() in WITH_BOXES for path in made.left_out):
            _write_boxes(plan, out)
    print(f"index {plan.name}: {len(made.rows):,} images, {made.read:,} of them read")
    endings = Counter(path.suffix.lower() or path.name for path in made.left_out)
    for known in WITH_BOXES:
        endings.pop(known, None)
    if endings:
        counts = ", ".join(f"{number} {ending}" for ending, number in endings.most_common(5))
        print(f"  not images, left out: {counts}")


def _write_boxes(plan: TaskPlan, out: Path) -> None:
    found = boxes.read(plan.images)
    if found.rows.empty and found.faults.empty:
        return
    found.rows.to_parquet(out / BOXES, index=False)
    found.faults.to_csv(out / BOX_FAULTS, index=False)
    print(f"  {len(found.rows):,} boxes in {found.rows['path'].nunique():,} images")
    for fault in found.faults.head(5).to_dict("records"):
        print(f"  no box: {fault['file']}, line {fault['line']}: {fault['reason']}")
