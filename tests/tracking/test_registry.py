"""Versions and aliases: nothing registered twice, nothing served but what was registered."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from roadworthy.bundle import format as bundle_format
from roadworthy.bundle.format import Lineage
from roadworthy.errors import BundleError, TrackingError
from roadworthy.tracking import registry, store
from roadworthy.tracking.registry import Version
from roadworthy.tracking.runs import RunLog
from support import tiny_bundle


def registered(folder: Path) -> Version:
    with RunLog.start("car", params={}, lineage=Lineage(params_hash="a"), sample_every=0) as run:
        uri = run.bundle(folder)
    digest = bundle_format.digest(folder)
    return registry.register("car", uri, run.run_id, digest, metrics={"accuracy": 0.9})


def test_a_version_knows_what_it_is(project: Path) -> None:
    """Protects `/info` and the gate, which read run, digest and figures from the registry."""
    folder = tiny_bundle(project / "export")
    version = registered(folder)
    assert (version.task, version.number, version.name) == ("car", 1, "car/1")
    assert version.digest == bundle_format.digest(folder)
    assert version.metrics == {"accuracy": 0.9}
    assert abs(datetime.now(UTC) - version.created) < timedelta(minutes=5)
    assert store.client().get_run(version.run_id).info.status == "FINISHED"


def test_the_same_bundle_is_registered_once(project: Path) -> None:
    """Protects the list of versions from a new line with every nightly run that changes nothing."""
    folder = tiny_bundle(project / "export")
    assert registered(folder) == registered(folder)
    other = registered(tiny_bundle(project / "other", bias=1.0))
    assert [version.number for version in registry.versions("car")] == [1, 2]
    assert registry.by_digest("car", other.digest) == other
    assert registry.by_digest("car", "0" * 64) is None
    assert registry.by_digest("nobody", other.digest) is None


def test_aliases_move_and_go(project: Path) -> None:
    """Protects promotion and rollback, which are nothing but these moves."""
    assert registry.champion("car") is None
    first = registered(tiny_bundle(project / "one"))
    second = registered(tiny_bundle(project / "two", bias=1.0))
    assert registry.champion("car") is None
    registry.move("car", "champion", first)
    registry.move("car", "champion", second)
    registry.move("car", "previous", first)
    assert registry.champion("car") == second
    assert registry.by_alias("car", "previous") == first
    registry.move("car", "previous", None)
    registry.move("car", "previous", None)
    assert registry.by_alias("car", "previous") is None


def test_a_version_says_what_it_is(any_store: str, tmp_path: Path) -> None:
    """Protects the registry's page: card and lineage on every version, cut where a store would refuse."""
    folder = tiny_bundle(tmp_path / "export")
    lineage = Lineage(git_commit="abc", git_dirty=False, params_hash="a")
    with RunLog.start("car", params={}, lineage=lineage, sample_every=0) as run:
        uri = run.bundle(folder)
    tags = registry.lineage_tags(lineage)
    digest = bundle_format.digest(folder)
    version = registry.register("car", uri, run.run_id, digest, tags=tags, card="# Car\n")
    found = store.client().get_model_version("car", "1")
    assert found.description == "# Car\n"
    assert found.tags["roadworthy.lineage.git_commit"] == "abc"
    assert found.tags["roadworthy.lineage.git_dirty"] == "False"
    registry.describe(version, "a line\n" * 1000, {registry.FORCED: "why"})
    found = store.client().get_model_version("car", "1")
    assert len(found.description) <= 5000
    assert found.description.endswith("a line" + registry.CUT)
    assert found.tags[registry.FORCED] == "why"
    assert registry.version("car", 1) == version
    assert registry.numbers("car") == {1}
    with pytest.raises(TrackingError, match="car/2 cannot be looked up"):
        registry.version("car", 2)


def test_local_artifacts_are_used_in_place(project: Path) -> None:
    """Protects the disk: a local store needs no second copy of every champion."""
    version = registered(tiny_bundle(project / "export"))
    folder = registry.bundle_folder(version)
    assert folder.is_relative_to(project / "mlruns")
    assert bundle_format.digest(folder) == version.digest
    lineage = bundle_format.read_lineage(folder)
    assert lineage is not None
    assert lineage.run_id == version.run_id
    assert not (project / ".cache").exists()


def test_changed_files_are_refused(project: Path) -> None:
    """Protects the service from weights that are not those that passed the gate."""
    version = registered(tiny_bundle(project / "export"))
    (registry.bundle_folder(version) / "weights.safetensors").write_text("changed")
    with pytest.raises(BundleError, match="not what was registered as car/1"):
        registry.bundle_folder(version)


def test_a_version_of_another_program_is_named(project: Path) -> None:
    """Protects against a stranger's model that was given the alias by hand."""
    client = store.client()
    run = client.create_run(store.experiment("car"))
    client.create_registered_model("car")
    client.create_model_version("car", f"{run.info.artifact_uri}/x", run.info.run_id)
    client.set_registered_model_alias("car", "champion", "1")
    with pytest.raises(TrackingError, match="car/1 was not registered by Roadworthy"):
        registry.champion("car")
