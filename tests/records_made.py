"""Records of the prediction log, for tests."""

from typing import Any

import numpy as np

from roadworthy.monitoring.reference import STATISTICS
from roadworthy.serving.record import Record


def record(number: int = 0, **changes: Any) -> Record:
    """A plausible one; its id says which."""
    values: dict[str, Any] = {
        "id": f"{number:032x}",
        "request_id": "r1",
        "task": "car",
        "version": 3,
        "digest": "d" * 64,
        "label": "car",
        "probability": 0.75,
        "sure": True,
        "probabilities": {"not_car": 0.25, "car": 0.75},
        "embedding": np.linspace(-3, 3, 8, dtype=np.float32),
        "statistics": dict.fromkeys(STATISTICS, 0.5),
        "width": 64,
        "height": 48,
        "format": "JPEG",
        "bytes": 1234,
        "sha256": f"{number:064x}",
    }
    return Record(**{**values, **changes})
