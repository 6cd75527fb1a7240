"""What is served: per task the champion's bundle, loaded and known to be the one that was packaged.

champions.json      {"car": {"version": 3, "digest": "..."}, ...}
car/                the bundle of `car`
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from roadworthy.bundle.finder import Finder
from roadworthy.bundle.predictor import Predictor
from roadworthy.errors import BundleError
from roadworthy.params import Section

INDEX = "champions.json"


class Entry(Section):
    """One task in `champions.json`."""

    version: int
    """Number in the registry."""
    digest: str
    """SHA-256 of the bundle."""


Entries = TypeAdapter(dict[str, Entry])


@dataclass(frozen=True)
class Champion:
    """A loaded bundle and its number in the registry."""

    version: int
    predictor: Predictor
    finder: Finder | None = None
    """Of a bundle that can search."""


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


def load_champions(folder: Path, threads: int | None = None) -> dict[str, Champion]:
    """Load every champion with ONNX Runtime and ask it once: the first caller shall not wait.

    Raises:
        BundleError: none is there, one cannot be loaded, or one is not what was packaged.
    """
    entries = read_index(folder)
    if not entries:
        raise BundleError(f"{folder} holds no champions")
    champions = {}
    for task, entry in entries.items():
        predictor = Predictor(folder / task, engine="onnx", threads=threads)
        if predictor.digest != entry.digest:
            raise BundleError(
                f"{folder / task} is not the bundle that was packaged: package it again"
            )
        finder = Finder(folder / task, threads) if predictor.spec.search else None
        champions[task] = Champion(entry.version, predictor, finder)
    warm_up(champions)
    return champions


def warm_up(champions: Mapping[str, Champion]) -> None:
    """Ask every champion about one grey image, and let those that can search it."""
    from PIL import Image

    picture = Image.new("RGB", (32, 32), "grey")
    for champion in champions.values():
        champion.predictor.predict([picture])
        if champion.finder:
            champion.finder.find(picture)
