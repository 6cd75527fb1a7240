"""The version of `data/` that `data.dvc` records: compare, bring back, draw again, change, accept.

DVC rewrites `data.dvc` silently when `data/` was changed by hand and `dvc repro` is run. So the
hash that a person accepted is kept in the file's `meta`, which DVC leaves alone; where the two
differ, the road stops. A `data.dvc` without it (older, or of `dvc add`) is taken as it is.
"""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import yaml

from roadworthy.data import staging
from roadworthy.data.changes import Changes, Listing, compare
from roadworthy.data.listings import (
    checkout,
    commit,
    is_cached,
    list_present,
    open_repo,
    read_listing,
    recorded_out,
)
from roadworthy.errors import DataError

DATA, RECORD = staging.DATA, staging.RECORD
ASIDE = Path("data.put-aside")
# In the `meta` of `data.dvc`: with what the embedded set was drawn, and which hash was accepted.
GENERATOR = "generator"
ACCEPTED = "accepted"
Draw = Callable[[Path, int, float], None]
WAYS = (
    "Either `roadworthy setup --accept` makes it the new version, "
    "or `roadworthy setup --restore` brings the recorded one back"
)


@dataclass(frozen=True)
class Version:
    """An accepted version, and what it changed."""

    hash: str
    changes: Changes | None
    """None: the version before it is not in DVC's cache."""
    note: str = ""
    """What was done, where file names alone do not tell."""

    def __str__(self) -> str:
        return self.hash

    @property
    def message(self) -> str:
        """One line for `data.dvc` and for a commit."""
        return self.note or ("changes not known" if self.changes is None else str(self.changes))


def ensure(draw: Draw | None = None) -> str:
    """Make `data/` be the version in `data.dvc`, and keep a copy in DVC's cache.

    What is there and right stays. What is missing comes from the cache, is drawn again if it is
    the embedded set, or else is pulled from the remote.

    Args:
        draw: draws the embedded set into a folder, from a seed and a scale; None leaves that to
            `roadworthy setup`.

    Returns:
        What was done, in a few words.

    Raises:
        DataError: `data/` was changed, cannot be had, or was drawn differently on this machine.
    """
    recover()
    refuse_unaccepted()
    repo = open_repo()
    out = recorded_out(repo)
    if DATA.is_dir():
        if out.get_hash() != out.hash_info:
            raise DataError(_refusal(_changes(read_listing(out, _recorded()), list_present(out))))
        commit(repo)
        return "is the version in data.dvc"
    if is_cached(repo, out, _recorded()):
        checkout(repo)
        return "brought back from DVC's cache"
    generator = _meta(_record()).get(GENERATOR)
    if generator is None:
        raise DataError(f"{DATA} is missing and not in DVC's cache: run `dvc pull {RECORD}`")
    if draw is None:
        raise DataError(f"{DATA} is missing: run `roadworthy setup` first")
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
    commit(repo)
    return "drawn, and the same as data.dvc records"


def change(edit: Callable[[Path], None], note: str = "") -> Version:
    """Make a new version: `edit` works on a copy of hard links, which then is swapped in.

    An error, or a kill at any moment, leaves the version that was (`recover` at the next start).

    Args:
        edit: adds, removes and replaces files in the folder it is given; it never writes into one.
        note: the version's message, instead of counts of files.

    Raises:
        DataError: another command is changing `data/`.
    """
    with staging.alone():
        _recover()
        try:
            edit(staging.stage())
            staging.swap()
            version = accept(note=note)
        except BaseException:
            _recover()
            raise
        staging.clear()
        return version


def recover() -> None:
    """Finish, or take back, a change that was killed."""
    if staging.OLD.is_dir():
        with staging.alone():
            _recover()


def _recover() -> None:
    if not staging.OLD.is_dir():
        shutil.rmtree(staging.NEW, ignore_errors=True)
    elif DATA.is_dir() and RECORD.is_file() and _is_accepted():
        staging.clear()
    else:
        staging.roll_back()


def _is_accepted() -> bool:
    out = recorded_out(open_repo())
    return _meta(_record()).get(ACCEPTED) == _recorded() and out.get_hash() == out.hash_info


