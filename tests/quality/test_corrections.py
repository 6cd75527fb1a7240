"""What a person corrected is what is read afterwards; what does not fit the data is refused."""

import shutil
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadworthy.data.labels import TABLE, Labels
from roadworthy.errors import DataError
from roadworthy.params import Label
from roadworthy.quality import corrections
from roadworthy.quality.corrections import Correction

CLASSES = ("bike", "car", "van")
IMAGES = Path("data/t")
PATHS = (
    "car/a.png",
    "car/b.png",
    "van/c.png",
    "photos/d.png",
    "photos/deep/e.png",
    'odd, "one".png',
)


def manifest() -> pd.DataFrame:
    """Five images, the last two of them the same; one has no label."""
    return pd.DataFrame(
        {
            "path": [f"data/t/{name}.png" for name in "abcde"],
            "label": pd.array(["car", "car", "van", None, "car"], dtype="string"),
            "sha256": ["1", "2", "3", "4", "2"],
        }
    )


def edited(file: Path, **changes: str) -> Path:
    """The CSV of an audit of `manifest` with other labels for some images."""
    table = manifest().iloc[:3].rename(columns={"label": "given"})
    table["label"] = [
        changes.get(Path(p).stem, g) for p, g in zip(table["path"], table["given"], strict=True)
    ]
    table.to_csv(file, index=False)
    return file


def test_changed_rows_and_their_exact_copies_are_corrections(tmp_path: Path) -> None:
    """A copy left behind under the old label would put both into quarantine."""
    file = edited(tmp_path / "s.csv", a="van", b="")
    assert corrections.read(file, manifest(), CLASSES) == [
        Correction("data/t/a.png", "car", "van"),
        Correction("data/t/b.png", "car", ""),
        Correction("data/t/e.png", "car", ""),
    ]


def test_an_unedited_file_corrects_nothing(tmp_path: Path) -> None:
    """To look is not to change."""
    assert corrections.read(edited(tmp_path / "s.csv"), manifest(), CLASSES) == []


def test_what_spreadsheets_make_of_it_is_read(tmp_path: Path) -> None:
    """A byte order mark, semicolons, other columns, fewer rows, blanks around a label."""
    file = tmp_path / "s.csv"
    file.write_text("label;sha256;path;note;given\n van ;1;data/t/a.png;?;car\n", "utf-8-sig")
    assert corrections.read(file, manifest(), CLASSES) == [Correction("data/t/a.png", "car", "van")]


HEAD = "path,given,label,sha256\n"
REFUSED = {
    "an unknown label": (HEAD + "data/t/a.png,car,vann,1\n", "is it 'van'"),
    "an unknown path": (HEAD + "data/t/z.png,car,van,1\n", "does not have: data/t/z.png"),
    "an edited given": (HEAD + "data/t/a.png,van,car,1\n", "another label under `given`.*a.png"),
    "a lost label": (HEAD + "data/t/d.png,car,van,4\n", "another label under `given`.*d.png"),
    "another version": (HEAD + "data/t/a.png,car,van,9\n", "another version of the data"),
    "two labels": (HEAD + "data/t/b.png,car,van,2\ndata/t/e.png,car,bike,2\n", "two labels"),
    "no such columns": ("path,label\ndata/t/a.png,van\n", "no column given or sha256"),
    "a ragged line": (
        HEAD + "data/t/a.png,car,van,1,2,3\n",
        "the row of data/t/a.png has 6 values",
    ),
    "nothing": ("", "no column path"),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_what_does_not_fit_is_refused(tmp_path: Path, fault: str) -> None:
    """One clear message each, before anything is written."""
    text, message = REFUSED[fault]
    file = tmp_path / "s.csv"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=f"(?s)s.csv.*{message}"):
        corrections.read(file, manifest(), CLASSES)


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    """Missing, and saved by a spreadsheet in its own encoding."""
    with pytest.raises(DataError, match="No such file"):
        corrections.read(tmp_path / "s.csv", manifest(), CLASSES)
    (tmp_path / "s.csv").write_bytes(HEAD.encode() + "data/t/ü.png".encode("cp1252"))
    with pytest.raises(DataError, match="not UTF-8"):
        corrections.read(tmp_path / "s.csv", manifest(), CLASSES)


tables = st.dictionaries(
    st.sampled_from(["", "photos", "photos/deep", "car"]),
    st.dictionaries(
        st.sampled_from(PATHS),
        st.tuples(st.sampled_from([*CLASSES, ""]), st.sampled_from(["", "g1"])),
    ),
)


@given(tables, st.dictionaries(st.sampled_from(PATHS), st.sampled_from([*CLASSES, ""]), min_size=1))
def test_corrections_are_what_is_read_afterwards(
    tmp_path_factory: pytest.TempPathFactory,
    before: dict[str, dict[str, tuple[str, str]]],
    wanted: dict[str, str],
) -> None:
    """Whatever `labels.csv` files there are: all other labels, and all groups, stay."""
    root = tmp_path_factory.mktemp("t")
    for path in PATHS:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    for folder, named in before.items():
        rows = [
            (Path(path).relative_to(folder).as_posix(), *values)
            for path, values in named.items()
            if Path(path).is_relative_to(folder)
        ]
        table = pd.DataFrame(rows, columns=["Path", "Label", "Group"])
        table.to_csv(root / folder / TABLE, index=False)
    rule = Label(classes=CLASSES)
    old = {path: Labels.of(rule, root).read(root / path) for path in PATHS}
    made = [Correction(f"data/t/{path}", "?", label) for path, label in wanted.items()]
    corrections.write(made, IMAGES, root)
    new = {path: Labels.of(rule, root).read(root / path) for path in PATHS}
    for path in PATHS:
        assert new[path].group == old[path].group
        if path in wanted:
            assert (new[path].label or "") == wanted[path]
        else:
            assert new[path] == old[path]
    assert not list(root.rglob("*.tmp"))
    shutil.rmtree(root)


def test_a_file_is_replaced_never_written_into(tmp_path: Path) -> None:
    """The new version is edited in a copy of hard links: the old one must not change with it."""
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    new.mkdir()
    (old / TABLE).write_text("path,label\na.png,car\n")
    (new / TABLE).hardlink_to(old / TABLE)
    corrections.write([Correction("data/t/a.png", "car", "van")], IMAGES, new)
    assert (new / TABLE).read_text() == "path,label\na.png,van\n"
    assert (old / TABLE).read_text() == "path,label\na.png,car\n"
