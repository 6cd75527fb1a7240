"""index: one row per image."""

from collections import Counter
from pathlib import Path

import numpy as np

from roadworthy.data import manifest, version
from roadworthy.layout import folder, replacing
from roadworthy.params import TaskPlan
from roadworthy.progress import bar

MANIFEST = "manifest.parquet"
THUMBNAILS = "thumbnails.npy"
MEMORY = Path(".cache/index")


def run(plan: TaskPlan) -> None:
    """Write the manifest of a task's images, and their thumbnails.

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
    print(f"index {plan.name}: {len(made.rows):,} images, {made.read:,} of them read")
    endings = Counter(path.suffix.lower() or path.name for path in made.left_out)
    endings.pop(".csv", None)
    if endings:
        counts = ", ".join(f"{number} {ending}" for ending, number in endings.most_common(5))
        print(f"  not images, left out: {counts}")
