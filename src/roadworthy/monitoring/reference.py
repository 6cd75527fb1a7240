"""What images and answers look like when all is well: the profile that drift is measured against."""

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:  # where the service runs there is none
    import pandas as pd

STATISTICS = ("brightness", "sharpness", "red", "green", "blue", "aspect")
QUANTILES = np.linspace(0, 1, 21)


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
