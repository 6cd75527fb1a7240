"""How many labels are new to the champion: what `monitor` goes by when it asks for training."""

import hashlib
import io
from pathlib import Path

import numpy as np
import pytest

from cheap_versions import cheap_version
from postgres import quick_commits, sqlite_file, sqlite_store  # noqa: F401
from roadworthy import params
from roadworthy.data import ledger, seen
from roadworthy.layout import folder
from roadworthy.pipeline.fresh import fresh_labels
from roadworthy.tracking import registry
from support import write_images

PARAMS = """
tasks:
  car: {kind: binary, images: data/car, label: {from: [folder], classes: [not_car, car]}}
index: {workers: 1}
"""


@pytest.fixture
def images(
    sqlite_store: str,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> list[Path]:
    """Ten images of a task, and its settings, in the current folder."""
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(PARAMS)
    return write_images(Path("data/car/car"), 10)


def digests(paths: list[Path]) -> list[str]:
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]


def promoted(shaped_by: list[Path]) -> None:
    """Make a champion that learned from these images."""
    file = io.BytesIO()
    np.save(file, seen.fronts(digests(shaped_by)))
    made = cheap_version("made", files={"seen.npy": file.getvalue()})
    registry.move("car", registry.CHAMPION, made)


def split(**given: list[Path]) -> None:
    """What `split` has written."""
    plan = params.load().task("car")
    known = {d[:16]: name for name, paths in given.items() for d in digests(paths)}
    ledger.save(Path("splits/car.csv"), ledger.rule(plan.split, plan.seed), known)


def test_what_shaped_or_tested_the_champion_is_not_fresh(images: list[Path]) -> None:
    """What a refused challenger learned from is, until a champion has."""
    promoted(images[:5])
    split(train=images[:6], val=[], test=images[6:8])
    assert fresh_labels("car") == 3
    promoted(images[:6])
    assert fresh_labels("car") == 2


def test_only_what_training_would_look_at_counts(images: list[Path]) -> None:
    """Not copies, nor what has no label, cannot be read, or was set aside."""
    promoted(images[:5])
    (images[9].parent / "copy.png").write_bytes(images[9].read_bytes())
    (images[9].parent / "torn.png").write_bytes(b"\x89PNG")
    write_images(Path("data/car/boat"), 1, seed=5)
    assert fresh_labels("car") == 5
    for stage, file in (("validate", "quarantine.csv"), ("split", "left_out.csv")):
        path = folder("car", stage) / file
        path.parent.mkdir(parents=True)
        number = 7 + (stage == "split")
        path.write_text(f"path,label\ndata/car/car/{number:04}.png,car\n")
    assert fresh_labels("car") == 3


def test_before_the_first_champion_the_bundle_counts_and_else_nothing(images: list[Path]) -> None:
    """A road that was never walked has everything before it."""
    assert fresh_labels("car") == 10
    bundle = folder("car", "export")
    bundle.mkdir(parents=True)
    seen.save(bundle / "seen.npy", seen.fronts(digests(images[:4])))
    assert fresh_labels("car") == 6
