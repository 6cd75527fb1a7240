"""A new `data/` beside the present one, of hard links, that is swapped in when it is complete.

The present one waits in `.cache/data.old` until the new one is accepted. Wherever a kill falls,
one of the two is whole, and what is in `.cache` says which.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from roadworthy.errors import DataError

DATA = Path("data")
RECORD = Path("data.dvc")
CACHE = Path(".cache")
NEW = CACHE / "data.new"
OLD = CACHE / "data.old"
OLD_RECORD = CACHE / "data.dvc.old"


@contextmanager
def alone() -> Iterator[None]:
    """One change of `data/` at a time; the lock of a process that died is void.

    Raises:
        DataError: another command is changing `data/`.
    """
    from filelock import FileLock, Timeout

    CACHE.mkdir(exist_ok=True)
    try:
        with FileLock(CACHE / "data.lock", timeout=0):
            yield
    except Timeout:
        raise DataError(f"another command is changing {DATA}/: wait for it") from None


def stage() -> Path:
    """A copy of `data/` to edit: files are added, removed and replaced in it, never written into."""
    shutil.rmtree(NEW, ignore_errors=True)
    NEW.mkdir(parents=True)
    if DATA.is_dir():
        link_tree(DATA, NEW)
    return NEW


def swap() -> None:
    """Put the staged folder in the place of `data/`, which waits in `data.old` beside its record."""
    OLD_RECORD.write_bytes(RECORD.read_bytes() if RECORD.is_file() else b"")
    if DATA.is_dir():
        os.replace(DATA, OLD)
    else:
        OLD.mkdir()
    os.replace(NEW, DATA)


def roll_back() -> None:
    """Put back what waits."""
    if DATA.is_dir():
        shutil.rmtree(NEW, ignore_errors=True)
        os.replace(DATA, NEW)
    if OLD_RECORD.is_file():
        os.replace(OLD_RECORD, RECORD)
        if not RECORD.stat().st_size:
            RECORD.unlink()
    if any(OLD.iterdir()):
        os.replace(OLD, DATA)
    clear()


def clear() -> None:
    """Forget what waits, and what was staged."""
    shutil.rmtree(NEW, ignore_errors=True)
    if OLD.is_dir():
        os.replace(OLD, NEW)
    OLD_RECORD.unlink(missing_ok=True)
    shutil.rmtree(NEW, ignore_errors=True)


def link_tree(source: Path, target: Path) -> None:
    """Hard-link every file below `source` into `target`."""
    for parent, _, names in os.walk(source):
        folder = target / Path(parent).relative_to(source)
        folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            link(Path(parent, name), folder / name)


def link(source: Path, target: Path) -> None:
    """Hard-link a file, or copy it where there are no links.

    Raises:
        FileExistsError: `target` is there.
    """
    try:
        os.link(source, target, follow_symlinks=False)
    except FileExistsError:
        raise
    except OSError:
        copy(source, target)


def copy(source: Path, target: Path) -> None:
    """Copy a file's content.

    Raises:
        FileExistsError: `target` is there.
    """
    with source.open("rb") as read, target.open("xb") as write:
        shutil.copyfileobj(read, write, 1 << 20)
