"""A set whose labels show in size alone is caught; one without such a trace is not."""

import numpy as np
import pandas as pd

from roadworthy.quality.shortcut import accuracy


def rows(count: int, giveaway: bool, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 2, count)
    width = np.where(label == 1, 512, 280) if giveaway else rng.choice([280, 512], count)
    noise = {name: rng.random(count) for name in ("bytes", "red", "green", "blue", "aspect")}
    return pd.DataFrame(
        {"label": label.astype(str), "width": width, "height": 200, "format": "JPEG", **noise}
    )


def test_size_that_tells_the_label_is_found() -> None:
    """Such a model would be fooled by a crop."""
    assert accuracy(rows(300, True, 0), rows(200, True, 1)) > 0.98


def test_nothing_is_found_where_nothing_is() -> None:
    """Chance, give or take its spread."""
    assert accuracy(rows(300, False, 0), rows(400, False, 1)) < 0.6
