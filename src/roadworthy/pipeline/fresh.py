"""How many labelled images the champion knows nothing of: whether training again is worth it."""

import numpy as np
import pandas as pd

from roadworthy import params
from roadworthy.bundle.format import SEEN
from roadworthy.data import ledger, manifest, seen
from roadworthy.layout import folder
from roadworthy.pipeline import split, validate
from roadworthy.pipeline.index import MEMORY
from roadworthy.pipeline.split import LEDGERS
from roadworthy.tracking import registry, store


def fresh_labels(task: str) -> int:
    """Labelled images of the present data that shaped no champion, and tested none.

    Counted by content: copies count once. An image that `split` has made a test image is not fresh,
    for the gate has asked the champion about it; nor is one that `validate` or `split` have set
    aside, for training again would not look at it either. Images that were trained on by a
    challenger that was refused stay fresh. Corrected labels of known images are not counted.

    Before the first promotion the exported bundle stands for the champion; without one either,
    everything counts. Files that `index` has seen are not read again.

    Raises:
        DataError: the task has no images, or its bundle is damaged.
        TrackingError: the registry cannot be reached.
    """
    plan = params.load().task(task)
    rows = manifest.build(plan, MEMORY / f"{task}.npz").rows
    fine = rows["label"].notna() & rows["reason"].isna() & ~rows["path"].isin(_set_aside(task))
    digests = set(rows.loc[fine, "sha256"])
    rule = ledger.rule(plan.split, plan.seed)
    known = ledger.load(LEDGERS / f"{task}.csv", rule)
    tested = {front for front, part in known.items() if part == "test"}
    record = _seen(task)
    if record is None:
        return len(digests)
    among = seen.among(ordered := sorted(digests), record)
    fresh = [one for one, old in zip(ordered, among, strict=True) if not old]
    return sum(one[: ledger.DIGITS] not in tested for one in fresh)


def _seen(task: str) -> np.ndarray | None:
    """Fronts of the digests of the images that shaped the champion; None: there is no record."""
    store.connect()
    champion = registry.champion(task)
    bundle = registry.bundle_folder(champion) if champion else folder(task, "export")
    return seen.load(bundle / SEEN)


def _set_aside(task: str) -> set[str]:
    """Paths of the images that no training looks at, as of the last walk."""
    tables = (
        folder(task, "validate") / validate.QUARANTINE,
        folder(task, "split") / split.LEFT_OUT,
    )
    found = [pd.read_csv(table, dtype=str)["path"] for table in tables if table.is_file()]
    return set().union(*found)
