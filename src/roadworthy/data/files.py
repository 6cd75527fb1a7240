"""Which files there are below a folder, by one walk that asks for size and time on its way."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from roadworthy.data.images import SUFFIXES
from roadworthy.errors import DataError


@dataclass(frozen=True, slots=True)
class File:
    """A file named like an image."""

    path: Path
    size: int
    """Bytes."""
    changed: int
    """Time of the last change, nanoseconds."""
    fault: str | None = None
    """Why it cannot even be opened."""

    @property
    def name(self) -> str:
        """The path as text that can be written anywhere."""
        text = self.path.as_posix()
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def find(folder: Path) -> tuple[list[File], tuple[Path, ...]]:
    """All files below `folder` that are named like images, sorted, and those that are not.

    Raises:
        DataError: the folder is missing or has no images.
    """
    if not folder.is_dir():
        raise DataError(
            f"the images folder {folder} is missing: `make data` draws the embedded set, "
            f"`dvc pull` fetches a shared one, `roadworthy add` brings your own"
        )
    images: list[File] = []
    others: list[Path] = []
    _walk(folder, images, others)
    if not images:
        raise DataError(f"{folder} holds no images ({', '.join(sorted(SUFFIXES))})")
    return sorted(images, key=lambda file: file.path.as_posix()), tuple(sorted(others))


def _walk(folder: Path, images: list[File], others: list[Path]) -> None:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                _walk(folder / entry.name, images, others)
            elif (path := folder / entry.name).suffix.lower() in SUFFIXES:
                images.append(_file(path, entry))
            else:
                others.append(path)


def _file(path: Path, entry: os.DirEntry[str]) -> File:
    try:
        found = entry.stat()
    except OSError as error:
        return File(path, 0, 0, f"cannot be opened: {error.strerror}")
    fault = None
    if not stat.S_ISREG(found.st_mode):
        fault = "not a file"
    elif not entry.name.isprintable() and not _is_text(entry.name):
        fault = "its name is not UTF-8"
    return File(path, found.st_size, found.st_mtime_ns, fault)


def _is_text(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
