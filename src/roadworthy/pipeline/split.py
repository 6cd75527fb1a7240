"""split: which rows train, choose and test."""

import pandas as pd

from roadworthy.data import splits
from roadworthy.errors import DataError
from roadworthy.layout import folder, needed, replacing, write_json
from roadworthy.params import TaskPlan
from roadworthy.pipeline.validate import CLEAN

ROWS = "split.parquet"
COUNTS = "counts.json"


def run(plan: TaskPlan) -> None:
    """Write the usable rows with their split, and the counts per label and split.

    Raises:
        DataError: a class is missing from a split, so that it could not be trained or measured.
    """
    rows = pd.read_parquet(needed(plan.name, "validate") / CLEAN)
    rows["split"] = splits.assign(rows, plan.split, plan.seed)
    counts = pd.crosstab(rows["label"], rows["split"]).reindex(
        columns=list(splits.SPLITS), fill_value=0
    )
    empty = counts.index[(counts == 0).any(axis=1)]
    if len(empty):
        raise DataError(
            f"task {plan.name!r}: {', '.join(empty)} has too few images that are not copies of each "
            "other to be in train, val and test; add images or remove the class"
        )
    with replacing(folder(plan.name, "split")) as out:
        rows.to_parquet(out / ROWS, index=False)
        write_json(out / COUNTS, {str(k): v for k, v in counts.to_dict("index").items()})
