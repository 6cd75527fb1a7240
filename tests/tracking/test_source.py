"""The registry as a service sees it: who has the alias, and the files of it."""

from pathlib import Path

import pytest

from cheap_versions import cheap_version
from roadworthy.bundle import format as bundle_format
from roadworthy.bundle.format import Lineage
from roadworthy.errors import BundleError, TrackingError
from roadworthy.serving.context import Served
from roadworthy.serving.follow import Follower
from roadworthy.serving.metrics import Metrics
from roadworthy.tracking import registry, source, store
from roadworthy.tracking.registry import Version
from roadworthy.tracking.runs import RunLog
from roadworthy.tracking.source import RegistrySource
from support import tiny_bundle


def ignore(*_: object) -> None:
    pass


def registered(folder: Path, task: str = "car") -> Version:
    with RunLog.start(task, params={}, lineage=Lineage(params_hash="a"), sample_every=0) as run:
        uri = run.bundle(folder)
    return registry.register(task, uri, run.run_id, bundle_format.digest(folder))


def test_promotion_and_rollback_reach_the_service(project: Path) -> None:
    """From the alias in MLflow to the answers, forwards and back again."""
    first = registered(tiny_bundle(project / "one"))
    second = registered(tiny_bundle(project / "two", bias=1.0))
    registry.move("car", registry.CHAMPION, first)
    served = Served({}, Metrics())
    follower = Follower(RegistrySource(registry.CHAMPION, project / "fetched"), served, ignore)
    for version in (first, second, first):
        registry.move("car", registry.CHAMPION, version)
        assert follower.poll()
        champion = served.champions["car"]
        assert (champion.version, champion.digest) == (version.number, version.digest)
    registry.move("car", registry.CHAMPION, None)
    assert follower.poll()
    assert served.champions["car"].version == first.number


def test_only_what_is_ours_is_followed(project: Path) -> None:
    """Claims and other people's models live in the same registry."""
    client = store.client()
    for name in ("foreign", "roadworthy-claim-car"):
        client.create_registered_model(name)
    client.create_model_version("foreign", str(project))
    client.set_registered_model_alias("foreign", "champion", "1")
    found = RegistrySource("champion", project / "fetched")
    assert found.tasks() == []
    registry.move("car", "champion", registered(tiny_bundle(project / "one")))
    registered(tiny_bundle(project / "police", task="police"), "police")
    assert found.tasks() == ["car"]
    assert found.current("police") is None and found.current("nobody") is None
    with pytest.raises(TrackingError, match="not registered by Roadworthy"):
        found.current("foreign")


def test_files_that_were_changed_are_not_handed_out(project: Path) -> None:
    """What somebody wrote into the store is not served."""
    version = registered(tiny_bundle(project / "one"))
    registry.move("car", "champion", version)
    offer = RegistrySource("champion", project / "fetched").current("car")
    assert offer is not None
    folder = offer.fetch()
    assert bundle_format.digest(folder) == offer.digest
    (folder / bundle_format.GRAPH).write_bytes(b"other")
    with pytest.raises(BundleError, match="not what was registered"):
        offer.fetch()


def test_fetched_bundles_do_not_fill_the_disk(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service that follows for a year keeps the last few bundles of each task."""
    # As if the artifacts were on another machine.
    monkeypatch.setattr(registry, "_local", lambda address: None)
    found = RegistrySource("champion", project / "fetched")
    versions = [cheap_version(str(n), task) for task in ("brand", "car") for n in range(5)]
    for version in versions:
        registry.move(version.task, "champion", version)
        offer = found.current(version.task)
        assert offer is not None and offer.fetch().is_relative_to(project / "fetched")
    kept = {path.name for path in (project / "fetched").iterdir() if path.is_dir()}
    last = [*versions[5 - source.KEPT : 5], *versions[-source.KEPT :]]
    assert kept == {version.digest for version in last}


def test_the_bundle_in_use_outlives_versions_that_could_not_be_used(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many failed after it; when another one is used, it may go."""
    monkeypatch.setattr(registry, "_local", lambda address: None)
    found = RegistrySource("champion", project / "fetched")
    versions = [cheap_version(str(n)) for n in range(2 * source.KEPT + 2)]

    def fetched(version: Version) -> source.Offer:
        registry.move("car", "champion", version)
        offer = found.current("car")
        assert offer is not None
        offer.fetch()
        return offer

    first = fetched(versions[0])
    first.used()
    for version in versions[1 : source.KEPT + 2]:
        last = fetched(version)
    assert (project / "fetched" / first.digest).is_dir()
    assert not (project / "fetched" / versions[1].digest).exists()
    last.used()
    for version in versions[source.KEPT + 2 :]:
        fetched(version)
    assert not (project / "fetched" / first.digest).exists()
    assert (project / "fetched" / last.digest).is_dir()


def test_the_follower_tells_what_is_in_use(project: Path) -> None:
    """What answers is known to the source, whose files must stay."""
    version = registered(tiny_bundle(project / "one"))
    registry.move("car", registry.CHAMPION, version)
    found = RegistrySource(registry.CHAMPION, project / "fetched")
    assert Follower(found, Served({}, Metrics()), ignore).poll()
    assert found.in_use == {"car": version.digest}
