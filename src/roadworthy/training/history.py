"""The history of a training: one row of metrics per epoch, as CSV."""

import csv
import os
from pathlib import Path
from typing import Any


def write_history(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write rows with the same keys as CSV, by way of a temporary file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    os.replace(temporary, path)


def read_history(path: Path) -> list[dict[str, Any]]:
    """The rows of a history, numbers as numbers."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]
    return [row | {"epoch": int(row["epoch"])} for row in rows]
