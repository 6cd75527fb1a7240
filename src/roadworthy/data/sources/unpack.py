"""Unpack an archive of strangers: nothing is written outside, and no more than allowed.

Bytes are counted while they are written, because the sizes in an archive are claims. One entry that
leads outside, or is no plain file, refuses the whole archive.
"""

import gzip
import io
import os
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from lzma import LZMAError
from pathlib import Path, PurePosixPath
from typing import IO, Any

from roadworthy.errors import DataError

CHUNK = 1 << 20
# An archive that grows this much, beyond a first part, is made to fill a disk. Images hardly shrink.
RATIO = 200
FREE = 64 << 20
# Most that may follow the last entry of a tar.
PADDING = 16 << 20
DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    LZMAError,
    gzip.BadGzipFile,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
)


class DamagedError(DataError):
    """An archive that cannot be read; another download may help."""


@dataclass(frozen=True)
class Limits:
    """What an archive may bring."""

    max_bytes: float
    max_files: int = 1_000_000


def unpack(
    archive: Path,
    target: Path,
    limits: Limits,
    wanted: Callable[[PurePosixPath], bool] = lambda path: True,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Path:
    """Unpack the plain files of a zip or tar into `target`, which appears only when it is complete.

    Args:
        wanted: asked about each path; what is not wanted is checked, and not written.
        progress: called with files done and files there are, where the archive says so.

    Returns:
        `target`; if it is there already, nothing is done.

    Raises:
        DamagedError: the archive is no zip or tar, or is broken.
        DataError: an entry leads outside, is a link or a device, or the limits are passed.
    """
    if target.is_dir():
        return target
    temporary = target.with_name(f".{target.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        _write_all(archive, temporary, limits, wanted, progress)
    except BaseException as error:
        shutil.rmtree(temporary, ignore_errors=True)
        if isinstance(error, DAMAGE):
            reason = str(error) or type(error).__name__
            raise DamagedError(f"{archive} cannot be unpacked: {reason}") from None
        if isinstance(error, OSError):
            raise DataError(f"{archive} cannot be unpacked into {target}: {error}") from None
        raise
    os.replace(temporary, target)
    return target


def _write_all(
    archive: Path,
    folder: Path,
    limits: Limits,
    wanted: Callable[[PurePosixPath], bool],
    progress: Callable[[int, int], None],
) -> None:
    size = archive.stat().st_size
    allowed = min(limits.max_bytes, size * RATIO + FREE)
    written = 0
    for done, (name, total, read) in enumerate(_entries(archive, allowed), 1):
        path = _inside(name, archive)
        if done > limits.max_files:
            raise DataError(f"{archive} has more than {limits.max_files:,} entries: not unpacked")
        if read and wanted(path):
            written += _write(read, folder / path, allowed - written, archive)
        progress(done, max(total, done))


Entry = tuple[str, int, Callable[[], IO[bytes] | None] | None]


def _entries(archive: Path, allowed: float) -> Iterator[Entry]:
    """Name, number of entries if known, and how to read it; a folder is not read."""
    if zipfile.is_zipfile(archive):
        yield from _zip_entries(archive)
    elif tarfile.is_tarfile(archive):
        yield from _tar_entries(archive, allowed)
    else:
        raise DamagedError(f"{archive} is neither zip nor tar")


def _zip_entries(archive: Path) -> Iterator[Entry]:
    with zipfile.ZipFile(archive) as opened:
        infos = opened.infolist()
        for info in infos:
            kind = stat.S_IFMT(info.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise _refused(archive, info.filename, "is a link or a device")
            folder = info.is_dir() or kind == stat.S_IFDIR
            yield info.filename, len(infos), None if folder else partial(opened.open, info)


def _tar_entries(archive: Path, allowed: float) -> Iterator[Entry]:
    with tarfile.open(archive) as opened:
        for member in opened:
            if not (member.isreg() or member.isdir()):
                raise _refused(archive, member.name, "is a link or a device")
            # Even what is skipped has to be decompressed.
            if opened.offset > allowed:
                raise _too_much(archive)
            yield member.name, 0, None if member.isdir() else partial(opened.extractfile, member)
        _read_to_the_end(opened.fileobj)


def _read_to_the_end(stream: Any) -> None:
    """The checksum of a compressed tar lies behind the last entry, after a little padding."""
    for _ in range(PADDING // CHUNK):
        if not stream.read(CHUNK):
            return
    raise EOFError("it goes on after its end")


def _inside(name: str, archive: Path) -> PurePosixPath:
    """The path of an entry, if it stays below the folder."""
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in (path.parts or (":",))[0] or "\0" in name:
        raise _refused(archive, name, "leads outside of the folder")
    return path


def _write(read: Callable[[], IO[bytes] | None], target: Path, room: float, archive: Path) -> int:
    target.parent.mkdir(parents=True, exist_ok=True)
    size = 0
    with target.open("xb") as file, read() or io.BytesIO() as source:
        while chunk := source.read(CHUNK):
            size += len(chunk)
            if size > room:
                raise _too_much(archive)
            file.write(chunk)
    return size


def _too_much(archive: Path) -> DataError:
    return DataError(
        f"{archive} unpacks to more than it may (max_gb of its card, and {RATIO} times its own "
        f"size): it may be a bomb, and nothing of it was kept"
    )


def _refused(archive: Path, name: str, why: str) -> DataError:
    return DataError(f"{archive} is refused as a whole: its entry {name!r} {why}")
