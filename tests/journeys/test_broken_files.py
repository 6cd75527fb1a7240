"""Broken and hostile files go the whole way from the disk to the verdict."""

from pathlib import Path

import pandas as pd

from broken_files import FORGIVEN, broken
from odd_images import odd_but_fine
from roadworthy import params
from roadworthy.pipeline import index, split, validate
from support import write_images

SETTINGS = """
tasks:
  car: {kind: binary, images: data/car, label: {classes: [not_car, car]}}
validate: {min_per_class: 5, max_unreadable: 0.9, max_suspicious: 0.9, max_conflicts: 0.5,
           levels: {height: off, width: off}}
"""


def test_each_is_named_with_its_reason_and_the_others_are_used(project: Path) -> None:
    """More than 60 kinds: none stops the road, none is taken for an image, none is lost."""
    wrong = broken(project / "data/car/car")
    odd = odd_but_fine(project / "data/car/not_car")
    for seed, label in enumerate(("car", "not_car")):
        write_images(project / f"data/car/{label}/good", 20, (64, 48), seed)
    (project / "data/car/labels.csv").write_text(
        "path,label\n"
        + "".join(f"{p}/good/{n:04d}.png,{p}\n" for p in ("car", "not_car") for n in range(20))
    )
    plan = params.parse(SETTINGS).task("car")
    index.run(plan)
    validate.run(plan)
    split.run(plan)
    aside = pd.read_csv("artifacts/car/validate/quarantine.csv")
    named = {Path(path).name for path in aside["path"]}
    expected = {name for name in wrong if name.isascii()} - set(FORGIVEN) - {"folder.jpg"}
    assert expected <= named
    assert aside["reason"].str.len().min() > 5
    used = {
        Path(path).name for path in pd.read_parquet("artifacts/car/split/split.parquet")["path"]
    }
    assert not used & expected
    known = {Path(p).name for p in pd.read_parquet("artifacts/car/index/manifest.parquet")["path"]}
    assert set(odd) <= known
    page = Path("artifacts/car/validate/verdict.html").read_text(encoding="utf-8")
    assert "truncated" in page
