"""What DVC holds of the versions of `data/`: its cache, and the listings in it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from roadworthy.data.changes import Listing
from roadworthy.data.staging import DATA, RECORD
from roadworthy.errors import DataError


def open_repo() -> Any:
    """The DVC repository of this folder.

    Raises:
        DataError: there is none.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        return Repo(".")
    except DvcException as error:
        raise DataError(f"this folder is no DVC repository ({error})") from None


def recorded_out(repo: Any) -> Any:
    """What DVC knows of `data/`.

    Raises:
        DataError: `data.dvc` cannot be read.
    """
    from dvc.exceptions import DvcException

    try:
        return repo.stage.load_one(str(RECORD)).outs[0]
    except DvcException as error:
        raise DataError(f"{RECORD} cannot be read: {error}") from None


def commit(repo: Any) -> None:
    """Record what is in `data/`, and copy it into the cache.

    Raises:
        DataError: DVC refuses, for example because another command holds its lock.
    """
    with _asking():
        if RECORD.is_file():
            repo.commit(str(RECORD), force=True)
        else:
            repo.add([str(DATA)])


def checkout(repo: Any) -> None:
    """Bring the recorded version from the cache into `data/`.

    Raises:
        DataError: as `commit`.
    """
    with _asking():
        repo.checkout([str(RECORD)], force=True)


@contextmanager
def _asking() -> Iterator[None]:
    from dvc.exceptions import DvcException

    try:
        yield
    except DvcException as error:
        raise DataError(f"DVC refuses: {error}") from None


def is_cached(repo: Any, out: Any, version: str) -> bool:
    """Whether a version is in DVC's cache with all its files."""
    from dvc_data.hashfile.hash_info import HashInfo
    from dvc_data.hashfile.status import CompareStatusResult, compare_status

    try:
        found: CompareStatusResult = compare_status(
            repo.cache.local,
            repo.cache.local,
            {HashInfo(out.hash_name, version)},
            check_deleted=False,
        )
    except (FileNotFoundError, OSError):
        return False
    return bool(version) and not found.missing


def read_listing(out: Any, version: str) -> Listing | None:
    """The files of a version; None if its listing is not in DVC's cache."""
    from dvc_data.hashfile import load
    from dvc_data.hashfile.hash_info import HashInfo
    from dvc_objects.errors import ObjectFormatError

    try:
        return _files(load(out.cache, HashInfo(out.hash_name, version)))
    except (FileNotFoundError, ObjectFormatError):
        return None


def list_present(out: Any) -> Listing:
    """The files that are in `data/` now."""
    from dvc_data.hashfile.build import build

    return _files(build(out.cache, out.fs_path, out.fs, out.hash_name, ignore=out.dvcignore)[2])


def _files(tree: Any) -> Listing:
    return {"/".join(key): str(info.value) for key, _, info in tree}
