"""The version of `data/` that `data.dvc` records: compare, bring back, draw again, accept.

DVC rewrites `data.dvc` silently when `data/` was changed by hand and `dvc repro` is run; so the
hashes are compared first, and a new version is only ever made by saying so.
"""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from roadworthy.errors import DataError

DATA = Path("data")
RECORD = Path("data.dvc")
# Where `data.dvc` says that its version is the embedded set, and with what it was drawn.
GENERATOR = "generator"
Draw = Callable[[Path, int, float], None]


def ensure(draw: Draw) -> str:
    """Make `data/` be the version in `data.dvc`, and keep a copy in DVC's cache.

    What is there and right stays. What is missing comes from the cache, is drawn again if it is
    the embedded set, or else is pulled from the remote.

    Args:
        draw: draws the embedded set into a folder, from a seed and a scale.

    Returns:
        What was done, in a few words.

    Raises:
        DataError: `data/` was changed, cannot be had, or was drawn differently on this machine.
    """
    repo = _repo()
    out = _out(repo)
    if DATA.is_dir():
        if out.get_hash() != out.hash_info:
            raise DataError(_changed(out))
        repo.commit(str(RECORD), force=True)
        return "is the version in data.dvc"
    if out.hash_info and _cached(repo, out):
        repo.checkout([str(RECORD)], force=True)
        return "brought back from DVC's cache"
    generator = _record()["meta"].get(GENERATOR) if "meta" in _record() else None
    if generator is None:
        raise DataError(f"{DATA} is missing and not in DVC's cache: run `dvc pull {RECORD}`")
    draw(DATA, int(generator["seed"]), float(generator["scale"]))
    if out.get_hash() != out.hash_info:
        other = Path("data.drawn-differently")
        shutil.rmtree(other, ignore_errors=True)
        os.replace(DATA, other)
        raise DataError(
            f"the embedded images came out differently than {RECORD} records: the drawing code or "
            f"Pillow changed. They are in {other}/. To make them the new version: "
            f"`mv {other} {DATA}`, then `roadworthy setup --accept`"
        )
    repo.commit(str(RECORD), force=True)
    return "drawn, and the same as data.dvc records"


def accept(meta: dict[str, Any] | None = None) -> str:
    """Make what is in `data/` the new version.

    Args:
        meta: kept in `data.dvc`; None forgets that an earlier version was drawn.

    Returns:
        The new hash.

    Raises:
        DataError: there is no `data/`.
    """
    if not DATA.is_dir():
        raise DataError(f"{DATA} is missing")
    repo = _repo()
    if RECORD.is_file():
        repo.commit(str(RECORD), force=True)
    else:
        repo.add([str(DATA)])
    record = _record()
    record.pop("meta", None)
    if meta:
        record["meta"] = meta
    temporary = RECORD.with_name(f".{RECORD.name}.tmp")
    temporary.write_text(yaml.safe_dump(record, sort_keys=False), encoding="utf-8")
    os.replace(temporary, RECORD)
    return str(record["outs"][0]["md5"])


def _repo() -> Any:
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        return Repo(".")
    except DvcException as error:
        raise DataError(f"this folder is no DVC repository ({error})") from None


def _out(repo: Any) -> Any:
    from dvc.exceptions import DvcException

    try:
        return repo.stage.load_one(str(RECORD)).outs[0]
    except DvcException as error:
        raise DataError(f"{RECORD} cannot be read: {error}") from None


def _cached(repo: Any, out: Any) -> bool:
    from dvc_data.hashfile.status import CompareStatusResult, compare_status

    try:
        found: CompareStatusResult = compare_status(
            repo.cache.local, repo.cache.local, {out.hash_info}, check_deleted=False
        )
    except (FileNotFoundError, OSError):
        return False
    return not found.missing


def _record() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(RECORD.read_text(encoding="utf-8"))
    return loaded


def _changed(out: Any) -> str:
    return (
        f"{DATA}/ is not the version in {RECORD}: something in it was changed by hand "
        f"(`dvc data status --granular` lists what). Either `roadworthy setup --accept` makes it "
        f"the new version, or `dvc checkout --force {RECORD}` brings the recorded one back"
    )
