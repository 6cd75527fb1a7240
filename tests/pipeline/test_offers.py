"""What is taken for a label that somebody gave, and what is not."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadworthy import params
from roadworthy.params import TaskPlan
from roadworthy.pipeline import offers
from roadworthy.pipeline.offers import Offer, compare, from_feedback, from_inbox, settle
from support import write_images
from told import say, tell

PARAMS = """
tasks:
  car: {kind: binary, images: data/car, label: {from: [folder], classes: [not_car, car]}}
  brand: {kind: multiclass, images: data/brand, label: {from: [filename, folder]}}
split: {group: 'clip\\d+'}
"""
CLASSES = ("not_car", "car")


def plan(task: str = "car") -> TaskPlan:
    return params.parse(PARAMS).task(task)


def offer(label: str = "car", sha256: str = "a" * 64, **changes: Any) -> Offer:
    values = {"source": "inbox", "origin": Path("inbox/x.png"), "name": "x.png", **changes}
    return Offer(label=label, sha256=sha256, **values)


def test_feedback_is_joined_with_the_image_that_was_asked_about(project: Path) -> None:
    """By id and task to the SHA-256; whether it agrees or not, it is a label."""
    log, images = project / "logs", write_images(project / "sent", 2)
    wrong = tell(log, 1, images[0], "not_car", label="car", probability=0.75)
    right = tell(log, 2, images[1], "car")
    found, left = from_feedback(log, "car")
    assert not left
    assert {(o.sha256, o.label, o.said, o.probability) for o in found} == {
        (wrong, "not_car", "car", 0.75),
        (right, "car", "car", 0.75),
    }
    assert {o.name for o in found} == {f"{wrong[:16]}.png", f"{right[:16]}.png"}
    assert from_feedback(log, "brand") == ([], []) and from_feedback(project, "car") == ([], [])


def test_images_of_one_request_are_a_group(project: Path) -> None:
    """They may be frames of one video; a caller's own constant id joins no two minutes."""
    log, images = project / "logs", write_images(project / "sent", 3)
    for number, image in enumerate(images):
        tell(log, number, image, "car", at=f"2026-11-22T10:0{number // 2}:07.000+00:00")
    one, two, later = (o.group for o in from_feedback(log, "car")[0])
    assert one == two != later and one


def test_what_was_said_last_about_an_answer_counts(project: Path) -> None:
    """Somebody may correct a correction."""
    log, (image,) = project / "logs", write_images(project / "sent", 1)
    tell(log, 1, image, "car")
    say(log, 1, "not_car", at="9999-01-01T00:00:00.000+00:00")
    assert [o.label for o in from_feedback(log, "car")[0]] == ["not_car"]


def test_images_that_are_not_there_are_counted(project: Path) -> None:
    """Never kept, changed since, behind a link; answers that are gone, or that nobody saw."""
    log, images = project / "logs", write_images(project / "sent", 3)
    tell(log, 1, None, "car")
    changed = log / "images" / tell(log, 2, images[0], "car")
    changed.write_bytes(images[1].read_bytes())
    linked = log / "images" / tell(log, 3, images[2], "car")
    linked.rename(project / "elsewhere")
    linked.symlink_to(project / "elsewhere")
    tell(log, 4, None, "car", sha256="../../../etc/passwd")
    tell(log, 5, images[1], "car", shadow=True)
    say(log, 6, "car")
    found, left = from_feedback(log, "car")
    assert not found
    reasons = [one.reason.split(" (")[0].split(" since")[0] for one in left]
    assert sorted(reasons) == [
        "its answer is no longer in the log",
        "its answer is no longer in the log",
        "its image was changed",
        *["its image was not kept"] * 3,
    ]


def test_the_inbox_is_read_as_add_reads_a_folder(project: Path) -> None:
    """By folder or table; the task's own name is no label, and groups are kept under new names."""
    folder = project / "inbox/brand"
    write_images(folder / "Audi", 1)[0].rename(folder / "Audi/clip12 07.png")
    write_images(folder, 2, seed=2)
    (folder / "labels.csv").write_text("path,label,group\n0000.png,volkswagen,walk\n")
    found, left = from_inbox(folder, plan("brand"))
    named = {o.origin.name: (o.label, o.group) for o in found}
    assert named == {"clip12 07.png": ("Audi", "clip12"), "0000.png": ("Volkswagen", "walk")}
    assert all(o.name.endswith(f"-{o.sha256[:8]}.png") for o in found)
    assert [(one.what.rsplit("/", 1)[1], one.reason[:8]) for one in left] == [
        ("0001.png", "no label")
    ]
    assert from_inbox(project / "inbox/none", plan()) == ([], [])


