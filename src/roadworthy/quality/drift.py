"""How the usable images of this data version differ from those of the version before.

What is compared is a snapshot: plain figures that are kept from run to run in a file of their own,
because nothing that DVC hashes may depend on what was there earlier.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

MEASURED = ("brightness", "contrast", "sharpness", "aspect", "width")
NAMED = ("label", "source")
# Changes as soon as a field of the snapshot does: an older file is no earlier version then.
FORM = 1


@dataclass(frozen=True)
class Drift:
    """This version against the earlier one."""

    before: dict[str, Any]
    now: dict[str, Any]
    """The two snapshots."""
    shares: dict[str, float]
    """Of labels and sources: total variation, 0 (the same shares) to 1 (nothing in common)."""
    means: dict[str, float]
    """Of what was measured: change of the mean in standard deviations of the earlier version."""
    gone: tuple[str, ...]
    new: tuple[str, ...]
    """Classes."""
    added: int
    removed: int
    relabelled: int
    """Images, by their content."""

    @property
    def new_share(self) -> float:
        """Share of today's images that the earlier version did not have."""
        return self.added / max(len(self.now["images"]), 1)

    def in_words(self) -> str:
        """What came and went."""
        return (
            f"{self.added:,} images added ({self.new_share:.0%} of today's), "
            f"{self.removed:,} removed, {self.relabelled:,} relabelled since the earlier version"
        )


def snapshot(manifest: pd.DataFrame, clean: pd.DataFrame) -> dict[str, Any]:
    """The figures of a data version as plain values; `images` maps content to label.

    Args:
        manifest: all rows.
        clean: usable rows.
    """
    content = clean["sha256"].str[:16]
    return {
        "form": FORM,
        "data": digest(manifest),
        "rows": len(manifest),
        "usable": len(clean),
        **{name: _counts(clean[name]) for name in NAMED},
        **{name: _moments(clean[name]) for name in MEASURED},
        "images": dict(sorted(zip(content, clean["label"].astype(str), strict=True))),
    }


def digest(manifest: pd.DataFrame) -> str:
    """One name for a data version: the contents with their labels, wherever the files are."""
    pairs = (
        manifest["sha256"].astype("string").fillna("")
        + " "
        + manifest["label"].astype("string").fillna("")
    )
    return hashlib.sha256("\n".join(sorted(pairs)).encode()).hexdigest()[:16]


def earlier(memory: Any, data: str) -> dict[str, Any] | None:
    """The snapshot of the version before `data`, from what `remember` kept; None: there is none.

    The version that ran last is the earlier one, unless it is this very version: then the
    one before it is, so that a second run says the same as the first.
    """
    if not isinstance(memory, dict) or memory.get("form") != FORM:
        return None
    found = memory.get("before") if memory.get("data") == data else memory
    return found if isinstance(found, dict) and "images" in found else None


def remember(now: dict[str, Any], before: dict[str, Any] | None) -> dict[str, Any]:
    """What to keep for the next run: this version, and within it the one before, no further back."""
    kept = {k: v for k, v in before.items() if k != "before"} if before else None
    return {**now, "before": kept}


def compare(before: dict[str, Any], now: dict[str, Any]) -> Drift:
    """This version against the earlier one."""
    old, new = before["images"], now["images"]
    stayed = old.keys() & new.keys()
    return Drift(
        before,
        now,
        {name: variation(before[name], now[name]) for name in NAMED},
        {name: _moved(before[name], now[name]) for name in MEASURED},
        gone=tuple(sorted(before["label"].keys() - now["label"].keys())),
        new=tuple(sorted(now["label"].keys() - before["label"].keys())),
        added=len(new) - len(stayed),
        removed=len(old) - len(stayed),
        relabelled=sum(old[image] != new[image] for image in stayed),
    )


def variation(before: dict[str, int], now: dict[str, int]) -> float:
    """Total variation of two sets of counts: half the sum of the differences of their shares."""
    frame = pd.DataFrame({"before": before, "now": now}, dtype=float).fillna(0.0)
    shares = frame / frame.sum().clip(lower=1.0)
    return round(float(np.abs(shares["before"] - shares["now"]).sum() / 2), 6)


def _moved(before: dict[str, float], now: dict[str, float]) -> float:
    # Where all were alike, a hundredth of the mean stands for the spread that there was not.
    spread = max(before["spread"], abs(before["mean"]) / 100, 1e-6)
    return round(abs(now["mean"] - before["mean"]) / spread, 6)


def _counts(values: pd.Series) -> dict[str, int]:
    counted = values.astype(str).value_counts().sort_index()
    return {str(name): int(count) for name, count in counted.items()}


def _moments(values: pd.Series) -> dict[str, float]:
    numbers = values.to_numpy(float, na_value=np.nan)
    numbers = numbers[np.isfinite(numbers)]
    if not len(numbers):
        return {"mean": 0.0, "spread": 0.0}
    return {"mean": round(float(numbers.mean()), 6), "spread": round(float(numbers.std()), 6)}
