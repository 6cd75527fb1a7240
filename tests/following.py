"""What there is to follow in tests: a shelf of real bundles, where anything can be made to fail."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from roadworthy.bundle.format import digest


@dataclass(frozen=True)
class Offered:
    """A bundle on the shelf."""

    version: int
    digest: str
    fetch: Callable[[], Path]

    def used(self) -> None:
        """Nothing here is ever deleted."""


@dataclass
class Shelf:
    """A `Source` in memory; `fails` is raised by whatever is asked."""

    offers: dict[str, Offered] = field(default_factory=dict)
    fails: Exception | None = None
    fetched: int = 0

    def put(self, folder: Path, version: int, task: str = "car", **changes: object) -> None:
        """Give the alias to a bundle; `changes` of what is said about it."""

        def fetch() -> Path:
            self.fetched += 1
            return folder

        values = {"version": version, "digest": digest(folder), "fetch": fetch, **changes}
        self.offers[task] = Offered(**values)  # type: ignore[arg-type]

    def tasks(self) -> list[str]:
        """All on the shelf."""
        self._fail()
        return list(self.offers)

    def current(self, task: str) -> Offered | None:
        """What is there now."""
        self._fail()
        return self.offers.get(task)

    def _fail(self) -> None:
        if self.fails is not None:
            raise self.fails


def broken_copy(folder: Path, target: Path, name: str, content: bytes) -> Path:
    """A copy of a bundle in which one file is something else."""
    shutil.copytree(folder, target)
    (target / name).write_bytes(content)
    return target
