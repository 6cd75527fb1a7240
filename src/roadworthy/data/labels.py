"""Read an image's label from a `labels.csv`, its folder or its file name; never guess one.

A `labels.csv` (columns path, label and, if wanted, group; paths relative to its own folder, with
`/`) goes before all other ways; of several the one nearest to the image. An empty label takes the
image out.
"""

import csv
import io
import os
import posixpath
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePath

from roadworthy.data.images import SUFFIXES
from roadworthy.data.makes import MAKES, Names, fold
from roadworthy.errors import DataError
from roadworthy.params import Label

TABLE = "labels.csv"
# Folders that say how a collection is laid out, not what is in the pictures: the one above counts.
LAYOUT = frozenset(
    """
    train training test testing val valid validation images image imgs img photos pictures jpg jpeg
    png data dataset
    """.split()  # noqa: SIM905
)


@dataclass(frozen=True)
class Reading:
    """What could be read of one image."""

    label: str | None
    """None: no label could be read."""
    group: str | None
    """From a `labels.csv`; None: none given."""
    taken_out: bool = False
    """A `labels.csv` names the image with an empty label."""


@dataclass(frozen=True)
class Labels:
    """The labels of all images below one folder."""

    ways: tuple[str, ...]
    names: Names
    closed: bool
    root: str
    tables: Mapping[str, Reading]
    """What the `labels.csv` files say, by path relative to the root."""
    missing: tuple[str, ...]
    """Rows of `labels.csv` files that name no file, each as `file:line: path`."""
    folders: Mapping[str, str]
    """How a folder's folded name is spelled as a label, where it is no known class."""

    @classmethod
    def of(cls, rule: Label, root: Path, only: str = "", given: Path | None = None) -> "Labels":
        """Prepare to read labels below `root`.

        Args:
            only: look at this one folder of `root`, as if it were alone there.
            given: a file that stands for the `labels.csv` of that folder.

        Raises:
            DataError: a `labels.csv` is wrong; the message names file and line.
        """
        names = Names(rule.classes or MAKES, rule.aliases)
        tables, counts = _scan(root / only)
        if given:
            tables[root / only] = given
        rows: dict[str, Reading] = {}
        missing: list[str] = []
        # Outer tables first: what a nearer one says replaces it.
        for folder in sorted(tables, key=lambda path: (len(path.parts), path)):
            inside = folder.relative_to(root).as_posix()
            for line, path, reading in _read_table(tables[folder], names, rule.classes):
                rows[path if inside == "." else f"{inside}/{path}"] = reading
                if not os.path.isfile(f"{folder}/{path}"):  # noqa: PTH113 (50,000 of them)
                    missing.append(f"{tables[folder]}:{line}: {path}")
        spelled = _spelled([*counts.items(), *((r.label, 1) for r in rows.values() if r.label)])
        rows = {path: _respelled(row, names, spelled) for path, row in rows.items()}
        closed = rule.classes is not None
        return cls(rule.source, names, closed, root.as_posix(), rows, tuple(missing), spelled)

    def read(self, path: PurePath) -> Reading:
        """The label of the image at `path`, by the first way that gives one.

        Raises:
            ValueError: the path is not below the root.
        """
        inside = self._inside(path)
        if (listed := self.tables.get(inside)) is not None:
            return listed
        folder, _, name = inside.rpartition("/")
        label = None
        for way in self.ways:
            if way == "folder":
                label = self._of_folder(folder)
            elif way == "filename":
                label = self.names.find(_stem(name))
            if label is not None:
                break
        return Reading(label, None)

    def _inside(self, path: PurePath) -> str:
        text = path.as_posix()
        if self.root == "." and not text.startswith("/"):
            return text
        if not text.startswith(f"{self.root}/"):
            raise ValueError(f"{text} is not below {self.root}")
        return text[len(self.root) + 1 :]

    def _of_folder(self, folder: str) -> str | None:
        """An open set of classes takes the folder's name, unless it is a make or an alias."""
        for name in reversed(folder.split("/")):
            if known := _exact(self.names, name):
                return known
            if (folded := fold(name)) not in LAYOUT:
                return None if self.closed or not folded else self.folders.get(folded, name)
        return None


