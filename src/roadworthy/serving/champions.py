"""What is served: per task the champion's bundle, loaded and known to be the one that was packaged.

champions.json      {"car": {"version": 3, "digest": "...", "files": {...}}, ...}
history.json        how they became champions
car/                of the bundle of `car`, what serving needs
"""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from roadworthy.bundle.explain import Explainer
from roadworthy.bundle.finder import Finder
from roadworthy.bundle.format import read_reference
from roadworthy.bundle.predictor import Engine, Predictor
from roadworthy.errors import BundleError
from roadworthy.monitoring.drift import Window
from roadworthy.params import Section

INDEX = "champions.json"


class Entry(Section):
    """One task in `champions.json`."""

    version: int
    """Number in the registry."""
    digest: str
    """SHA-256 of the bundle."""
    files: dict[str, str] = {}
    """SHA-256 of each packaged file, by name; empty where the whole bundle was packaged."""


Entries = TypeAdapter(dict[str, Entry])


@dataclass(frozen=True)
class Champion:
    """A loaded bundle and its number in the registry."""

    version: int
    predictor: Predictor
    finder: Finder | None = None
    """Of a bundle that can search."""
    digest: str = ""
    """SHA-256 of the bundle in the registry."""
    explainer: Explainer = field(init=False)
    window: Window = field(init=False)
    """Its latest images."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "digest", self.digest or self.predictor.digest)
        object.__setattr__(self, "explainer", Explainer(self.predictor))
        object.__setattr__(self, "window", Window(read_reference(self.predictor.folder)))


def read_index(folder: Path) -> dict[str, Entry]:
    """Which bundles a folder of champions holds.

    Raises:
        BundleError: `champions.json` is missing or damaged.
    """
    path = folder / INDEX
    try:
        return Entries.validate_json(path.read_bytes())
    except OSError:
        raise BundleError(f"{folder} holds no champions: {INDEX} is missing") from None
    except ValidationError as error:
        raise BundleError(f"{path} cannot be used: {error.errors()[0]['msg']}") from None


def load_champions(
    folder: Path, *, engine: Engine = "auto", threads: int | None = None
) -> dict[str, Champion]:
    """Load every champion and ask it once: the first caller shall not wait.

    Raises:
        BundleError: none is there, one cannot be loaded, or one is not what was packaged.
    """
    entries = read_index(folder)
    if not entries:
        raise BundleError(f"{folder} holds no champions")
    champions = {}
    for task, entry in entries.items():
        if entry.files and packaged_files(folder / task) != entry.files:
            raise BundleError(f"{folder / task} is not what was packaged: package it again")
        digest = entry.digest if entry.files else ""
        champion = load(folder / task, entry.version, digest, engine=engine, threads=threads)
        if champion.digest != entry.digest:
            raise BundleError(
                f"{folder / task} is not the bundle that was packaged: package it again"
            )
        champions[task] = champion
    return champions


def load(
    folder: Path,
    version: int,
    digest: str = "",
    *,
    engine: Engine = "auto",
    threads: int | None = None,
) -> Champion:
    """Load one champion and ask it once.

    Args:
        digest: of the bundle, where the folder holds a part of it; empty: computed.

    Raises:
        BundleError: it cannot be loaded or cannot answer.
    """
    predictor = Predictor(folder, engine=engine, threads=threads)
    finder = Finder(folder, threads) if predictor.spec.search else None
    champion = Champion(version, predictor, finder, digest)
    warm_up(champion)
    return champion


def warm_up(champion: Champion) -> None:
    """Ask about one grey image, and let who can search search it."""
    from PIL import Image

    picture = Image.new("RGB", (32, 32), "grey")
    champion.predictor.predict([picture])
    if champion.finder:
        champion.finder.find(picture)


def packaged_files(folder: Path) -> dict[str, str]:
    """SHA-256 of every file of a packaged champion, by name."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
        if path.is_file()
    }
