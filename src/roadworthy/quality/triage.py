"""Which rows may be used, which are set aside and why."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from roadworthy.params import TaskPlan
from roadworthy.quality import duplicates


@dataclass(frozen=True)
class Triage:
    """A manifest, sorted out; every row is in one of the first two."""

    clean: pd.DataFrame
    """Rows that may be used, with `cluster`: a number for near-duplicates, missing where alone."""
    aside: pd.DataFrame
    """Rows in quarantine, with `reason`."""
    pairs: pd.DataFrame
    """Near-duplicates: paths first and second, bits, likeness, mirrored."""


def triage(
    manifest: pd.DataFrame,
    thumbnails: np.ndarray,
    plan: TaskPlan,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Triage:
    """Sort out the rows of a manifest.

    Set aside are unreadable and unlabelled files, what a `labels.csv` takes out, every copy of a
    file that is filed under two labels, all but the first of exact copies under one label, and,
    where `small_classes` says so, classes with too few images.

    Args:
        thumbnails: uint8 (rows, 32, 32, 3), a row per row of the manifest.
    """
    reason = manifest["reason"].astype("string")
    reason = reason.mask(reason.isna() & manifest["label"].isna(), "no label could be read")
    open_rows = manifest[reason.isna()]
    labels = open_rows.groupby("sha256")["label"].transform("nunique")
    reason[labels.index[labels > 1]] = "an exact copy has another label"
    again = open_rows.sort_values("path").duplicated("sha256", keep="first")
    repeated = again.index[again]
    reason[repeated] = reason[repeated].fillna("an exact copy of another image")
    if plan.validation.small_classes == "drop":
        reason = _without_small(manifest, reason, plan.validation.min_per_class)
    usable = reason.isna()
    clean = manifest[usable].drop(columns="reason").reset_index(drop=True)
    pairs = duplicates.find(clean, thumbnails[usable.to_numpy()], plan.validation, progress)
    clean["cluster"] = duplicates.clusters(clean, pairs)
    paths = clean["path"].to_numpy()
    named = pairs.assign(first=paths[pairs["first"]], second=paths[pairs["second"]])
    aside = manifest.assign(reason=reason)[~usable]
    return Triage(clean, aside.reset_index(drop=True), named)


def _without_small(manifest: pd.DataFrame, reason: pd.Series, least: int) -> pd.Series:
    counts = manifest.loc[reason.isna(), "label"].value_counts()
    small = counts[counts < least]
    found = reason.isna() & manifest["label"].isin(small.index)
    words = manifest["label"].map(
        lambda label: f"its class has {small.get(label)} images, fewer than {least}"
    )
    return reason.mask(found, words)
