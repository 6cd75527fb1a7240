"""prepare: the decoded cache."""

import pandas as pd

from roadworthy.data import cache
from roadworthy.layout import folder, needed, replacing
from roadworthy.params import TaskPlan
from roadworthy.pipeline.split import ROWS
from roadworthy.progress import bar


def run(plan: TaskPlan) -> None:
    """Decode what the earlier cache does not hold, and write memory-mapped shards.

    Raises:
        DataError: an image cannot be read or has changed; the place to stream from refuses.
    """
    rows = pd.read_parquet(needed(plan.name, "split") / ROWS)
    found = sorted(rows["label"].unique())
    # Validation may have dropped classes that are too small.
    labels = tuple(c for c in plan.label.classes or found if c in found)
    target, stream = folder(plan.name, "prepare"), plan.prepare.stream
    with replacing(target) as out, bar(f"prepare {plan.name}") as progress:
        done = cache.write(
            out,
            rows,
            labels,
            plan.input,
            workers=plan.prepare.workers,
            shard_mb=plan.prepare.shard_mb,
            stream=f"{stream.rstrip('/')}/{plan.name}" if stream else None,
            earlier=target,
            progress=progress,
        )
    if done.refused:
        print(f"prepare {plan.name}: every image was decoded again; {done.refused}")
    print(
        f"prepare {plan.name}: {done.decoded:,} images decoded, {done.taken_over:,} taken over; "
        f"{done.rewritten:,} of {done.shards:,} shards written"
    )
