"""split: which rows train, choose and test."""

from pathlib import Path

import pandas as pd

from roadworthy.data import ledger, splits
from roadworthy.errors import DataError
from roadworthy.layout import folder, needed, replacing, write_json
from roadworthy.params import TaskPlan
from roadworthy.pipeline.validate import CLEAN, PAIRS

ROWS = "split.parquet"
COUNTS = "counts.json"
LEFT_OUT = "left_out.csv"
# Kept in git: an image that was ever used for testing never becomes one to learn from.
LEDGERS = Path("splits")


def run(plan: TaskPlan) -> None:
    """Write the usable rows with their split, the counts per label and split, and the ledger.

    Raises:
        DataError: a class is missing from a split, so that it could not be trained or measured.
    """
    stage = needed(plan.name, "validate")
    rows, pairs = pd.read_parquet(stage / CLEAN), pd.read_csv(stage / PAIRS)
    book, rule = LEDGERS / f"{plan.name}.csv", ledger.rule(plan.split, plan.seed)
    known = ledger.load(book, rule)
    if book.is_file() and not known:
        print(f"split {plan.name}: {book} is of another draw; every image is drawn again ({rule})")
    rows["split"] = splits.assign(rows, pairs, plan.split, plan.seed, known)
    left_out, rows = rows[rows["split"].isna()], rows.dropna(subset=["split"])
    counts = _counts(rows, plan.name)
    drawn = dict(zip(rows["sha256"].str[: ledger.DIGITS], rows["split"], strict=True))
    with replacing(folder(plan.name, "split")) as out:
        rows.to_parquet(out / ROWS, index=False)
        write_json(out / COUNTS, {str(k): v for k, v in counts.to_dict("index").items()})
        left_out[["path", "label"]].to_csv(out / LEFT_OUT, index=False)
        ledger.save(book, rule, known | drawn)
    _report(plan.name, counts, left_out, len(drawn.keys() - known.keys()))


def _counts(rows: pd.DataFrame, task: str) -> pd.DataFrame:
    counts = pd.crosstab(rows["label"], rows["split"]).reindex(
        columns=list(ledger.SPLITS), fill_value=0
    )
    empty = counts.index[(counts == 0).any(axis=1)]
    if len(empty):
        raise DataError(
            f"task {task!r}: {', '.join(empty)} has too few images that are not copies of each "
            "other to be in train, val and test; add images or remove the class"
        )
    return counts


def _report(task: str, counts: pd.DataFrame, left_out: pd.DataFrame, new: int) -> None:
    sums = ", ".join(f"{count:,} {split}" for split, count in counts.sum().items())
    print(f"split {task}: {sums}; {new:,} images are new, the others stay where they were")
    for path in left_out["path"].head(5):
        print(f"  left out, a copy of images in two splits: {path}")
    if len(left_out) > 5:
        print(f"  ... and {len(left_out) - 5} more: {folder(task, 'split') / LEFT_OUT}")
