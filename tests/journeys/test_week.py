"""A week in minutes: seven nights of a small project under a simulated clock, each as its own process.

`ROADWORTHY_JOURNAL` names a file that gets the journal, which is docs/week.md.
"""

import csv
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from PIL import Image, ImageOps

from failing import kill, orphans
from postgres import quick_commits
from roadworthy.tracking import fields, history, registry, store
from street_pictures import TASK, befog, draw, shuffled
from week import COLOUR, Week, telling, week

__all__ = ["quick_commits"]
INTRODUCTION = (
    "# A week on its own",
    "Seven nights of a small Roadworthy project, as they came out: nobody wrote the lines in the grey "
    "boxes, `python -m benchmarks.week` lived through them. The clock is simulated and the pictures "
    "are drawn; git, DVC, MLflow, Prefect, the gate and the service are the real ones, each night is "
    "a process of its own, and a test (`tests/journeys/test_week.py`) holds what is claimed here.",
    "Somewhere a barrier opens for cars. A camera looks at whoever comes, and the task `car` says "
    "whether it is one. The project has 760 pictures of clear days, one small network, and a webhook "
    "that is told what happens at night. What it was told is quoted, like this:",
    "> **subject**<br>and what the notice said",
)
pytestmark = pytest.mark.slow


@pytest.fixture
def life(tmp_path: Path, quick_commits: None) -> Iterator[Week]:
    """The project on Sunday evening."""
    with week(tmp_path) as made:
        draw(made.folder / "data", seed=7, scale=0.5)
        made.run("git", "init", "-q", "-b", "main")
        made.run("git", "config", "user.email", "road@example.com")
        made.run("git", "config", "user.name", "road")
        made.run("roadworthy", "setup", "--accept")
        made.commit("begun")
        try:
            yield made
        finally:
            (tmp_path / "journal.md").write_text(made.journal.text())


def test_a_week_in_minutes(life: Week, tmp_path: Path) -> None:
    """Protects all of it together: what drives itself for seven nights does no harm, and some good."""
    clear = shuffled(draw(tmp_path / "clear", seed=21, scale=0.11), seed=1)
    fog = shuffled(
        befog(draw(tmp_path / "places", seed=99, scale=0.23), tmp_path / "fog", 5), seed=2
    )
    life.journal.say(*INTRODUCTION)
    monday_a_first_champion(life)
    life.at(0, "12:00")
    life.visitors(clear[:160])
    tuesday_nothing_new(life)
    wednesday_a_bad_delivery(life)
    life.at(2, "12:00")
    life.visitors(fog[:200])
    thursday_fog(life)
    the_asked_are_labelled(life, fog)
    friday_trained_for_fog(life)
    saturday_a_bad_idea(life)
    sunday_killed_half_way(life)
    monday_rolled_back(life)
    if page := os.environ.get("ROADWORTHY_JOURNAL"):
        Path(page).write_text(life.journal.text())
        sheet([clear[:6], fog[:6]], Path(page).parent / "pictures/fog.jpg")


def monday_a_first_champion(life: Week) -> None:
    """No champion yet: the first one has to pass the floors."""
    life.at(0, "02:30")
    life.journal.say("## Monday, 02:30: a first champion", "Nothing has ever been trained here.")
    life.tell("python", "-m", "flows.retrain")
    row = life.night_is_over()
    assert (row["champion"], row["the one before"], row["versions"]) == (1, "none", 1)
    assert verdicts() == ["promoted"]


def tuesday_nothing_new(life: Week) -> None:
    """Traffic is as validated, nothing is stale: both say so and end."""
    life.at(1, "02:00")
    life.journal.say("## Tuesday, 02:00: nothing new", "The monitor looks first, then the walk.")
    before = life.settle()
    life.tell("python", "-m", "flows.monitor", "--start", "here")
    said = life.tell("python", "-m", "flows.retrain")
    assert "nothing was stale" in said
    assert life.night_is_over() == before
    assert verdicts() == ["promoted"]


def wednesday_a_bad_delivery(life: Week) -> None:
    """Pictures under the wrong label and torn files: nothing of it comes into the data."""
    life.journal.say(
        "## Wednesday, 02:00: a bad delivery",
        "On Tuesday somebody has put a folder into the inbox: 80 pictures of the data under the other "
        "label, 30 files that are torn, and 60 thumbnails of 12 x 9 pixels.",
    )
    life.at(1, "16:00")
    delivery = bad_delivery(life.folder)
    before = life.settle()
    life.at(2, "02:00")
    said = life.tell("python", "-m", "flows.ingest", ok=None)
    assert "not taken" in said
    life.tell("python", "-m", "flows.retrain")
    assert life.night_is_over() == before
    life.journal.say("In the morning a person takes the folder out of the inbox.")
    shutil.rmtree(delivery)


