"""Manifest rows without files, for what looks at figures only."""

import hashlib
from typing import Any

import numpy as np
import pandas as pd

from roadworthy import params
from roadworthy.params import TaskPlan


def task(label: str = "{classes: [not_car, car]}", **validate: Any) -> TaskPlan:
    """The plan of a task `car` with `validate` settings."""
    kind = "binary" if "classes" in label else "multiclass"
    text = (
        f"tasks: {{car: {{kind: {kind}, images: data/car, label: {label}}}}}\nvalidate: {validate}"
    )
    return params.parse(text).task("car")


def manifest(count: int = 200, seed: int = 0, labels: tuple[str, ...] = ("not_car", "car")) -> Any:
    """Rows of `count` readable, different, ordinary images, the labels in turn."""
    rng = np.random.default_rng(seed)
    label = [labels[n % len(labels)] for n in range(count)]
    wide = rng.normal(500, 40, count).round().clip(100)
    high = rng.normal(370, 30, count).round().clip(100)
    shares = ("red", "green", "blue", "border_red", "border_green", "border_blue")
    names = [hashlib.sha256(f"{seed}/{n}".encode()).hexdigest() for n in range(count)]
    return pd.DataFrame(
        {
            "path": [f"data/car/{name}/{n:05d}.jpg" for n, name in enumerate(label)],
            "label": pd.array(label, "string"),
            "source": "car",
            "group": pd.array([pd.NA] * count, "string"),
            "sha256": names,
            "width": wide,
            "height": high,
            "aspect": wide / high,
            "mode": "RGB",
            "format": "JPEG",
            "bytes": rng.integers(20_000, 90_000, count),
            "brightness": rng.uniform(0.3, 0.7, count),
            "contrast": rng.uniform(0.1, 0.3, count),
            "sharpness": rng.uniform(0.01, 0.05, count),
            **{name: rng.uniform(0.2, 0.8, count) for name in shares},
            "readable": True,
            "reason": pd.array([pd.NA] * count, "string"),
        }
    )


def usable(rows: pd.DataFrame) -> pd.DataFrame:
    """All of them, none near another."""
    clean = rows[rows["readable"] & rows["label"].notna()].reset_index(drop=True)
    return clean.drop(columns="reason").assign(cluster=pd.array([pd.NA] * len(clean), "Int64"))
