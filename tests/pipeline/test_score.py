"""Exactly one row for each image, whatever is killed, wherever the images are."""

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pandas as pd
import psutil
import pytest
from pyarrow import parquet

from object_store import account, object_store
from roadworthy.errors import DataError, TrackingError
from roadworthy.pipeline import score
from roadworthy.scoring.places import Place
from roadworthy.scoring.plan import Plan
from roadworthy.scoring.worker import Scorer
from support import tiny_bundle, write_images

IMAGES = 1440
DIFFERENT = 48
# Of 640 x 480: some ms each, so that there is a middle in which to kill.
SIZE = (640, 480)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_bundle(tmp_path_factory.mktemp("bundle"), task="car")


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """1,440 files, among them some that are no images."""
    folder = tmp_path_factory.mktemp("images")
    different = write_images(folder, DIFFERENT, SIZE)
    different[7].write_bytes(b"%PDF-1.7")
    different[8].write_bytes(different[9].read_bytes()[:2000])
    for number in range(DIFFERENT, IMAGES):
        os.link(different[number % DIFFERENT], folder / f"{number:04d}.png")
    return folder


def command(images: str | Path, out: str | Path, bundle: Path, *more: str) -> list[str]:
    words = ["score", str(images), "--out", str(out), "--model", str(bundle), "--workers", "2"]
    # Whoever started the tests in the background had interrupts ignored, and children inherit it.
    return ["env", "--default-signal=INT", sys.executable, "-m", "roadworthy", *words, *more]


@pytest.fixture(scope="module")
def undisturbed(
    images: Path, bundle: Path, tmp_path_factory: pytest.TempPathFactory
) -> pd.DataFrame:
    """The table of one process that nobody killed, and that knew nothing of Ray."""
    out = tmp_path_factory.mktemp("undisturbed") / "out"
    place, model = Place(str(out)), score.found("car", str(bundle))
    plan = score.begun(place, str(images), model, 2, False)
    scorer = Scorer(model.folder, place, plan, frozenset())
    for number in range(plan.shards):
        scorer.score(number)
    return pd.read_parquet(out)


def shards(out: Path) -> int:
    return len(list(out.glob("part-*")))


def wait_for_shards(out: Path, more_than: int, driver: subprocess.Popen[bytes]) -> None:
    while shards(out) <= more_than:
        assert driver.poll() is None, "it has ended"
        time.sleep(0.02)


def gone(processes: list[psutil.Process]) -> None:
    """All of them end by themselves; Ray's agents try for a minute to tell the dead of it."""
    _, left = psutil.wait_procs(processes, timeout=150)
    assert not left, [process.cmdline() for process in left]


def heard_from_outside(processes: list[psutil.Process]) -> None:
    """None of them is: Ray runs whatever it is sent."""
    for process in processes:
        with suppress(psutil.Error):
            for socket in process.net_connections("inet"):
                if socket.status == psutil.CONN_LISTEN:
                    assert socket.laddr.ip.removeprefix("::ffff:") == "127.0.0.1", process


@pytest.mark.slow
def test_a_killed_worker_costs_nothing(
    images: Path, bundle: Path, undisturbed: pd.DataFrame, tmp_path: Path
) -> None:
    """Another one takes over, twice; the table is the one that it would have been."""
    out = tmp_path / "out"
    with subprocess.Popen(command(images, out, bundle), stdout=subprocess.PIPE) as driver:
        for wait in (0, 3):
            wait_for_shards(out, wait, driver)
            family = psutil.Process(driver.pid).children(True)
            workers = [process for process in family if "MapWorker" in " ".join(process.cmdline())]
            heard_from_outside(family)
            workers[0].kill()
        said = driver.communicate()[0].decode()
    assert driver.returncode == 0
    gone(family)
    pd.testing.assert_frame_equal(pd.read_parquet(out), undisturbed)
    assert "1,440 rows, 1,380 answered" in said
    assert "without an answer: not an image 30, damaged 30" in said