def thursday_fog(life: Week) -> None:
    """The traffic is not what the champion was validated on: labels are asked for."""
    life.journal.say(
        "## Thursday, 02:00: fog",
        "On Wednesday there was fog all day, as the model has never seen it. Above, what came to the "
        "barrier on Monday; below, on Wednesday:",
        "![Six pictures of a clear day, and six in fog](pictures/fog.jpg)",
    )
    life.at(3, "02:00")
    before = life.settle()
    said = life.tell("python", "-m", "flows.monitor", "--start", "here")
    assert "drifted" in said
    assert life.night_is_over() == before


def the_asked_are_labelled(life: Week, fog: list[Path]) -> None:
    """A person's day: labels for what was asked, into the inbox; a look at the proposal; yes."""
    (asked,) = (life.folder / "artifacts/car/monitor/ask").iterdir()
    labelled = fill_in(asked / "labels.csv", fog)
    assert labelled == 150
    shutil.copytree(asked, life.folder / f"inbox/{TASK}/{asked.name}")
    life.journal.say(
        "In the morning a person fills in the column `label` of the file that lies beside the 150 "
        "pictures, and puts the folder into the inbox. The fog stays, and at the barrier the guard "
        "now tells the service which answers were wrong.",
    )
    life.at(3, "12:00")
    life.visitors(fog[200:], told=len(fog) - 200)
    life.at(3, "18:00")
    before = life.data
    life.tell("python", "-m", "flows.ingest")
    life.journal.say("The proposal waits for a person, who looks at its contact sheet.")
    life.tell("roadworthy", "ingest", "--yes")
    assert life.data != before
    life.hook.news()


def friday_trained_for_fog(life: Week) -> None:
    """Drift, and labels of it: the monitor starts the walk, and the gate sees a better model."""
    life.journal.say("## Friday, 02:00: trained for fog")
    life.at(4, "02:00")
    said = life.tell("python", "-m", "flows.monitor", "--start", "here")
    assert "drifted" in said
    row = life.night_is_over()
    assert (row["champion"], row["the one before"]) == (2, 1)
    assert verdicts() == ["promoted", "promoted"]
    decision = history.read(TASK)[-1]
    assert decision.metrics["challenger/accuracy"] > decision.metrics["champion/accuracy"] + 0.03
    rules(life)


def saturday_a_bad_idea(life: Week) -> None:
    """A worse challenger: refused, and looked at only once."""
    life.journal.say(
        "## Saturday, 02:30: a bad idea",
        "On Friday somebody has committed a learning rate of a millionth.",
    )
    life.at(4, "15:00")
    life.set(lr=1e-6)
    life.at(5, "02:30")
    life.tell("python", "-m", "flows.retrain")
    row = life.night_is_over()
    assert (row["champion"], row["the one before"], row["versions"]) == (2, 1, 3)
    assert verdicts()[2:] == ["refused"]
    rules(life)


def sunday_killed_half_way(life: Week) -> None:
    """No power in the middle of training: the next walk goes on from the checkpoint, and promotes once."""
    life.journal.say(
        "## Sunday, 02:30: killed half way",
        "The rate is what it was, and now 24 epochs are set instead of 6. In the middle of the "
        "training all processes of the night die at once (SIGKILL).",
    )
    life.at(5, "15:00")
    life.set(lr=0.002, epochs=24)
    life.at(6, "02:30")
    said = power_cut(life, re.compile(r"epoch (?:[6-9]|1[0-7])/24"))
    life.journal.shown("python -m flows.retrain", [*said, "Killed"])
    life.journal.say("Half an hour later the machine is back, and somebody starts the walk again.")
    life.at(6, "03:00")
    life.tell("python", "-m", "flows.retrain")
    row = life.night_is_over()
    assert (row["champion"], row["the one before"]) == (4, 2)
    assert verdicts()[3:] == ["promoted"]
    champion = registry.champion(TASK)
    assert champion is not None
    assert resumed(champion.run_id) == "1"
    assert life.run("dvc", "status").returncode == 0


