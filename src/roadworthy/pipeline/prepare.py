"""prepare: the decoded cache."""

import pandas as pd

from roadworthy.data import cache
from roadworthy.layout import folder, needed, replacing
from roadworthy.params import TaskPlan
from roadworthy.pipeline.split import ROWS
from roadworthy.progress import bar


def run(plan: TaskPlan) -> None:
    """Decode every row once into memory-mapped shards."""
    rows = pd.read_parquet(needed(plan.name, "split") / ROWS)
    found = sorted(rows["label"].unique())
    # Validation may have dropped classes that are too small.
    labels = tuple(c for c in plan.label.classes or found if c in found)
    with replacing(folder(plan.name, "prepare")) as out, bar(f"prepare {plan.name}") as progress:
        cache.write(
            out,
            rows,
            labels,
            plan.input,
            workers=plan.prepare.workers,
            shard_mb=plan.prepare.shard_mb,
            progress=progress,
        )