def _scan(top: Path) -> tuple[dict[Path, Path], Counter[str]]:
    """The `labels.csv` of each folder below `top`, and how many images each folder's name has."""
    tables: dict[Path, Path] = {}
    counts: Counter[str] = Counter()
    for folder, _, files in os.walk(top):
        if TABLE in files:
            tables[Path(folder)] = Path(folder, TABLE)
        images = sum(os.path.splitext(name)[1].lower() in SUFFIXES for name in files)  # noqa: PTH122
        counts[PurePath(folder).name] += images
    return tables, counts


def _spelled(found: Iterable[tuple[str, int]]) -> dict[str, str]:
    """Per folded name the spelling that most images carry, the same on every machine."""
    counts: Counter[str] = Counter()
    for name, count in found:
        counts[name] += count
    ordered = sorted(counts, key=lambda name: (counts[name], name))
    return {fold(name): name for name in ordered}


def _respelled(reading: Reading, names: Names, spelled: Mapping[str, str]) -> Reading:
    if reading.label is None or _exact(names, reading.label) == reading.label:
        return reading
    return Reading(spelled[fold(reading.label)], reading.group)


def _read_table(
    file: Path, names: Names, classes: tuple[str, ...] | None
) -> Iterator[tuple[int, str, Reading]]:
    """Line, path and reading of each row of a `labels.csv`."""
    seen: dict[str, tuple[int, Reading]] = {}
    for line, row in _rows(file):
        path = _path(row["path"], file, line)
        reading = _reading(row, names)
        if classes and reading.label is not None and reading.label not in classes:
            raise _wrong(file, line, f"{reading.label!r} is none of {', '.join(classes)}")
        first = seen.setdefault(path, (line, reading))
        if first[1] != reading:
            raise _wrong(file, line, f"{path} is in line {first[0]} with another label or group")
        if first[0] == line:
            yield line, path, reading


def _rows(file: Path) -> Iterator[tuple[int, dict[str, str]]]:
    reader = csv.reader(_lines(file), strict=True)
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        if not {"path", "label"} <= set(header):
            raise _wrong(file, 1, f"needs the columns path and label, and has {', '.join(header)}")
        for row in reader:
            if row and len(row) != len(header):
                wanted = f"{len(row)} values, where the first line has {len(header)}"
                raise _wrong(file, reader.line_num, wanted)
            if row:
                yield reader.line_num, dict(zip(header, row, strict=True))
    except csv.Error as error:
        raise _wrong(file, reader.line_num, f"is not CSV: {error}") from None


def _lines(file: Path) -> Iterable[str]:
    try:
        data = file.read_bytes()
        return io.StringIO(data.decode("utf-8-sig"), newline="")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise _wrong(file, line, "is not UTF-8: save it as UTF-8") from None
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror}") from None


def _path(text: str, file: Path, line: int) -> str:
    path = posixpath.normpath(text.strip()) if text.strip() else "."
    if path == "." or path.startswith(("/", "../", "\\")) or path == ".." or path[1:2] == ":":
        raise _wrong(file, line, f"{text!r} is no path below {file.parent}/")
    return path


def _reading(row: Mapping[str, str], names: Names) -> Reading:
    label, group = row["label"].strip(), row.get("group", "").strip() or None
    if not label:
        return Reading(None, group, taken_out=True)
    return Reading(_exact(names, label) or label, group)


def _wrong(file: Path, line: int, what: str) -> DataError:
    return DataError(f"{file}, line {line}: {what}")


# A collection has few folders and many images.
@lru_cache(maxsize=4096)
def _exact(names: Names, text: str) -> str | None:
    return names.exact(text)


def _stem(name: str) -> str:
    return name.rpartition(".")[0] or name