@pytest.mark.slow
def test_killed_drivers_cost_nothing(
    images: Path, bundle: Path, undisturbed: pd.DataFrame, tmp_path: Path
) -> None:
    """Alone, with its whole group, by a person; resumed, it does what is missing and no more."""
    out, rng = tmp_path / "out", random.Random(5)
    kills = (os.kill, signal.SIGKILL), (os.killpg, signal.SIGKILL), (os.kill, signal.SIGINT)
    families = []
    for kill, how in kills:
        before = shards(out)
        driver = subprocess.Popen(
            command(images, out, bundle), start_new_session=True, stderr=subprocess.PIPE
        )
        with driver:
            wait_for_shards(out, before, driver)
            time.sleep(rng.uniform(0, 0.2))
            families += psutil.Process(driver.pid).children(True)
            kill(driver.pid, how)
            said = driver.communicate()[1].decode()
        assert "Traceback" not in said, said
        assert driver.returncode
        assert before < shards(out) < -(-IMAGES // 128), "killed in the middle"
    left = {path.name: path.stat().st_mtime_ns for path in out.glob("part-*")}
    subprocess.run(command(images, out, bundle), check=True)
    pd.testing.assert_frame_equal(pd.read_parquet(out), undisturbed)
    assert left.items() <= {p.name: p.stat().st_mtime_ns for p in out.glob("part-*")}.items()
    assert not [path for path in out.iterdir() if path.name.startswith(".")]
    gone(families)


@pytest.mark.slow
# Ray sets its own deprecated settings to what they were.
@pytest.mark.filterwarnings("ignore::DeprecationWarning:ray")
def test_from_a_bucket_to_a_bucket(
    images: Path, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same rows as from a folder; an object that is gone is one of them."""
    for name, value in account(tmp_path).items():
        monkeypatch.setenv(name, value)
    with object_store(tmp_path, "photos", "answers") as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        here = sorted(images.glob("*.png"))[:DIFFERENT]
        for path in here:
            Place("s3://photos/in").write(path.name, path.read_bytes())
        place, model = Place("s3://answers/out"), score.found("car", str(bundle))
        score.begun(place, "s3://photos/in", model, 2, False)
        Place("s3://photos/in").remove(here[0].name)
        found = score.run("s3://photos/in/", place.url, model=str(bundle), workers=1)
        assert (found.images, found.answered) == (DIFFERENT, DIFFERENT - 3)
        again = score.run("s3://photos/in", f"{place.url}/", model=str(bundle), workers=1)
        assert again == found
        parts = [place.read(name) for name in sorted(place.names())]
    rows = pd.concat([parquet.read_table(part).to_pandas() for part in parts])
    assert rows["path"].tolist() == [f"s3://photos/in/{path.name}" for path in here]
    assert rows["reason"].iloc[0] == "cannot be read: No such file or directory"


@pytest.fixture
def nothing(tmp_path: Path) -> Place:
    return Place(str(tmp_path / "out"))


def begun(place: Place, source: Path, bundle: Path, again: bool = False) -> Plan:
    return score.begun(place, str(source), score.found("car", str(bundle)), 2, again)


def test_the_list_is_fixed_at_the_first_run(
    bundle: Path, tmp_path: Path, nothing: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    """An image that comes later belongs to the next table; `--again` begins one."""
    write_images(tmp_path / "in", 40)
    (tmp_path / "in" / "notes.txt").touch()
    first = begun(nothing, tmp_path / "in", bundle)
    assert "40 images, left out: 1 not named like images" in capsys.readouterr().out
    write_images(tmp_path / "in", 50)
    assert begun(nothing, tmp_path / "in", bundle) == first
    assert begun(nothing, tmp_path / "in", bundle, again=True).images == 50


def test_another_model_or_source_is_refused(bundle: Path, tmp_path: Path, nothing: Place) -> None:
    """And `--again` throws away what was begun, but nobody else's files."""
    write_images(tmp_path / "in", 4)
    begun(nothing, tmp_path / "in", bundle)
    other = tiny_bundle(tmp_path / "other", seed=1)
    with pytest.raises(DataError, match=r"another model.*--again"):
        begun(nothing, tmp_path / "in", other)
    with pytest.raises(DataError, match="begun on"):
        begun(nothing, tmp_path, bundle)
    assert (
        begun(nothing, tmp_path / "in", other, again=True).digest
        != score.found("car", str(bundle)).digest
    )
    with pytest.raises(DataError, match=r"holds 0000\.png"):
        begun(Place(str(tmp_path / "in")), tmp_path / "in", bundle, again=True)


def test_the_model_is_named_by_folder_or_in_the_registry(bundle: Path, project: Path) -> None:
    """A registry without it says what to do."""
    found = score.found("anything", str(bundle))
    assert (found.task, found.version) == ("car", None)
    with pytest.raises(TrackingError, match="make run"):
        score.found("car", "champion")


@pytest.mark.parametrize("address", ["gs://bucket/x", "https://example.com/a"])
def test_other_places_are_refused(address: str) -> None:
    """Rather than taken for a folder of that name."""
    with pytest.raises(DataError, match="s3://"):
        score.whole(address)
