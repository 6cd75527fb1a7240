"""What a running service follows: the versions that have an alias, and their files."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from roadworthy.tracking import registry
from roadworthy.tracking.registry import Version

KEPT = 3
"""Bundles of a task that were fetched last; the one in use is kept besides."""


@dataclass(frozen=True)
class Offer:
    """The version that has the alias."""

    source: "RegistrySource"
    found: Version

    @property
    def version(self) -> int:
        """Number in the registry."""
        return self.found.number

    @property
    def digest(self) -> str:
        """SHA-256 of the bundle."""
        return self.found.digest

    def fetch(self) -> Path:
        """The bundle's folder; earlier ones that are not in use are deleted.

        Raises:
            BundleError: the files are not the ones that were registered.
            TrackingError: they cannot be fetched.
        """
        folder = registry.bundle_folder(self.found, self.source.folder)
        self.source.forget(self.found)
        return folder

    def used(self) -> None:
        """It answers from now on: its files stay until another one does."""
        self.source.in_use[self.found.task] = self.found.digest


class RegistrySource:
    """MLflow's registry, for one alias. One request for the tasks, one for each of them.

    Args:
        alias: such as `champion`.
        folder: nobody else's, for bundles that are not on this machine.
    """

    def __init__(self, alias: str, folder: Path) -> None:
        self.alias, self.folder = alias, folder
        self.in_use: dict[str, str] = {}
        """Digest of what answers, by task."""
        self._versions: dict[tuple[str, int], Version] = {}
        self._fetched: dict[str, list[str]] = {}

    def tasks(self) -> list[str]:
        """Every task of Roadworthy in which a version has the alias.

        Raises:
            TrackingError: the registry cannot be reached.
        """
        return registry.tasks(self.alias)

    def current(self, task: str) -> Offer | None:
        """The version of `task` that has the alias; None: none has.

        Raises:
            TrackingError: the registry cannot be reached.
        """
        number = registry.aliases(task).get(self.alias)
        if number is None:
            return None
        key = task, number
        # Versions never change, so only those not seen before are asked for.
        if key not in self._versions:
            self._versions[key] = registry.version(task, number)
        return Offer(self, self._versions[key])

    def forget(self, latest: Version) -> None:
        """Delete what was fetched long ago, so that following fills no disk.

        However many versions could not be used since, the one in use stays.
        """
        known = self._fetched.setdefault(latest.task, [])
        if latest.digest not in known[-1:]:
            known.append(latest.digest)
        del known[:-KEPT]
        kept = {*self.in_use.values()} | {
            digest for digests in self._fetched.values() for digest in digests
        }
        for folder in self.folder.glob("[0-9a-f]*"):
            if folder.name not in kept:
                shutil.rmtree(folder, ignore_errors=True)