def monday_rolled_back(life: Week) -> None:
    """What a person took off the road does not come back by itself."""
    life.journal.say(
        "## Monday, 02:30: rolled back",
        "On Sunday somebody does not like what the new champion says of lorries, and takes it off.",
    )
    life.at(6, "14:00")
    life.tell(
        "roadworthy", "rollback", "--task", TASK, "--reason", "lorries are let in", every=True
    )
    life.at(7, "02:30")
    life.tell("python", "-m", "flows.retrain")
    row = life.night_is_over()
    assert (row["champion"], row["the one before"]) == (2, 1)
    assert verdicts()[4:] == ["rolled_back", "refused"]
    life.journal.say("And nothing more is tried until something changes:")
    life.at(8, "02:30")
    assert "nothing was stale" in life.tell("python", "-m", "flows.retrain")
    assert life.settle() == row
    life.journal.say("## What the history says of the week")
    life.tell("roadworthy", "history", "--task", TASK, every=True)


def bad_delivery(folder: Path) -> Path:
    """Known pictures under the other label, torn ones, and thumbnails; gives the folder."""
    known = shuffled(sorted((folder / "data/car/street").rglob("*.jpg")), seed=3)
    delivery = folder / f"inbox/{TASK}/delivery"
    for number, path in enumerate(known[:110]):
        other = {"car": "not_car", "not_car": "car"}[path.parent.name]
        place = delivery / other / f"{number:04d}.jpg"
        place.parent.mkdir(parents=True, exist_ok=True)
        content = path.read_bytes()
        place.write_bytes(content if number < 80 else content[: len(content) // 2])
    for number, path in enumerate(known[110:170]):
        with Image.open(path) as image:
            image.resize((12, 9)).save(delivery / path.parent.name / f"small-{number:02}.png")
    return delivery


def fill_in(table: Path, truth: list[Path]) -> int:
    """Give every picture of a `labels.csv` the label that it has in truth; how many there were."""
    known = {hashlib.sha256(path.read_bytes()).hexdigest()[:16]: path.parent.name for path in truth}
    with table.open(newline="") as given:
        rows = list(csv.DictReader(given))
    with table.open("w", newline="") as out:
        writer = csv.DictWriter(out, rows[0].keys())
        writer.writeheader()
        writer.writerows(row | {"label": known[Path(row["path"]).stem]} for row in rows)
    return len(rows)


def power_cut(life: Week, word: re.Pattern[str]) -> list[str]:
    """Begin to walk, and kill all of it when it has said such a word; gives what it said."""
    said = life.folder / ".cache/killed.txt"
    with said.open("wb") as out:
        walk = subprocess.Popen(
            [sys.executable, "-m", "flows.retrain"],
            cwd=life.folder,
            env=life.variables,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    while not word.search(said.read_text()) and walk.poll() is None:
        time.sleep(0.1)
    kill([psutil.Process(walk.pid), *orphans(life.folder)])
    assert walk.wait() == -signal.SIGKILL, said.read_text()[-2000:]
    lines = COLOUR.sub("", said.read_text()).splitlines()
    return [
        *telling(lines),
        *telling([line for line in lines if word.search(line)][:1], every=True),
    ]


def resumed(run_id: str) -> str | None:
    """How often the training of a run was taken up again."""
    found: str | None = store.client().get_run(run_id).data.tags.get(fields.RESUMED)
    return found


def rules(life: Week) -> None:
    """What the gate said the last time, rule by rule."""
    found = history.read(TASK)[-1].rules
    shown = ("rule", "figure", "limit")
    life.journal.table(
        [{"": "✓" if one["passed"] else "✗"} | {name: one[name] for name in shown} for one in found]
    )


def sheet(rows: list[list[Path]], target: Path) -> None:
    """The pictures side by side, all of one height."""
    height, gap = 120, 6
    made = [[ImageOps.contain(Image.open(path), (999, height)) for path in row] for row in rows]
    width = max(sum(image.width + gap for image in row) for row in made)
    whole = Image.new("RGB", (width - gap, len(rows) * (height + gap) - gap), "white")
    for place, row in enumerate(made):
        left = 0
        for image in row:
            whole.paste(image, (left, place * (height + gap)))
            left += image.width + gap
    target.parent.mkdir(exist_ok=True)
    whole.save(target, quality=85)


def verdicts() -> list[str]:
    """All decisions so far."""
    return [decision.decision for decision in history.read(TASK)]
