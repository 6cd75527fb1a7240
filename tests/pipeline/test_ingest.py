"""`ingest` takes in what a person has seen, stops what is bad, and loses nothing whatever happens."""

import json
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from PIL import Image

from roadworthy import params
from roadworthy.data import version
from roadworthy.data.files import find
from roadworthy.data.labels import Labels
from roadworthy.errors import DataError, ParamsError, StaleError, VerdictError
from roadworthy.pipeline import index, ingest, split, validate
from roadworthy.pipeline.offers import Offer
from roadworthy.pipeline.proposal import Candidate, Part, Proposal
from roadworthy.pipeline.rehearsal import Fate
from support import write_images
from told import tell

# DVC's own, of a library that it uses.
pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep:DeprecationWarning")
PARAMS = """
tasks:
  car: {kind: binary, images: data/car, label: {from: [folder], classes: [not_car, car]}}
  brand: {kind: multiclass, images: data/brand, label: {from: [folder]}}
validate: {min_per_class: 6, levels: {OFF}}
index: {workers: 1}
"""
# Judging takes long, rule by rule; these are not in question here.
OFF = """shortcut|near-duplicates|imbalance|aspect|source mix|usual mode|not too dark|not too bright
not blurry|not flat|width|known makes|drift of labels|drift of sources|drift of classes
drift of brightness|drift of contrast|drift of sharpness|drift of aspect|drift of width"""
PARAMS = PARAMS.replace("OFF", ", ".join(f"{r}: off" for r in OFF.replace("\n", "|").split("|")))
WRITTEN = Path("artifacts/ingest")


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a first version of two tasks, and their splits."""
    folder = tmp_path_factory.mktemp("first") / "project"
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        subprocess.run(["dvc", "init", "--no-scm", "-q"], check=True)
        Path("params.yaml").write_text(PARAMS)
        for number, place in enumerate(("car/car", "car/not_car", "brand/Audi", "brand/Saab")):
            write_images(Path("data", place), 10, seed=number)
        version.accept()
        walk()
    return folder


@pytest.fixture
def road(project: Path, first: Path) -> Path:
    """A copy of it, with two new cars and one of something else, in the inbox and in the log."""
    shutil.copytree(first, project, dirs_exist_ok=True)
    write_images(Path("inbox/car/Car"), 2, seed=20)
    (image,) = write_images(Path("sent"), 1, seed=21)
    tell(Path("logs"), 1, image, "not_car")
    return project


def more(count: int, **how: Any) -> None:
    """Further cars in the inbox."""
    for number, path in enumerate(write_images(Path("inbox/more"), count, **how)):
        path.rename(f"inbox/car/Car/more{number}.png")


def walk() -> None:
    """The stages of `car` as far as `split`."""
    plan = params.load().task("car")
    for stage in (index, validate, split):
        stage.run(plan)


def contents(folder: str = "data") -> dict[str, bytes]:
    files = (path for path in sorted(Path(folder).rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def labels() -> dict[str, str | None]:
    plan = params.load().task("car")
    read = Labels.of(plan.label, plan.images)
    return {f.path.as_posix(): read.read(f.path).label for f in find(plan.images)[0]}


def proposed() -> list[dict[str, object]]:
    """What would come in, as it is written for people."""
    tasks = json.loads((WRITTEN / "proposal.json").read_text())["tasks"]
    return [image for task in tasks.values() for image in task["new"]]


def test_the_way_of_a_wrong_answer(road: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Shown first, taken on a yes, under the right label, once; the inbox is empty afterwards."""
    before, sent = contents(), Path("sent/0000.png").read_bytes()
    ingest.run()
    assert contents() == before and len(contents("inbox")) == 2
    said = capsys.readouterr().out
    assert "3 new (1 from feedback, 2 from the inbox)" in said and "ingest --yes" in said
    assert (WRITTEN / "proposal.html").read_text().count("<button class=") == 3
    shown = {str(image["place"]): image for image in proposed()}
    ingest.run(yes=True)
    new = {name: data for name, data in contents().items() if name not in before}
    assert {n: d for n, d in contents().items() if n in before} == before
    assert [d for n, d in new.items() if n.startswith("car/feedback/not_car")] == [sent]
    named = labels()
    assert {n for n in new if n.endswith(".png")} == {f"car/{place}" for place in shown}
    assert all(named[f"data/car/{place}"] == image["label"] for place, image in shown.items())
    assert list(contents("inbox")) == [
        f".taken/{version.ensure() and recorded()[:8]}/car/Car/{n:04}.png" for n in range(2)
    ]
    ingest.run()
    assert "1 are in the data already" in capsys.readouterr().out and not proposed()


def recorded() -> str:
    return ingest.present_version()


def test_a_yes_is_to_what_was_shown(road: Path) -> None:
    """Something came since: a new proposal, and nothing is taken; nor without any proposal."""
    before = contents()
    with pytest.raises(StaleError, match="nothing was proposed"):
        ingest.run(yes=True)
    ingest.run()
    more(1, seed=22)
    with pytest.raises(StaleError, match="changed since"):
        ingest.run(yes=True)
    assert contents() == before and len(proposed()) == 4
    ingest.run(yes=True)
    assert len(contents()) == len(before) + 6  # with two labels.csv


def test_what_a_person_strikes_out_stays_out(road: Path) -> None:
    """Under that label, for ever; a slip in its name takes nothing."""
    ingest.run()
    out = str(proposed()[0]["sha256"])
    before = contents()
    with pytest.raises(ParamsError, match="no image of the proposal is called 'ffff'"):
        ingest.run(yes=True, without="ffff")
    assert contents() == before
    ingest.run(yes=True, without=out[:8])
    assert len(contents()) == len(before) + 4  # with two labels.csv
    ingest.run()
    assert not proposed()
    assert "declined before" in (WRITTEN / "proposal.html").read_text()
    assert out in Path("inbox/declined.csv").read_text()


