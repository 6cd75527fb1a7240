"""The folder that an image is built in; see `deploy/Containerfile` for what is where."""

import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import yaml

from roadworthy.errors import BundleError

RECIPE = Path("deploy") / "Containerfile"
SBOM = "sbom.cdx.json"
SITE = "site"
LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "env")


@dataclass(frozen=True)
class Sources:
    """What was packaged."""

    bento: Path
    """Folder of the Bento."""
    model: Path
    """Folder of the BentoML model in it: `.../champions/VERSION`."""

    @property
    def made(self) -> datetime:
        """When the Bento was built."""
        text = (self.bento / "bento.yaml").read_text(encoding="utf-8")
        return datetime.fromisoformat(str(yaml.safe_load(text)["creation_time"]))


def recipe() -> str:
    """The text of the Containerfile.

    Raises:
        BundleError: it is not there.
    """
    try:
        return RECIPE.read_text(encoding="utf-8")
    except OSError as error:
        raise BundleError(
            f"{RECIPE} cannot be read ({error.strerror}): run this in the project's folder"
        ) from None


def fill(folder: Path, sources: Sources) -> None:
    """Put everything into an empty folder but the Python packages and the bill of materials."""
    (folder / "Containerfile").write_text(recipe(), encoding="utf-8")
    (folder / "data").mkdir()
    shutil.copytree(sources.bento, folder / "bento", ignore=LEFT_OUT)
    store = folder / "models" / sources.model.parent.name
    shutil.copytree(sources.model, store / sources.model.name)
    (store / "latest").write_text(sources.model.name, encoding="utf-8")


def without_tests(site: Path) -> None:
    """Delete the packages' own tests and type stubs, which no service reads: 11 MB of 200."""
    for path in site.rglob("tests"):
        if path.is_dir():
            shutil.rmtree(path)
    for path in site.rglob("*.pyi"):
        path.unlink()


def open_to_all(folder: Path) -> None:
    """Let every user read what is below `folder`: the one in the container owns nothing."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            private = path.stat().st_mode
            path.chmod(private | (0o555 if path.is_dir() else 0o444))
