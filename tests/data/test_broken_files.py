"""No file stops the index; what cannot be read is a row with its reason, what can is upright."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from broken_files import FORGIVEN, broken
from odd_images import odd_but_fine
from roadworthy import params
from roadworthy.data import manifest
from roadworthy.data.images import open_image
from roadworthy.errors import DataError

PLAN = """
tasks:
  odd: {kind: multiclass, images: data/odd, label: {from: [folder]}}
index: {workers: 1}
"""
Table = tuple[dict[str, str], pd.DataFrame]


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> Table:
    """What is wrong with each broken file, and the manifest over them."""
    folder = tmp_path_factory.mktemp("broken")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        wrong = broken(Path("data/odd/things"))
        rows = manifest.build(params.parse(PLAN).task("odd")).rows
    (folder / "data/odd/things/no_permission.jpg").chmod(0o600)
    return wrong, rows.set_index(rows["path"].map(lambda path: Path(path).name))


def test_there_are_forty_kinds_and_more(damaged: Table) -> None:
    """The issue asks for 40."""
    assert len(damaged[0]) >= 60


def test_every_broken_file_is_a_row_with_its_reason(damaged: Table) -> None:
    """None crashes the index, none is taken for an image, none is lost."""
    wrong, rows = damaged
    # A folder is walked into; a name that is no text is listed under another spelling.
    assert {name for name in wrong if name.isascii()} - {"folder.jpg"} <= set(rows.index)
    assert len(rows) == len(wrong) - 1
    refused = rows[~rows.index.isin(FORGIVEN)]
    assert not refused["readable"].any(), refused[refused["readable"]]["path"].tolist()
    assert refused["reason"].str.len().min() > 5
    assert refused["reason"].str.len().max() < 200


def test_a_manifest_of_broken_files_can_be_written(damaged: Table, tmp_path: Path) -> None:
    """Also with line breaks and bytes that are no text in the names."""
    _, rows = damaged
    rows.reset_index(drop=True).to_parquet(tmp_path / "manifest.parquet")
    assert len(pd.read_parquet(tmp_path / "manifest.parquet")) == len(rows)


def test_a_folder_of_nothing_but_broken_files_is_described(tmp_path: Path) -> None:
    """One decoder for bytes and files: both refuse with a DataError, and nothing else."""
    wrong = broken(tmp_path / "things")
    for name in wrong:
        path = tmp_path / "things" / name
        if name not in FORGIVEN and path.is_file():
            with pytest.raises(DataError):
                open_image(path.read_bytes(), 100_000_000)


# With little memory, and a time limit: else a failure would be a machine that hangs.
OPEN = """
import resource, sys
from pathlib import Path
from roadworthy.data.images import open_image
from roadworthy.errors import DataError
resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
for path in map(Path, sys.argv[1:]):
    try:
        open_image(path)
    except DataError as error:
        print(f"{path.name}: {error}", flush=True)
"""


def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    """Opening a pipe waits for a writer, a device may never end."""
    broken(tmp_path / "things")
    names = ["folder.jpg", "circle.jpg", "dangling.jpg", "device.jpg", "pipe.jpg"]
    paths = [str(tmp_path / "things" / name) for name in names]
    command = [sys.executable, "-c", OPEN, *paths]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        said = done.stdout + done.stderr
    except subprocess.TimeoutExpired as late:
        said = f"{late.stdout!r}: and then it hung"
    assert [line.split(":")[0] for line in said.splitlines()] == names, said


def test_odd_images_are_read_upright(tmp_path: Path) -> None:
    """Red (or bright) above blue (or dark), whatever the format stores."""
    wrong = []
    for name, odd in odd_but_fine(tmp_path).items():
        try:
            pixels = np.asarray(open_image(tmp_path / name).convert("RGB"), np.int16)
        except DataError as error:
            wrong.append(f"{name} ({odd}): {error}")
            continue
        top, bottom = pixels[: len(pixels) // 3 + 1], pixels[-(len(pixels) // 3) - 1 :]
        if pixels.shape[:2] not in ((48, 64), (2, 64)) or _red(top) < _red(bottom) + 100:
            wrong.append(f"{name} ({odd}): {pixels.shape}, {_red(top):.0f} over {_red(bottom):.0f}")
    assert not wrong


def _red(pixels: np.ndarray) -> float:
    return float(pixels[:, 8:-8, 0].mean())