@pytest.mark.slow
def test_a_no_takes_nothing_and_is_remembered(road: Path) -> None:
    """Not asked again about the same; the files stay where they are."""
    ingest.run()
    before = contents(), contents("inbox")
    ingest.run(no=True)
    ingest.run()
    assert not proposed()
    Path("inbox/declined.csv").unlink()
    assert (contents(), contents("inbox")) == before
    ingest.run()
    assert len(proposed()) == 3


def test_without_a_person_it_is_taken_at_once_if_it_is_enough(
    road: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By two settings."""
    before = contents()
    Path("params.yaml").write_text(f"{PARAMS}ingest: {{confirm: false, least: 4}}")
    ingest.run()
    assert contents() == before
    assert "3 new, ingest.least is 4: nothing was changed" in capsys.readouterr().out
    Path("params.yaml").write_text(f"{PARAMS}ingest: {{confirm: false}}")
    ingest.run()
    assert len(contents()) > len(before)
    assert "ingest: car +3 (1 from feedback)" in Path("data.dvc").read_text()


def test_bad_data_stop_before_the_version_changes(road: Path) -> None:
    """With the rule that is broken; another task's images come in all the same."""
    more(9, size=(5, 5), seed=30)
    write_images(Path("inbox/brand/Audi"), 1, seed=31)
    before = contents()
    Path("params.yaml").write_text(f"{PARAMS}ingest: {{confirm: false}}")
    with pytest.raises(VerdictError, match=r"car: height: .*(\n.*)*proposal\.html"):
        ingest.run()
    new = contents().keys() - before.keys()
    assert {name.split("/")[0] for name in new} == {"brand"}
    assert "None of these is taken" in (WRITTEN / "proposal.html").read_text()
    assert len(contents("inbox/car")) == 11


@pytest.mark.slow
def test_a_slip_in_a_label_is_no_new_class(road: Path) -> None:
    """Of one image: with it the whole road would stop."""
    shutil.rmtree("inbox/car")
    write_images(Path("inbox/brand/Adui"), 1, seed=40)
    write_images(Path("inbox/brand/audi"), 1, seed=41)
    ingest.run()
    told, audi = proposed()
    assert (told["label"], audi["label"]) == ("not_car", "Audi") or audi["label"] == "not_car"
    assert "its label is new and has 1 image" in (WRITTEN / "proposal.html").read_text()


@pytest.mark.slow
def test_a_copy_of_a_test_image_is_never_learned_from(road: Path) -> None:
    """Shrunk and compressed again, it goes where its original is: the ledger holds."""
    rows = pd.read_parquet("artifacts/car/split/split.parquet")
    original = Path(rows.loc[rows["split"] == "test", "path"].iloc[0])
    label = labels()[original.as_posix()]
    shutil.rmtree("inbox")
    copy = Path("inbox/car", str(label), "again.png")
    copy.parent.mkdir(parents=True)
    with Image.open(original) as image:
        image.resize((31, 23)).save(copy)
    ingest.run()
    (found,) = [image for image in proposed() if image["source"] == "inbox"]
    assert (found["split"], found["like"]) == ("test", original.as_posix())
    ingest.run(yes=True)
    walk()  # `split` does with the new images what was told of them
    after = pd.read_parquet("artifacts/car/split/split.parquet").set_index("path")["split"]
    assert all(after[row.path] == row.split for row in rows.itertuples())
    assert after[f"data/car/{found['place']}"] == "test"


def test_two_at_once_do_not_mix(road: Path) -> None:
    """The flow and a person: the second one is told to wait."""
    with ingest.alone(), pytest.raises(DataError, match="another ingest is running"):
        ingest.run()


@pytest.mark.slow
def test_a_kill_loses_nothing(road: Path) -> None:
    """At any moment; the next time it goes on, and comes to the same."""
    more(30, size=(300, 200), seed=50)
    Path("params.yaml").write_text(f"{PARAMS}ingest: {{confirm: false}}")
    before = contents()
    images = {*contents("inbox").values(), Path("sent/0000.png").read_bytes()}
    moments = (".cache/ingest/car", ".cache/data.new/car/inbox", ".cache/data.old", "inbox/.taken")
    for place in moments:
        running = subprocess.Popen(["roadworthy", "ingest"], stdout=subprocess.DEVNULL)
        while not Path(place).exists() and running.poll() is None:
            time.sleep(0.0005)
        running.send_signal(signal.SIGKILL)
        running.wait()
        version.recover()
        now = contents()
        assert {n: d for n, d in now.items() if n in before} == before
        assert images <= {*now.values(), *contents("inbox").values(), *contents("logs").values()}
    ingest.run()
    new = {d for n, d in contents().items() if n not in before and n.endswith(".png")}
    assert new == images
    assert not [name for name in contents("inbox") if not name.startswith(".taken")]
    assert version.ensure() == "is the version in data.dvc"


def test_an_image_of_two_tasks_can_be_refused_for_one() -> None:
    """Its label may be wrong in one and right in the other."""
    offer = Offer("inbox", Path("x"), "x.png", "car", "ab" * 32)
    new = (Candidate(offer, "inbox/car/x.png", Fate("train", "")),)
    found = Proposal("v", (Part("car", new), Part("police", new)))
    assert ingest.chosen(found, "police:abab", no=False) == {("police", "ab" * 32)}
    assert (
        len(ingest.chosen(found, "ABABAB", no=False)) == len(ingest.chosen(found, "", no=True)) == 2
    )
    for slip in ("brand:abab", "ab", "car:"):
        with pytest.raises(ParamsError, match=slip):
            ingest.chosen(found, slip, no=False)
