"""One row for each image, and shards of them as Parquet."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from roadworthy.scoring.places import as_bytes
from roadworthy.scoring.plan import Plan

NETWORK = "network"
"""How the reason of an image begins that could not be reached, and will be tried again."""
LABELS = b"roadworthy.labels"
"""Key of a file's metadata: JSON, the labels in the order of `probabilities`."""
NAME = pa.dictionary(pa.int32(), pa.string())
COLUMNS = pa.schema(
    [
        ("path", pa.string()),
        ("sha256", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("label", NAME),
        ("probability", pa.float32()),
        ("sure", pa.bool_()),
        ("probabilities", pa.list_(pa.float32())),
        ("reason", pa.string()),
        ("task", NAME),
        ("version", pa.int32()),
        ("digest", NAME),
    ]
)


@dataclass
class Row:
    """What is known of one image."""

    path: str
    sha256: str | None = None
    """Of its bytes; None where they could not be had."""
    width: int | None = None
    height: int | None = None
    """Pixels of the upright image; None where it is no usable one."""
    label: str | None = None
    probability: float | None = None
    sure: bool | None = None
    probabilities: np.ndarray | None = None
    """Float32, in the order of the plan's labels."""
    reason: str | None = None
    """Why there is no answer."""

    @property
    def unreached(self) -> bool:
        """Whether another try may give an answer."""
        return self.reason is not None and kind(self.reason) == NETWORK


def kind(reason: str) -> str:
    """A reason without its details, to count by: `not an image: a PDF` is `not an image`."""
    return re.sub(r"[\d,]*\d", "#", reason.split(":", 1)[0])


def table(rows: Sequence[Row], plan: Plan) -> pa.Table:
    """Rows as Arrow, in their order."""
    same = {"task": plan.task, "version": plan.version, "digest": plan.digest}
    columns = {
        name: [same[name]] * len(rows) if name in same else [getattr(row, name) for row in rows]
        for name in COLUMNS.names
    }
    arrays = [pa.array(columns[field.name], field.type) for field in COLUMNS]
    return pa.table(arrays, COLUMNS.with_metadata({LABELS: json.dumps(plan.labels)}))


def shard(rows: Sequence[Row], plan: Plan) -> memoryview:
    """The file of a shard."""
    made = table(rows, plan)
    return as_bytes(lambda file: parquet.write_table(made, file, compression="zstd"))
