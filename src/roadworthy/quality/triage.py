"""Which rows may be used, which are set aside and why, and the figures that the verdict is made of."""

import pandas as pd

from roadworthy.params import TaskPlan
from roadworthy.quality.duplicates import clusters


def triage(manifest: pd.DataFrame, plan: TaskPlan) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Split a manifest into usable rows (with a column `cluster`) and quarantine (with `reason`).

    Set aside are unreadable and unlabelled files, every copy of a file that is filed under two
    labels, and all but the first of exact copies under one label.
    """
    reason = manifest["reason"].where(~manifest["readable"].astype(bool))
    reason = reason.mask(reason.isna() & manifest["label"].isna(), "no label could be read")
    open_rows = manifest[reason.isna()]
    labels = open_rows.groupby("sha256")["label"].transform("nunique")
    reason[labels.index[labels > 1]] = "an exact copy has another label"
    again = open_rows.sort_values("path").duplicated("sha256", keep="first")
    repeated = again.index[again]
    reason[repeated] = reason[repeated].fillna("an exact copy of another image")
    clean = manifest[reason.isna()].drop(columns="reason").reset_index(drop=True)
    clean["cluster"] = clusters(clean, plan.validation.near_duplicate_bits)
    aside = manifest.assign(reason=reason)[reason.notna()]
    return clean, aside.reset_index(drop=True)


def summary(manifest: pd.DataFrame, clean: pd.DataFrame, plan: TaskPlan) -> dict[str, float]:
    """Figures over the whole data set; shares are 0 to 1."""
    expected = plan.label.classes or tuple(clean["label"].unique())
    counts = clean["label"].value_counts().reindex(list(expected), fill_value=0)
    readable = manifest["readable"].astype(bool)
    filed_twice = manifest[readable].groupby("sha256")["label"].nunique()
    return {
        "images": len(manifest),
        "readable": float(readable.mean()),
        "labelled": float(manifest["label"].notna().mean()),
        "classes": int((counts > 0).sum()),
        "smallest_class": int(counts.min()) if len(counts) else 0,
        "imbalance": float(counts.max() / max(counts.min(), 1)) if len(counts) else 0.0,
        "conflicts": float((filed_twice > 1).sum() / max(len(manifest), 1)),
        "near_duplicates": float(clean["cluster"].notna().mean()) if len(clean) else 0.0,
    }
