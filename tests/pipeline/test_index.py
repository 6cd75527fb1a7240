"""The stage on real files: what it writes, and what it refuses."""

import shutil
from pathlib import Path

import pandas as pd
import pytest
import yaml

from roadworthy import params
from roadworthy.errors import DataError
from roadworthy.params import TaskPlan
from roadworthy.pipeline import index
from support import write_images

SETTINGS = "tasks: {car: {kind: binary, images: data/car, label: {classes: [not_car, car]}}}"
STAGE = Path("artifacts/car/index")


@pytest.fixture
def plan(project: Path) -> TaskPlan:
    for seed, label in enumerate(("car", "not_car")):
        write_images(project / "data/car" / label, 4, seed=seed)
    return params.parse(SETTINGS).task("car")


def test_the_same_files_give_the_same_bytes(plan: TaskPlan) -> None:
    """DVC hashes them; what was remembered must not show."""
    index.run(plan)
    first = {path.name: path.read_bytes() for path in STAGE.iterdir()}
    assert set(first) == {"manifest.parquet", "thumbnails.npy"}
    index.run(plan)
    assert {path.name: path.read_bytes() for path in STAGE.iterdir()} == first
    shutil.rmtree(index.MEMORY)
    index.run(plan)
    assert {path.name: path.read_bytes() for path in STAGE.iterdir()} == first


def test_boxes_beside_the_images_are_kept(
    plan: TaskPlan, capsys: pytest.CaptureFixture[str]
) -> None:
    """The detector's scenes come with theirs; a line that is none is named."""
    Path("data/car/car/0000.txt").write_text("0 0.5 0.5 0.2 0.2\n0 0.5 0.5 7 0.2\n")
    index.run(plan)
    found = pd.read_parquet(STAGE / index.BOXES)
    assert found[["path", "x", "w"]].values.tolist() == [["data/car/car/0000.png", 0.5, 0.2]]
    assert "0000.txt, line 2" in capsys.readouterr().out


def test_a_version_that_nobody_accepted_is_refused(plan: TaskPlan) -> None:
    """`dvc repro` has rewritten data.dvc before the first stage runs."""
    record = {"outs": [{"md5": "b.dir", "path": "data"}], "meta": {"accepted": "a.dir"}}
    Path("data.dvc").write_text(yaml.safe_dump(record))
    Path(".dvc").mkdir()
    Path(".dvc/config").write_text("[core]\n    no_scm = true\n")
    with pytest.raises(DataError, match="--accept"):
        index.run(plan)
    assert not STAGE.exists()
