"""What was read of files the last time, so that an unchanged one is not read again.

One `.npz` per task: the rows as a table and their thumbnails. It is a memory, not a result: it can
be deleted at any time, and an unreadable one is.
"""

import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from roadworthy.data.hashing import THUMBNAIL


@dataclass(frozen=True)
class Remembered:
    """Descriptions of files: rows with path, bytes, changed, sha256 ..., and a thumbnail each."""

    rows: pd.DataFrame
    thumbnails: np.ndarray
    key: str
    """Says how they were read; other descriptions are of no use."""

    @classmethod
    def load(cls, path: Path | None, key: str) -> "Remembered":
        """What is remembered in `path`; nothing if it was read otherwise, or is not there."""
        empty = cls(pd.DataFrame(), np.empty((0, *THUMBNAIL), np.uint8), key)
        if path is None or not path.is_file():
            return empty
        try:
            with np.load(path) as stored:
                if str(stored["key"]) != key:
                    return empty
                rows = pd.read_parquet(io.BytesIO(stored["rows"].tobytes()))
                return cls(rows, stored["thumbnails"], key)
        except Exception:  # whatever is wrong with a memory, it is made anew
            return empty

    def joined(self, parts: Sequence["Remembered"]) -> "Remembered":
        """These parts, and what is remembered here of other files."""
        paths = set().union(*(part.rows["path"] for part in parts))
        others = self.rows if self.rows.empty else self.rows[~self.rows["path"].isin(paths)]
        rest = Remembered(others, self.thumbnails[others.index.to_numpy(np.int64)], self.key)
        return rest.only([*parts, rest])

    def only(self, parts: Sequence["Remembered"]) -> "Remembered":
        """These parts alone, in their order."""
        full = [part for part in parts if len(part.rows)]
        if len(full) == 1:
            return full[0]
        rows = pd.concat([part.rows for part in full], ignore_index=True)
        return Remembered(rows, np.concatenate([part.thumbnails for part in full]), self.key)

    def save(self, path: Path) -> None:
        """Write it, by way of a temporary file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        table = io.BytesIO()
        self.rows.to_parquet(table, index=False)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        with temporary.open("wb") as file:
            np.savez(
                file,
                key=np.array(self.key),
                rows=np.frombuffer(table.getvalue(), np.uint8),
                thumbnails=self.thumbnails,
            )
        os.replace(temporary, path)
