"""What a run is labelled with: the names of its tags, its parameters as text, and who made it."""

import getpass
import json
from collections.abc import Mapping
from typing import Any

from roadworthy.bundle.format import Lineage

LINEAGE = "roadworthy.lineage"
WEIGHTS = "roadworthy.weights"
BUNDLE = "roadworthy.bundle"
MODEL = "roadworthy.model"
RESTORED = "roadworthy.restored"
RESUMED = "roadworthy.resumed"
CHANGED = "roadworthy.changed"
ERROR = "roadworthy.error"
# A longer value of a parameter is cut.
LONGEST = 500


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested parameters as text under dotted names; a long value is cut."""
    flat: dict[str, str] = {}
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            flat.update(flatten(value, f"{prefix}{key}."))
        else:
            text = value if isinstance(value, str) else json.dumps(value, default=str)
            flat[f"{prefix}{key}"] = text[:LONGEST]
    return flat


def user() -> str:
    """Who runs this; `unknown` in a container without a user."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def tags(lineage: Lineage, note: str) -> dict[str, str]:
    """Tags that MLflow shows as source, user and description, and those that a search may need."""
    named = {
        "mlflow.user": user(),
        "mlflow.source.name": "roadworthy train",
        "mlflow.source.type": "LOCAL",
        "mlflow.source.git.commit": lineage.git_commit,
        "mlflow.note.content": note,
        "roadworthy.git_dirty": None
        if lineage.git_dirty is None
        else str(lineage.git_dirty).lower(),
        "roadworthy.data_version": lineage.data_version,
        "roadworthy.params_hash": lineage.params_hash,
        "roadworthy.backbone": lineage.backbone,
    }
    return {key: value for key, value in named.items() if value}
