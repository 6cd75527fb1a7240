"""Labels that a person has corrected: read from an edited CSV, and written beside the images.

A correction is a row of a `labels.csv`; the images stay where they are.
"""

import csv
import io
import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path, PurePosixPath

import pandas as pd

from roadworthy.data.labels import TABLE
from roadworthy.errors import DataError

WANTED = ("path", "given", "label", "sha256")


@dataclass(frozen=True)
class Correction:
    """One image and its right label."""

    path: str
    """Posix, relative to the project."""
    given: str
    label: str
    """Empty: the image is taken out."""


def read(file: Path, rows: pd.DataFrame, known: Iterable[str]) -> list[Correction]:
    """The rows of `file` whose `label` is not the `given` one, and all exact copies of their images.

    Args:
        file: a CSV with the columns path, given, label, sha256; others, and missing rows, are fine.
        rows: the present manifest: columns path, label, sha256.
        known: the labels of the task.

    Raises:
        DataError: it is no such CSV, or the data are not what it was made of; names the rows.
    """
    edited = table(file)
    present = rows.astype({"label": "string"}).fillna({"label": "", "sha256": ""}).set_index("path")
    _refuse_another_version(file, edited, present)
    changed = edited[edited["label"] != edited["given"]]
    _refuse_unknown(file, changed, sorted(known))
    right = dict(zip(changed["sha256"], changed["label"], strict=True))
    touched = present[present["sha256"].isin(list(right))]
    wanted = touched["sha256"].map(right)
    found = zip(touched.index, touched["label"], wanted, strict=True)
    return [Correction(path, given, label) for path, given, label in found if given != label]


def write(corrections: Iterable[Correction], images: Path, root: Path) -> list[Path]:
    """Put corrections where labels are read first: the nearest `labels.csv` that names the image.

    Where none does, that is the one of the task's folder. Rows and columns that are there stay.
    All files are written before the first takes its place.

    Args:
        images: the folder of the task's images, as the paths of the corrections have it.
        root: that folder, or a copy of it that is to be changed.

    Returns:
        The files written.
    """
    tables: dict[Path, Table] = {}
    changed = set()
    for correction in corrections:
        path = root / PurePosixPath(correction.path).relative_to(images.as_posix())
        folders = [folder for folder in path.parents if folder.is_relative_to(root)]
        for folder in folders:
            tables.setdefault(folder, Table.read(folder))
        naming = (f for f in folders if _inside(path, f) in tables[f].labels)
        chosen = next(naming, root)
        tables[chosen].labels[_inside(path, chosen)] = correction.label
        changed.add(chosen)
    drafts = {folder: folder / f".{TABLE}.tmp" for folder in sorted(changed)}
    for folder, draft in drafts.items():
        draft.write_text(tables[folder].text(), encoding="utf-8")
    for folder, draft in drafts.items():
        os.replace(draft, folder / TABLE)
    return [folder / TABLE for folder in drafts]


def summarise(corrections: Iterable[Correction]) -> list[str]:
    """How many labels changed from what to what, one line each, the most frequent first."""
    counts = Counter((c.given, c.label) for c in corrections)
    return [
        f"{count:6} {given or 'no label'} -> {label or 'taken out'}"
        for (given, label), count in counts.most_common()
    ]


@dataclass(frozen=True)
class Table:
    """One `labels.csv`; empty where there is none."""

    columns: tuple[str, ...]
    rows: tuple[dict[str, str], ...]
    labels: dict[str, str]
    """Label by path; what is changed or added here goes into the text."""

    @classmethod
    def read(cls, folder: Path) -> "Table":
        """The file in `folder`, which reading the manifest has found to be right."""
        if not (folder / TABLE).is_file():
            return cls(("path", "label"), (), {})
        text = (folder / TABLE).read_text(encoding="utf-8-sig")
        head, *found = (row for row in csv.reader(io.StringIO(text, newline="")) if row)
        columns = tuple(name.strip().lower() for name in head)
        rows = tuple(dict(zip(columns, row, strict=True)) for row in found)
        return cls(columns, rows, {_plain(row["path"]): row["label"] for row in rows})

    def text(self) -> str:
        """The file, with new rows at its end."""
        out = io.StringIO()
        writer = csv.DictWriter(out, self.columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(row | {"label": self.labels[_plain(row["path"])]} for row in self.rows)
        old = {_plain(row["path"]) for row in self.rows}
        new = sorted(self.labels.keys() - old)
        writer.writerows({"path": path, "label": self.labels[path]} for path in new)
        return out.getvalue()


def _inside(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def _plain(path: str) -> str:
    return PurePosixPath(path.strip()).as_posix()


def table(file: Path) -> pd.DataFrame:
    """The columns `WANTED` of a CSV, as text.

    Comma or semicolon, with or without the mark that spreadsheets begin a file with.

    Raises:
        DataError: it cannot be read, is ragged, or lacks a column.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise DataError(f"{file} is not UTF-8: save it as `CSV UTF-8`") from None
    head = text.partition("\n")[0]
    separator = ";" if head.count(";") > head.count(",") else ","
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    columns, *rows = [line for line in lines if line] or [[]]
    for row in rows:
        if len(row) != len(columns):
            raise DataError(
                f"{file}: the row of {row[0]} has {len(row)} values, the first line {len(columns)}"
            )
    missing = [name for name in WANTED if name not in columns]
    if missing:
        raise DataError(
            f"{file} has no column {' or '.join(missing)}: give the suspects.csv that "
            "`roadworthy audit` wrote, with its column `label` edited"
        )
    found = pd.DataFrame(rows, columns=columns, dtype=str)
    return pd.DataFrame({name: found[name].str.strip() for name in WANTED})


def _refuse_another_version(file: Path, edited: pd.DataFrame, present: pd.DataFrame) -> None:
    again = "run `roadworthy audit` again, and edit its new suspects.csv"
    _refuse(
        edited.loc[~edited["path"].isin(present.index), "path"],
        f"{file} names images that the task does not have",
        f"if images were removed or renamed since, {again}",
    )
    now = present.loc[edited["path"]]
    _refuse(
        edited.loc[now["sha256"].to_numpy() != edited["sha256"].to_numpy(), "path"],
        f"{file} was made of another version of the data: these images have changed",
        again,
    )
    pairs = zip(edited["path"], edited["given"], now["label"], strict=True)
    _refuse(
        [f"{path} ({given!r}, not {label!r})" for path, given, label in pairs if given != label],
        f"{file} has another label under `given` than the images have now",
        f"put corrections into the column `label` only; if labels have changed since, {again}",
    )


def _refuse_unknown(file: Path, changed: pd.DataFrame, known: list[str]) -> None:
    strange = sorted(set(changed["label"]) - {*known, ""})
    near = {name: get_close_matches(name, known, n=1, cutoff=0.5) for name in strange}
    _refuse(
        [f"{name!r}" + (f" (is it {near[name][0]!r}?)" if near[name] else "") for name in strange],
        f"{file} has labels that the task does not know",
        f"it knows {', '.join(known)}; an empty label takes the image out",
    )
    twice = changed.groupby("sha256")["label"].nunique()
    disputed = changed[changed["sha256"].isin(twice.index[twice > 1])]
    _refuse(disputed["path"], f"{file} gives one image two labels", "choose one")


def _refuse(found: Iterable[str], what: str, then: str) -> None:
    found = list(found)
    if found:
        more = f" and {len(found) - 3} more" if len(found) > 3 else ""
        raise DataError(f"{what}: {', '.join(found[:3])}{more}; {then}. Nothing was changed")
