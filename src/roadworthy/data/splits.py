"""Train, validation and test: stratified by label, with groups never apart, the same everywhere.

Whole groups (clusters of near-duplicates, frames of one clip) are ordered by a hash of their name
and the seed, label by label, and the front of that order becomes test, the next part validation.
"""

import hashlib

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from roadworthy.params import Split

SPLITS = ("train", "val", "test")


def assign(rows: pd.DataFrame, settings: Split, seed: int) -> pd.Series:
    """The split of each row.

    Args:
        rows: columns path, label, and group and cluster (missing where an image stands alone).

    Returns:
        `train`, `val` or `test` on the index of `rows`.
    """
    unit = _units(rows)
    names = rows.groupby(unit)["path"].min()
    label = rows.groupby(unit)["label"].agg(lambda values: values.mode().iloc[0])
    size = rows.groupby(unit).size()
    units = pd.DataFrame(
        {"label": label, "size": size, "rank": names.map(lambda n: _rank(n, seed))}
    )
    units = units.sort_values("rank")
    # Where in its label's images, from 0 to 1, the middle of each unit stands.
    after = units.groupby("label")["size"].cumsum()
    total = units.groupby("label")["size"].transform("sum")
    position = (after - units["size"] / 2) / total
    chosen = np.select(
        [position < settings.test, position < settings.test + settings.val],
        ["test", "val"],
        "train",
    )
    return unit.map(pd.Series(chosen, index=units.index)).rename("split")


def _units(rows: pd.DataFrame) -> pd.Series:
    """Connected components of rows that share a group or a cluster."""
    count = len(rows)
    left, right = [], []
    for column in ("group", "cluster"):
        if column not in rows:
            continue
        for places in rows.reset_index(drop=True).groupby(column).indices.values():
            left += [places[0]] * (len(places) - 1)
            right += list(places[1:])
    links = coo_array((np.ones(len(left)), (left, right)), shape=(count, count))
    return pd.Series(connected_components(links, directed=False)[1], index=rows.index)


def _rank(name: str, seed: int) -> int:
    return int(hashlib.sha256(f"{seed}/{name}".encode()).hexdigest()[:16], 16)
