"""Registered versions that cost 50 ms: a real run and a real logged model around a few bytes."""

from collections.abc import Mapping
from pathlib import Path

from roadworthy.bundle import format as bundle_format
from roadworthy.tracking import fields, models, registry, store
from roadworthy.tracking.registry import Version


def cheap_version(
    content: str, task: str = "car", files: Mapping[str, bytes] | None = None
) -> Version:
    """A version whose bundle is one file with this content, and these others."""
    client = store.client()
    run = client.create_run(store.experiment(task), tags={"made": content})
    model = client.create_logged_model(run.info.experiment_id, models.NAME, run.info.run_id)
    folder = bundle_of(model.artifact_location)
    folder.mkdir(parents=True)
    (folder / "weights").write_text(content)
    for name, data in (files or {}).items():
        (folder / name).write_bytes(data)
    digest, uri = bundle_format.digest(folder), f"models:/{model.model_id}"
    client.set_logged_model_tags(model.model_id, {fields.BUNDLE: digest})
    for key, value in ((fields.BUNDLE, digest), (fields.MODEL, uri)):
        client.set_tag(run.info.run_id, key, value)
    client.set_terminated(run.info.run_id)
    return registry.register(task, uri, run.info.run_id, digest)


def bundle_of(artifact_location: str) -> Path:
    """Where the bundle of a logged model lies."""
    return Path(artifact_location.removeprefix("file://")) / models.BUNDLE
