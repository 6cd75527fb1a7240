"""Runs and registry in PostgreSQL, their files in a store that speaks S3, without a server between."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from object_store import account, keys, object_store
from roadworthy.bundle import format as bundle_format
from roadworthy.bundle.format import Lineage
from roadworthy.errors import TrackingError
from roadworthy.tracking import handover, history, registry, store
from roadworthy.tracking.history import Decision
from roadworthy.tracking.runs import RunLog
from support import free_port, tiny_bundle

BUCKET = "models"
# Not AWS_ENDPOINT_URL: MLflow keeps a client for minutes, and knows it by this one.
ENDPOINT = "MLFLOW_S3_ENDPOINT_URL"
LINEAGE = Lineage(params_hash="abc", data_version="d" * 36)
pytestmark = pytest.mark.slow


@pytest.fixture
def shared(postgres_store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of the store for files; both are in use."""
    with object_store(tmp_path, BUCKET) as address:
        for name, value in {**account(tmp_path), ENDPOINT: address}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("AWS_PROFILE", raising=False)
        monkeypatch.setenv(store.ROOT, f"s3://{BUCKET}/mlflow")
        yield address


def test_a_bundle_goes_to_the_store_and_comes_back(shared: str, tmp_path: Path) -> None:
    """Logged, registered, promoted with its pages, and fetched: the files that were registered."""
    folder = tiny_bundle(tmp_path / "export")
    with RunLog.start("car", params={}, lineage=LINEAGE, sample_every=0) as run:
        uri = run.bundle(folder)
    digest = bundle_format.digest(folder)
    new = registry.register("car", uri, run.run_id, digest)
    decision = Decision(
        "car", "promoted", "First.", None, 1, "2026-11-21T07:12:00.000+00:00", "ada"
    )
    handover.hand_over(decision, None, new, {"decision.md": "# First"})
    assert history.read("car") == [decision]
    assert any(name.endswith("/decision.md") for name in keys(shared, BUCKET))
    fetched = registry.bundle_folder(new)
    assert fetched == registry.CACHE / digest
    assert (fetched / "weights.safetensors").read_bytes() == (
        folder / "weights.safetensors"
    ).read_bytes()
    assert not (tmp_path / "mlruns").exists()


def test_a_store_that_is_gone_is_one_message(
    shared: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For whom wants a bundle; a training goes on without it."""
    folder = tiny_bundle(tmp_path / "export")
    with RunLog.start("car", params={}, lineage=LINEAGE, sample_every=0) as run:
        uri = run.bundle(folder)
        new = registry.register("car", uri, run.run_id, bundle_format.digest(folder))
        monkeypatch.setenv(ENDPOINT, f"http://127.0.0.1:{free_port()}")
        begun = time.monotonic()
        run.text("lost", "lost.txt")
        run.metrics({"train/loss": 0.5}, 0)
        with pytest.raises(TrackingError, match=r"files of car/1 cannot be fetched.*endpoint"):
            registry.bundle_folder(new)
        assert time.monotonic() - begun < 120
    assert store.client().get_run(run.run_id).info.status == "FINISHED"
    assert len(store.client().get_metric_history(run.run_id, "train/loss")) == 1


def test_a_bucket_that_nobody_made_is_one_message(
    shared: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store answers, and refuses."""
    monkeypatch.setenv(store.ROOT, "s3://nobody-made-this/mlflow")
    folder = tiny_bundle(tmp_path / "export")
    with (
        RunLog.start("police", params={}, lineage=LINEAGE, sample_every=0) as run,
        pytest.raises(TrackingError, match="bucket does not exist"),
    ):
        run.bundle(folder)
