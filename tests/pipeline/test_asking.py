"""Questions that a person can answer: the folder, its table, and what becomes of it."""

import csv
from datetime import timedelta
from pathlib import Path

import numpy as np

import monitored
from monitored import NOON, drawn, logged, records
from roadworthy.data import seen
from roadworthy.data.intake import sort_out
from roadworthy.layout import PLAN
from roadworthy.monitoring.reference import Reference
from roadworthy.params import load_plan
from roadworthy.pipeline.asking import KEPT, ask, most_wanted
from roadworthy.serving.record import Record
from support import write_images


def questions(folder: Path, count: int = 4) -> list[Record]:
    """Answers about images that the log has."""
    pictures = [path.read_bytes() for path in write_images(folder / "made", count)]
    answers = records(count, format="PNG")
    logged(folder / "log", answers, pictures)
    return answers


def fill_in(table: Path, labels: list[str]) -> None:
    """As a person does in a spreadsheet."""
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows({**row, "label": label} for row, label in zip(rows, labels, strict=True))


def test_a_filled_in_folder_comes_into_the_task(project: Path) -> None:
    """One column filled in, the folder moved to the inbox: those images are new ones of the task."""
    monitored.project("car")
    plan = load_plan(PLAN / "car.yaml")
    asked = ask(project / "ask", questions(project), project / "log", NOON)
    folder = project / "ask" / "20261103T120000Z"
    assert [one.file for one in asked] == [folder / f"{one.sha256[:16]}.png" for one in asked]
    fill_in(folder / "labels.csv", ["car", "", "not_car", "car"])
    found = sort_out(folder, plan)
    labels = {image.path: image.label for image in found.new}
    assert [labels.get(one.file) for one in asked] == ["car", None, "not_car", "car"]
    assert len(found.unlabelled) == 1 and not found.unreadable


def test_without_images_the_ids_are_left(tmp_path: Path) -> None:
    """Somebody else may have the images; no folder pretends to hold them."""
    answers = records(3)
    asked = ask(tmp_path / "ask", answers, logged(tmp_path / "log", answers), NOON)
    assert [(one.id, one.file) for one in asked] == [(one.id, None) for one in answers]
    assert not (tmp_path / "ask").exists()


def test_a_question_that_is_being_answered_is_left_alone(tmp_path: Path) -> None:
    """Judging the same moment again must not take a person's work."""
    answers = questions(tmp_path)
    for _ in range(2):
        asked = ask(tmp_path / "ask", answers, tmp_path / "log", NOON)
        table = tmp_path / "ask" / "20261103T120000Z" / "labels.csv"
        if "car,car" not in table.read_text():
            fill_in(table, ["car"] * 4)
            before = table.read_text()
    assert table.read_text() == before and all(one.file for one in asked)


def test_old_questions_go_but_not_the_answered(tmp_path: Path) -> None:
    """Months of asking do not fill the disk; nobody's labels are deleted."""
    answers = questions(tmp_path)
    for day in range(KEPT + 3):
        ask(tmp_path / "ask", answers, tmp_path / "log", NOON + timedelta(days=day))
        if day == 0:
            fill_in(tmp_path / "ask" / "20261103T120000Z" / "labels.csv", ["", "car", "", ""])
    names = sorted(path.name for path in (tmp_path / "ask").iterdir())
    assert len(names) == KEPT + 1 and names[0] == "20261103T120000Z"


def test_known_images_are_not_asked_about() -> None:
    """Neither those that people have told, nor those the model was made with."""
    answers = records(30)
    probabilities = np.array([list(one.probabilities.values()) for one in answers])
    made_with = seen.fronts([one.sha256 for one in answers[:10]])
    told = frozenset(one.sha256 for one in answers[10:20])
    reference = Reference(embeddings=drawn(50, 0)[2])
    found = most_wanted(answers, probabilities, reference, told, made_with, 50)
    assert {one.id for one in found} <= {one.id for one in answers[20:]} and len(found) > 5
    assert most_wanted([], np.zeros((0, 2)), reference, told, made_with, 5) == []


def test_without_embeddings_the_least_sure_come_first() -> None:
    """As good as it gets with a log that has none."""
    answers = records(30, embedding=None)
    probabilities = np.array([list(one.probabilities.values()) for one in answers])
    found = most_wanted(answers, probabilities, Reference(), frozenset(), None, 5)
    assert [one.probability for one in found] == sorted(one.probability for one in answers)[:5]