def accept(meta: dict[str, Any] | None = None, note: str = "") -> Version:
    """Make what is in `data/` the new version; nothing is written if it is the one that was.

    Args:
        meta: kept in `data.dvc`; None forgets that an earlier version was drawn.
        note: the version's message, instead of counts of files.

    Raises:
        DataError: there is no `data/`.
    """
    if not DATA.is_dir():
        raise DataError(f"{DATA} is missing")
    repo = open_repo()
    before = _record() if RECORD.is_file() else {}
    old = _meta(before).get(ACCEPTED) or _recorded(before)
    commit(repo)
    record = _record()
    new = _recorded(record)
    if new == old:
        version = Version(new, Changes())
        meta = {k: v for k, v in _meta(before).items() if k != ACCEPTED} | (meta or {})
    else:
        out = recorded_out(repo)
        listed = read_listing(out, old) if before else {}
        version = Version(new, _changes(listed, read_listing(out, new)), note)
        record["outs"][0]["desc"] = version.message
    record["meta"] = {**(meta or {}), ACCEPTED: new}
    _write(record)
    return version


def refuse_unaccepted() -> None:
    """Stop where `data.dvc` records another version than was accepted.

    Raises:
        DataError: DVC rewrote it; the message lists what changed, and names the two ways on.
    """
    record = _record() if RECORD.is_file() else {}
    accepted = _meta(record).get(ACCEPTED)
    if accepted not in (None, _recorded(record)):
        out = recorded_out(open_repo())
        raise DataError(
            _refusal(_changes(read_listing(out, accepted), read_listing(out, _recorded())))
        )


def restore(draw: Draw) -> str:
    """Bring back the accepted version; files that were not in it are moved to `data.put-aside`.

    Returns:
        What was done, in a few words.

    Raises:
        DataError: it is neither in DVC's cache nor the embedded set; nothing was changed.
    """
    recover()
    repo = open_repo()
    record = _record()
    wanted = _meta(record).get(ACCEPTED) or _recorded(record)
    cached = is_cached(repo, recorded_out(repo), wanted)
    if not cached and GENERATOR not in _meta(record):
        raise DataError(f"that version is not in DVC's cache: run `dvc fetch {RECORD}` first")
    said = _put_aside(recorded_out(repo), wanted) if DATA.is_dir() else ""
    # DVC fills in the two figures when it commits.
    record["outs"][0] |= {"md5": wanted, "size": 0, "nfiles": 0}
    _write(record)
    if cached:
        checkout(repo)
    else:
        shutil.rmtree(DATA, ignore_errors=True)
    return f"{ensure(draw)}{said}"


def _put_aside(out: Any, wanted: str) -> str:
    contents = set((read_listing(out, wanted) or {}).values())
    paths = [path for path, content in list_present(out).items() if content not in contents]
    folder = next(
        f for n in count(1) if not (f := Path(f"{ASIDE}-{n}" if n > 1 else ASIDE)).exists()
    )
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        os.replace(DATA / path, folder / path)
    return f"; what is not in it is in {folder}/ (files: {len(paths)})" if paths else ""


def _changes(old: Listing | None, new: Listing | None) -> Changes | None:
    return None if old is None or new is None else compare(old, new)


def _refusal(changes: Changes | None) -> str:
    listed = changes.listing() if changes else "  (the recorded version is not in DVC's cache)"
    return f"{DATA}/ was changed, and nobody accepted the changes:\n{listed}\n{WAYS}"


def _record() -> dict[str, Any]:
    try:
        return dict(yaml.safe_load(RECORD.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise DataError(
            f"{RECORD} cannot be read: {reason}; `git log {RECORD}` has it whole"
        ) from None


def _recorded(record: dict[str, Any] | None = None) -> str:
    outs = (_record() if record is None else record).get("outs") or [{}]
    return str(outs[0].get("md5", ""))


def _meta(record: dict[str, Any]) -> dict[str, Any]:
    return dict(record.get("meta") or {})


def _write(record: dict[str, Any]) -> None:
    temporary = RECORD.with_name(f".{RECORD.name}.tmp")
    temporary.write_text(yaml.safe_dump(record, sort_keys=False), encoding="utf-8")
    os.replace(temporary, RECORD)
