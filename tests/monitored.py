"""Champions with a reference, and traffic that is like it or has drifted."""

import hashlib
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from cheap_versions import bundle_of
from records_made import record
from roadworthy.bundle import format as bundle_format
from roadworthy.bundle.format import REFERENCE
from roadworthy.layout import PLAN, write_json
from roadworthy.monitoring.reference import STATISTICS, profile, write_images
from roadworthy.params import load
from roadworthy.serving.feedback import NAME as FEEDBACK
from roadworthy.serving.feedback import Feedback, to_line
from roadworthy.serving.journal import Journal
from roadworthy.serving.record import Record
from roadworthy.serving.records import PredictionLog
from roadworthy.serving.settings import Settings
from roadworthy.tracking import fields, models, registry, store
from roadworthy.tracking.registry import Version
from support import tiny_bundle

NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)
SIZE, IMAGES = 16, 300
"""Figures of an embedding; images of a reference."""
DIGEST = "d" * 64


def project(*tasks: str, **sections: Any) -> None:
    """A params.yaml with these binary tasks, and their plans, in the current folder."""
    named = {task: {"kind": "binary", "images": f"data/{task}"} for task in tasks}
    Path("params.yaml").write_text(yaml.safe_dump({"tasks": named, **sections}))
    PLAN.mkdir(parents=True, exist_ok=True)
    for task in tasks:
        (PLAN / f"{task}.yaml").write_text(yaml.safe_dump(load().task(task).as_dict()))


def bundle(folder: Path, task: str = "car", **changes: Any) -> Path:
    """A bundle whose reference is what `drawn` draws."""
    made = tiny_bundle(folder, task, **changes)
    statistics, probabilities, embeddings = drawn(IMAGES, 0)
    rows = pd.DataFrame(statistics)
    write_json(made / REFERENCE, profile(rows, probabilities))
    write_images(made, rows, probabilities, embeddings)
    return made


def drawn(
    count: int, seed: int, drift: float = 0.0
) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Statistics, probabilities (N, 2) and embeddings (N, 16) of images that are alike but for `drift`."""
    rng = np.random.default_rng(seed)
    statistics = {name: rng.beta(8, 8, count) - 0.3 * drift for name in STATISTICS}
    first = np.clip(rng.beta(0.5, 0.5, count), 0.001, 0.999)
    embeddings = rng.normal(2 * drift, 1, (count, SIZE)).astype(np.float32)
    return statistics, np.stack([1 - first, first], axis=1), embeddings


def records(
    count: int, seed: int = 1, drift: float = 0.0, until: datetime = NOON, **changes: Any
) -> list[Record]:
    """Answers about different images, a minute apart, the last one at `until`."""
    statistics, probabilities, embeddings = drawn(count, seed, drift)
    made = []
    for n in range(count):
        values = {
            "sha256": hashlib.sha256(b"%d %d" % (seed, n)).hexdigest(),
            "at": (until - timedelta(minutes=count - 1 - n)).isoformat(timespec="milliseconds"),
            "statistics": {name: float(column[n]) for name, column in statistics.items()},
            "probabilities": {"not_car": probabilities[n, 0], "car": probabilities[n, 1]},
            "label": "car" if probabilities[n, 1] >= 0.5 else "not_car",
            "probability": float(probabilities[n].max()),
            "embedding": embeddings[n],
            "digest": DIGEST,
        }
        made.append(record(1_000_000 * seed + n, **{**values, **changes}))
    return made


def logged(
    folder: Path, answers: Sequence[Record], images: Sequence[bytes] = (), **settings: Any
) -> Path:
    """Write them as the service does."""
    log = PredictionLog(Settings(log=folder, log_images=bool(images), **settings))
    for place, one in enumerate(answers):
        assert log.put(one, images[place] if images else b"")
    assert log.close()
    return folder


def tell(folder: Path, answers: Sequence[Record], right: int) -> None:
    """Feedback about answers: the first `right` of them agree."""
    journal = Journal(folder, FEEDBACK, 1_000_000, 5)
    for place, one in enumerate(answers):
        other = {"car": "not_car", "not_car": "car"}[one.label]
        label = one.label if place < right else other
        entry = Feedback(
            id=one.id, task=one.task, label=label, request_id="r", known=True, at=one.at
        )
        journal.append([to_line(entry)])
    journal.close()


def promoted(made: Path, task: str = "car") -> Version:
    """The bundle as a registered version that is champion."""
    client = store.client()
    run = client.create_run(store.experiment(task), tags={"made": str(made)})
    model = client.create_logged_model(run.info.experiment_id, models.NAME, run.info.run_id)
    shutil.copytree(made, bundle_of(model.artifact_location))
    digest, uri = bundle_format.digest(made), f"models:/{model.model_id}"
    client.set_logged_model_tags(model.model_id, {fields.BUNDLE: digest})
    client.set_terminated(run.info.run_id)
    version = registry.register(task, uri, run.info.run_id, digest)
    registry.move(task, registry.CHAMPION, version)
    return version
