"""What images and answers look like when all is well: what drift is measured against."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np

from roadworthy.bundle import format as bundle
from roadworthy.errors import BundleError

if TYPE_CHECKING:  # where the service runs there is none
    import pandas as pd

STATISTICS = ("brightness", "sharpness", "red", "green", "blue", "aspect")
QUANTILES = np.linspace(0, 1, 21)
MOST = 1000
"""Images in `reference.npz`: 4 MB of ResNet-50's embeddings."""


@dataclass(frozen=True)
class Reference:
    """What live traffic is compared with: a bundle's `reference.json` and `reference.npz`.

    Rows are images that are independent of each other: one of each clip and of each set of
    near-duplicates.
    """

    profile: dict[str, Any] = field(default_factory=dict)
    """As `profile` gave it; empty of a bundle without one."""
    statistics: Mapping[str, np.ndarray] = field(default_factory=dict)
    """By name of `STATISTICS`: float32 (N,); empty of a bundle from before `reference.npz`."""
    probabilities: np.ndarray | None = None
    """Calibrated, float32 (N, C), as the graph answers that is served."""
    embeddings: np.ndarray | None = None
    """What that graph gives the head: float16 (N, D)."""

    def __len__(self) -> int:
        """Images."""
        return 0 if self.probabilities is None else len(self.probabilities)


def profile(rows: "pd.DataFrame", probabilities: np.ndarray) -> dict[str, Any]:
    """Quantiles of image statistics and of confidence, and the share of each answer.

    Args:
        rows: manifest columns of validation images.
        probabilities: calibrated, (N, C).
    """
    columns = {name: rows[name].to_numpy(float) for name in STATISTICS}
    columns["confidence"] = probabilities.max(axis=1)
    return {
        "images": len(rows),
        "quantiles": {
            name: [round(float(v), 6) for v in np.quantile(values, QUANTILES)]
            for name, values in columns.items()
        },
        "answers": [round(float(v), 6) for v in probabilities.mean(axis=0)],
    }


def independent(units: np.ndarray, labels: np.ndarray, seed: int, most: int = MOST) -> np.ndarray:
    """Places of images to keep, ascending: one of each unit, and of each label its share.

    Args:
        units: a number (N,) per image; images that hang together share it (`quality.units`).
        labels: (N,).
        seed: of the draw.
        most: images at most.
    """
    order = np.random.default_rng(seed).permutation(len(units))
    _, first = np.unique(units[order], return_index=True)
    # In the order of the draw within each label; every so-manieth of them gives each label its share.
    drawn = order[np.sort(first)]
    drawn = drawn[np.argsort(labels[drawn], kind="stable")]
    chosen = np.linspace(0, len(drawn) - 1, min(len(drawn), most)).round().astype(np.int64)
    return np.sort(drawn[chosen])


def write_images(
    folder: Path, rows: "pd.DataFrame", probabilities: np.ndarray, embeddings: np.ndarray | None
) -> None:
    """Put `reference.npz` into a bundle; the same bytes for the same figures.

    Args:
        rows: manifest columns of N images that are independent of each other.
        probabilities: calibrated (N, C), of the graph that is served.
        embeddings: of that graph (N, D); None of one that gives none.
    """
    found = {name: rows[name].to_numpy(np.float32) for name in STATISTICS}
    found["probabilities"] = probabilities.astype(np.float32)
    if embeddings is not None:
        with np.errstate(over="ignore"):
            found["embeddings"] = embeddings.astype(np.float16)
    temporary = folder / f".{bundle.IMAGES}.tmp"
    with temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **found)
    os.replace(temporary, folder / bundle.IMAGES)


def read_reference(folder: Path) -> Reference:
    """The reference of a bundle; what an older one lacks is empty or None.

    Raises:
        BundleError: a file of it is damaged.
    """
    path = folder / bundle.IMAGES
    try:
        known = bundle.read_reference(folder)
    except ValueError as error:
        raise BundleError(f"{folder / bundle.REFERENCE} is damaged: {error}") from None
    if not path.is_file():
        return Reference(known)
    try:
        # numpy leaves a file open that it was given by name and cannot read.
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            statistics = {name: file[name] for name in STATISTICS if name in file}
            embeddings = file.get("embeddings")
            return Reference(known, statistics, file["probabilities"], embeddings)
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise BundleError(
            f"{path} is damaged ({error}): export the bundle again, or fetch it again"
        ) from None
