"""What is set aside, and what the verdict says, on real files with planted faults."""

from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from roadworthy import params
from roadworthy.data import manifest
from roadworthy.params import TaskPlan
from roadworthy.quality import shortcut, suite, triage
from roadworthy.quality.rules import Facts, rules
from support import write_images

SETTINGS = """
tasks:
  car: {kind: binary, images: data/car, label: {classes: [not_car, car]}}
validate: {min_per_class: 5, max_unreadable: 0.2, max_conflicts: 0.2, max_unlabelled: 0.2}
"""


@pytest.fixture
def plan(project: Path) -> TaskPlan:
    write_images(project / "data/car/car", 12, (96, 72), seed=1)
    write_images(project / "data/car/not_car", 12, (96, 72), seed=2)
    return params.parse(SETTINGS).task("car")


def judged(plan: TaskPlan, project: Path) -> tuple[pd.DataFrame, pd.DataFrame, suite.Verdict]:
    made = manifest.build(plan)
    found = triage.triage(made.rows, made.thumbnails, plan)
    facts = Facts(plan, made.rows, found.clean, shortcut.find(found.clean))
    verdict = suite.judge(facts, project / "docs")
    return found.clean, found.aside, verdict


def test_good_data_pass_and_the_docs_are_written(plan: TaskPlan, project: Path) -> None:
    """Great Expectations really ran: its pages are there."""
    clean, aside, verdict = judged(plan, project)
    assert (len(clean), len(aside)) == (24, 0)
    assert verdict.passed, verdict.broken("error")
    assert (project / "docs" / "index.html").is_file()
    assert len(verdict.findings) == len(
        [rule for rule in rules(plan.validation) if not rule.over_time]
    )


def test_every_fault_is_named_and_nothing_is_deleted(plan: TaskPlan, project: Path) -> None:
    """One bad file must neither stop the road nor vanish without a word."""
    car, other = project / "data/car/car", project / "data/car/not_car"
    whole = (car / "0000.png").read_bytes()
    (car / "empty.jpg").write_bytes(b"")
    (car / "text.jpg").write_bytes(b"hello")
    (car / "cut.png").write_bytes(whole[: len(whole) // 2])
    (car / "again.png").write_bytes((car / "0001.png").read_bytes())
    (other / "stolen.png").write_bytes((car / "0002.png").read_bytes())
    (project / "data/car/0.png").write_bytes((car / "0003.png").read_bytes()[:-1] + b"x")
    Image.open(car / "0004.png").save(car / "recoded.jpg", quality=90)
    clean, aside, _ = judged(plan, project)
    reasons = {Path(row.path).name: row.reason for row in aside.itertuples()}
    assert reasons["empty.jpg"] == "empty file"
    assert reasons["text.jpg"] == "not an image"
    assert "damaged" in reasons["cut.png"]
    assert reasons["stolen.png"] == reasons["0002.png"] == "an exact copy has another label"
    assert "no label" in reasons["0.png"]
    assert len(clean) + len(aside) == len(list((project / "data").rglob("*.*")))
    pair = clean[
        clean["path"].str.contains("0004.png|recoded") & clean["path"].str.contains("/car/c")
    ]
    assert pair["cluster"].nunique() == 1
    assert clean["cluster"].notna().sum() == 2


def test_a_class_with_too_few_images_is_an_error(plan: TaskPlan, project: Path) -> None:
    """It could be neither trained nor measured."""
    for path in sorted((project / "data/car/car").iterdir())[4:]:
        path.unlink()
    _, _, verdict = judged(plan, project)
    assert not verdict.passed
    assert [f.name for f in verdict.broken("error")] == ["images in the smallest class"]


def test_a_missing_class_is_an_error_too(plan: TaskPlan, project: Path) -> None:
    """Counting only what is there would miss what is not."""
    for path in (project / "data/car/car").iterdir():
        path.unlink()
    _, _, verdict = judged(plan, project)
    assert {"classes", "images in the smallest class"} <= {f.name for f in verdict.broken("error")}


def test_a_small_class_is_set_aside_if_so_wished(plan: TaskPlan, project: Path) -> None:
    """Never silently: each image is in quarantine, with the reason."""
    write_images(project / "data/car/van", 3, (96, 72), seed=4)
    dropping = plan.model_copy(
        update={
            "label": plan.label.model_copy(update={"classes": None}),
            "validation": plan.validation.model_copy(update={"small_classes": "drop"}),
        }
    )
    clean, aside, verdict = judged(dropping, project)
    assert verdict.passed
    assert set(clean["label"]) == {"car", "not_car"}
    assert aside["reason"].unique().tolist() == ["its class has 3 images, fewer than 5"]
    refusing = dropping.model_copy(update={"validation": plan.validation})
    assert not judged(refusing, project)[2].passed
