"""Which images are to be scored: a folder, a pattern, a list, an object store; one after the other.

Nothing but the folder that is being looked at, and what a list named already, is held in memory.
"""

import csv
import glob
import hashlib
import io
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from pyarrow import fs

from roadworthy.data.images import SUFFIXES
from roadworthy.errors import DataError
from roadworthy.scoring.places import is_remote, located, said

LISTS = frozenset({".txt", ".csv", ".parquet"})
COLUMN = "path"
MAGIC = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True)
class Entry:
    """An image to be."""

    path: str
    """Of a file, or an address: text that can be written anywhere."""
    fault: str | None = None
    """Why it cannot even be opened."""


@dataclass
class Count:
    """What was not taken, counted while entries are made."""

    others: int = 0
    """Files of a folder that are not named like images."""
    repeated: int = 0
    """Lines of a list that name an image a second time."""


def entries(source: str, count: Count) -> Iterator[Entry]:
    """The images of a source, in no order that means anything.

    Args:
        source: a folder, a file, a pattern with `*`, `?`, `[` or `**`, or a list (.txt with a path
            a line, .csv or .parquet with a column `path`); here or on s3://.
        count: is counted up.

    Raises:
        DataError: there is no such source, or it cannot be read.
    """
    with _explained(source):
        if PurePosixPath(source).suffix.lower() in LISTS:
            yield from _listed(source, count)
        elif MAGIC.search(source):
            yield from map(_entry, _matching(source))
        elif is_remote(source):
            yield from map(_entry, _images(_objects(source), count))
        elif Path(source).is_dir():
            yield from map(_entry, _images(_files(source), count))
        elif Path(source).exists():
            yield _entry(source)
        else:
            raise DataError(f"{source} is neither a folder nor a file")


@contextmanager
def _explained(source: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(f"{source} cannot be listed: {said(error)}") from error


def _entry(path: str) -> Entry:
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        raw = path.encode("utf-8", "surrogateescape")
        return Entry(raw.decode("utf-8", "backslashreplace"), "its name is not UTF-8")
    return Entry(path)


def _images(paths: Iterable[str], count: Count) -> Iterator[str]:
    for path in paths:
        if os.path.splitext(path)[1].lower() in SUFFIXES:  # noqa: PTH122 - a million times
            yield path
        else:
            count.others += 1


def _files(folder: str) -> Iterator[str]:
    """As `data.files.find`: links to folders are not followed."""
    with os.scandir(folder) as found:
        inside = sorted(found, key=lambda entry: entry.name)
    for entry in inside:
        if entry.is_dir(follow_symlinks=False):
            yield from _files(entry.path)
        else:
            yield entry.path


def _objects(url: str) -> Iterator[str]:
    files, path = located(url)
    inside = files.get_file_info(fs.FileSelector(path))
    for info in sorted(inside, key=lambda info: str(info.path)):
        if info.type == fs.FileType.Directory:
            yield from _objects(f"s3://{info.path}")
        else:
            yield f"s3://{info.path}"


def _matching(pattern: str) -> Iterator[str]:
    if not is_remote(pattern):
        found = glob.iglob(pattern, recursive=True)  # noqa: PTH207 - Path's own comes as a list
        yield from (path for path in found if not Path(path).is_dir())
        return
    from fsspec.utils import glob_translate  # type: ignore[import-untyped]

    fixed = pattern[: MAGIC.search(pattern).start()].rsplit("/", 1)[0]  # type: ignore[union-attr]
    fits = re.compile(glob_translate(pattern)).match
    yield from filter(fits, _objects(fixed))


def _listed(source: str, count: Count) -> Iterator[Entry]:
    lists = sorted(_matching(source)) if MAGIC.search(source) else [source]
    if not lists:
        raise DataError(f"no list is named like {source}")
    seen: set[bytes] = set()
    for name in lists:
        folder = name.rpartition("/")[0]
        for line in _lines(name):
            path = line if is_remote(line) else os.path.join(folder, line)  # noqa: PTH118 - as above
            key = hashlib.blake2b(path.encode("utf-8", "surrogateescape"), digest_size=16).digest()
            if key in seen:
                count.repeated += 1
                continue
            seen.add(key)
            yield _entry(path)


def _lines(name: str) -> Iterator[str]:
    files, path = located(name)
    if name.lower().endswith(".parquet"):
        with files.open_input_file(path) as file:
            yield from _rows(file, name)
        return
    with files.open_input_stream(path) as file:
        text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="")
        if name.lower().endswith(".csv"):
            yield from _cells(text, name)
        else:
            yield from filter(None, (line.rstrip("\r\n") for line in text))


def _cells(text: Any, name: str) -> Iterator[str]:
    table = csv.DictReader(text)
    _need(COLUMN in (table.fieldnames or ()), name)
    yield from filter(None, (row[COLUMN] for row in table))


def _rows(file: Any, name: str) -> Iterator[str]:
    from pyarrow import ArrowInvalid, parquet

    try:
        table = parquet.ParquetFile(file)
    except ArrowInvalid as error:
        raise DataError(f"{name} is no Parquet file: {error}") from None
    _need(COLUMN in table.schema_arrow.names, name)
    for batch in table.iter_batches(columns=[COLUMN]):
        yield from filter(None, batch.column(0).to_pylist())


def _need(there: bool, name: str) -> None:
    if not there:
        raise DataError(f"{name} has no column `{COLUMN}`")
