"""Images that a person did not want under a label: a CSV in the inbox, which may be edited.

Columns task, sha256, label, name. A row that is deleted lets its image be proposed again.
"""

import csv
import os
from collections.abc import Iterable
from pathlib import Path

from roadworthy.errors import DataError
from roadworthy.pipeline.offers import Offer

TABLE = "declined.csv"
COLUMNS = ("task", "sha256", "label", "name")


def load(inbox: Path, task: str) -> set[tuple[str, str]]:
    """SHA-256 and label of what was declined for a task.

    Raises:
        DataError: the file is not one of these.
    """
    rows = _rows(inbox)
    return {(row["sha256"], row["label"]) for row in rows if row["task"] == task}


def add(inbox: Path, task: str, offers: Iterable[Offer]) -> None:
    """Remember that these were declined, by way of a temporary file."""
    rows = _rows(inbox)
    known = {tuple(row[name] for name in COLUMNS) for row in rows}
    new = [(task, offer.sha256, offer.label, offer.name) for offer in offers]
    inbox.mkdir(parents=True, exist_ok=True)
    temporary = inbox / f".{TABLE}.tmp"
    with temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows([row[name] for name in COLUMNS] for row in rows)
        writer.writerows(row for row in new if row not in known)
    os.replace(temporary, inbox / TABLE)


def _rows(inbox: Path) -> list[dict[str, str]]:
    path = inbox / TABLE
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise DataError(f"{path} must have the columns {', '.join(COLUMNS)}: mend or delete it")
        return [dict(row) for row in reader]