def test_images_that_were_asked_about_come_as_a_folder(project: Path) -> None:
    """`monitor` lays them out with a table to fill in: what nobody filled in is not taken."""
    folder = project / "inbox/brand/20261122T060000Z"
    write_images(folder, 2)
    (folder / "labels.csv").write_text(
        "path,label,answered,probability\n0000.png,Audi,Saab,0.51\n0001.png,,Saab,0.52\n"
    )
    found, left = from_inbox(folder.parent, plan("brand"))
    assert [(o.origin.name, o.label) for o in found] == [("0000.png", "Audi")]
    assert [one.what.rsplit("/", 1)[1] for one in left] == ["0001.png"]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("labels.csv", "path,label\n0000.png,boat\n"),
        ("labels.csv", "path,label\n../../secret.png,car\n"),
        ("labels.csv", "\xff\xfe"),
        ("boxes.csv", "nonsense\n1\n"),
    ],
)
def test_a_wrong_table_makes_the_whole_folder_doubtful(project: Path, file: str, text: str) -> None:
    """One message with file and line, and no image offered: who knows what was meant."""
    folder = project / "inbox/car"
    write_images(folder / "car", 1)
    (folder / file).write_text(text, encoding="latin-1")
    found, (left,) = from_inbox(folder, plan())
    assert not found and file in left.reason


def test_hostile_files_are_refused_one_by_one(project: Path) -> None:
    """Links, pipes, names that are no text; the others are offered, under harmless names."""
    folder = project / "inbox/car"
    image = write_images(folder / "car", 1)[0]
    image.rename(image.with_name("..; rm -rf $HOME, `x`\n.PNG"))
    (folder / "car/link.png").symlink_to("/etc/passwd")
    (folder / "car/folder.png").symlink_to("/etc")
    shutil.copy(
        image.with_name("..; rm -rf $HOME, `x`\n.PNG"), bytes(folder / "car") + b"/\xe9.png"
    )
    (offered,), left = from_inbox(folder, plan())
    assert len(left) == 3
    assert offered.name == f"rm_-rf_HOME_x-{offered.sha256[:8]}.png"


def test_rows_of_images_that_were_taken_before_are_no_fault(project: Path) -> None:
    """The table stays when its images have been set aside; a slip in a name is still told."""
    folder = project / "inbox/car"
    write_images(folder, 1)
    write_images(project / "inbox/.taken/ab12/car", 1)[0].rename(
        project / "inbox/.taken/ab12/car/old[1].png"
    )
    (folder / "labels.csv").write_text("path,label\n0000.png,car\nold[1].png,car\nsilp.png,car\n")
    found, left = from_inbox(folder, plan())
    assert len(found) == 1 and [one.what.split(": ")[1] for one in left] == ["silp.png"]


def test_people_who_disagree_are_not_heard() -> None:
    """Not even the majority: a person looks at it. Those who agree are counted."""
    told = {"source": "feedback", "origin": Path("logs/images/a"), "said": "car"}
    same = [offer(), offer("Car", **told), offer(sha256="b" * 64), offer("not_car", "b" * 64)]
    (settled,), (disputed,) = settle([*same, offer("car", "b" * 64)])
    assert (settled.source, settled.voices, settled.said) == ("inbox", 2, "car")
    assert disputed.reason == "disputed: car (2), not_car (1)"


LABELS = st.sampled_from(["car", "Car", "not_car", "boat"])
DIGESTS = st.sampled_from([letter * 64 for letter in "abc"])


@given(
    st.lists(st.builds(offer, LABELS, DIGESTS), max_size=8),
    st.dictionaries(DIGESTS, st.sampled_from(["car", "not_car", None])),
    st.sets(st.tuples(DIGESTS, st.sampled_from(["car", "not_car"]))),
)
def test_every_offer_comes_to_one_end(
    made: list[Offer], present: dict[str, str | None], declined: set[tuple[str, str]]
) -> None:
    """Nothing is lost and nothing is taken that the task has, does not know or was declined."""
    settled, _ = settle(made)
    new, left, there = compare(settled, present, CLASSES, declined)
    assert len(new) + len(left) + len(there) == len(settled)
    assert all(one.sha256 not in present and one.label in CLASSES for one in new)
    assert not {(one.sha256, one.label) for one in new} & declined
    assert all(present[one.sha256] == one.label for one in there)


def test_reasons_are_told() -> None:
    """A person reads them, and knows what to do."""
    present: dict[str, str | None] = {"a" * 64: "not_car", "b" * 64: None}
    made = [offer(), offer(sha256="b" * 64), offer("boat", "c" * 64), offer(sha256="d" * 64)]
    _, left, _ = compare(made, present, CLASSES, {("d" * 64, "car")})
    assert [one.reason.split(":")[0] for one in left] == [
        "is in the data as not_car",
        "is in the data, where a person took it out or it has no label",
        "'boat' is none of not_car, car",
        "declined before",
    ]
    assert offers.compare(made[2:3], present, (), ())[0][0].label == "boat"
