"""From the service's log to a verdict, a page, figures, questions, and what to do next."""

import csv
import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any
from warnings import catch_warnings, simplefilter

import pytest
from PIL import Image
from prometheus_client.parser import text_string_to_metric_families

import monitored
from monitored import NOON, bundle, logged, promoted, records, tell
from roadworthy.bundle.format import SPEC, digest
from roadworthy.bundle.predictor import Predictor
from roadworthy.errors import StaleError
from roadworthy.layout import PLAN
from roadworthy.monitoring import state
from roadworthy.monitoring.outcome import Monitored
from roadworthy.params import load_plan
from roadworthy.pipeline import monitor
from roadworthy.pipeline.monitor import NoChampionError, Subject, due, judged, run, started
from roadworthy.serving.champions import Champion
from roadworthy.tracking import store
from served import app_of
from support import write_images

FOLDER = Path("artifacts/car/monitor")
Judge = Callable[..., Monitored]


@pytest.fixture(scope="session")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    made = bundle(tmp_path_factory.mktemp("monitor") / "car")
    return Subject(made, digest(made), 3)


@pytest.fixture
def judge(project: Path, subject: Subject, monkeypatch: pytest.MonkeyPatch) -> Judge:
    """Judges `log`, with so many new labels; data and registry have tests of their own."""
    monitored.project("car")

    def at(until: datetime = NOON, labels: int = 0, **changes: Any) -> Monitored:
        monkeypatch.setattr(monitor, "_fresh_labels", lambda task: labels)
        return judged(load_plan(PLAN / "car.yaml"), Path("log"), until, subject, **changes)

    return at


def write(subject: Subject, drift: float = 0.0, count: int = 200, **changes: Any) -> None:
    answers = records(count, drift=drift, digest=subject.digest, format="PNG", **changes)
    pictures = [path.read_bytes() for path in write_images(Path("made"), count)]
    logged(Path("log"), answers, pictures)


def test_traffic_like_the_reference_is_quiet(judge: Judge, subject: Subject) -> None:
    """Nothing is wanted, and everything is left for people and programs."""
    write(subject)
    tell(Path("log"), records(200, digest=subject.digest)[:40], 38)
    found = judge()
    assert (found.images, found.wants, found.alarms, found.asked) == (200, "nothing", (), ())
    plain = json.loads((FOLDER / "monitor.json").read_text())
    assert plain["judgement"]["reason"] == found.judgement.reason
    assert plain["until"] == "2026-11-03T12:00:00+00:00"
    families = text_string_to_metric_families((FOLDER / "monitor.prom").read_text())
    values = {
        (one.name, *one.labels.values()): one.value for family in families for one in family.samples
    }
    assert values["roadworthy_monitor_drifted", "car"] == 0
    assert values["roadworthy_monitor_images", "car"] == 200
    assert values["roadworthy_monitor_wants", "car", "nothing"] == 1
    assert 0 < values["roadworthy_monitor_p", "car", "brightness"] <= 1
    assert "is like the validation images" in found.page.read_text()


def test_drift_without_labels_asks_for_them(judge: Judge, subject: Subject) -> None:
    """With images, a table to fill in, and a list for programs."""
    write(subject, drift=1)
    found = judge(labels=3)
    assert found.wants == "labels" and "embedding" in found.alarms
    assert len(found.asked) == 50 and all(one.file and one.file.is_file() for one in found.asked)
    with (FOLDER / "ask.csv").open(newline="") as file:
        assert [row["id"] for row in csv.DictReader(file)] == [one.id for one in found.asked]
    text = found.page.read_text()
    assert "has drifted" in text and text.count("<figure") == 50 and "inbox/car/" in text


def test_drift_with_labels_wants_training(judge: Judge, subject: Subject) -> None:
    """Nobody is asked for more."""
    write(subject, drift=1)
    found = judge(labels=20)
    assert (found.wants, found.new_labels, found.asked) == ("retrain", 20, ())


def test_only_what_was_started_counts_for_the_cooldown(judge: Judge, subject: Subject) -> None:
    """A person who looks does not keep the night's run from acting; one that acted does."""
    write(subject, drift=1)
    assert judge(labels=20).wants == "retrain"
    found = judge(NOON + timedelta(hours=1), 20)
    assert found.wants == "retrain" and due(found)
    started(found)
    assert not due(found)
    assert judge(NOON + timedelta(hours=1), 20).wants == "retrain"  # the same again
    assert judge(NOON + timedelta(hours=2), 20).wants == "nothing"
    assert judge(NOON + timedelta(hours=26), 20).wants == "retrain"


def test_a_day_that_is_over_changes_nothing_but_the_history(judge: Judge, subject: Subject) -> None:
    """The page and the figures stay those of the latest moment."""
    write(subject, drift=1)
    judge(labels=20)
    before = (FOLDER / "monitor.html").read_bytes()
    found = judge(NOON - timedelta(minutes=50), past=True)
    assert found.judgement.drifted and found.wants == "nothing" and found.images == 150
    assert (FOLDER / "monitor.html").read_bytes() == before
    moments = [one.until for one in state.read(FOLDER).judged]
    assert moments == [NOON - timedelta(minutes=50), NOON]


def test_too_few_images_are_no_verdict(judge: Judge, subject: Subject) -> None:
    """After a new champion came the old one's answers do not count."""
    write(subject, drift=1, count=150)
    logged(Path("log"), records(200, seed=2, drift=1, digest="e" * 64))
    plan = load_plan(PLAN / "car.yaml")
    found = judged(plan, Path("log"), NOON, Subject(subject.folder, "f" * 64, 4))
    assert (found.images, found.judgement.enough, found.wants) == (0, False, "nothing")
    assert "cannot be judged yet" in found.page.read_text()


def test_the_champion_of_the_registry_is_judged(project: Path, subject: Subject) -> None:
    """By the files of its version, wherever they are; no champion is said, and no log as well."""
    monitored.project("car")
    plan = load_plan(PLAN / "car.yaml")
    store.connect()
    with pytest.raises(StaleError, match="ROADWORTHY_LOG"):
        run(plan, Path("log"))
    Path("log").mkdir()
    with pytest.raises(NoChampionError, match="roadworthy promote"):
        run(plan, Path("log"))
    first = promoted(subject.folder)
    answers = records(150, digest=first.digest, until=NOON - timedelta(days=1))
    logged(Path("log"), answers)
    other = shutil.copytree(subject.folder, project / "other")
    (other / SPEC).write_text((other / SPEC).read_text().replace("0.9", "0.8"))
    second = promoted(other)
    logged(Path("log"), records(120, seed=2, digest=second.digest))
    now = run(plan, Path("log"), NOON.replace(tzinfo=None))
    assert (now.version, now.images, now.until) == (second.number, 120, NOON)
    then = run(plan, Path("log"), NOON - timedelta(hours=20), past=True)
    assert (then.version, then.images) == (first.number, 150)


def test_the_service_writes_what_is_judged(judge: Judge, subject: Subject) -> None:
    """The real application: answers, feedback and refusals of real requests."""
    with catch_warnings():
        simplefilter("ignore")
        from starlette.testclient import TestClient

    champion = Champion(3, Predictor(subject.folder))
    app = app_of({"car": champion}, log=Path("log"), log_images=True)
    with TestClient(app) as client:
        for n in range(55):
            buffer = BytesIO()
            Image.new("RGB", (24, 18), (4 * n, 90, 200)).save(buffer, "PNG")
            answer = client.post("/predict", files={"file": buffer.getvalue()}).json()
            if n % 2:
                told = {"id": answer["predictions"][0]["id"], "task": "car", "label": "car"}
                assert client.post("/feedback", json=told).status_code == 202
            if n % 5 == 0:
                client.post("/predict", files={"file": b"no image"})
    close(app)
    found = judge(datetime.now(UTC))
    assert (found.images, found.version, found.digest) == (55, 3, champion.digest)
    tests = {test.name: test for test in found.judgement.tests}
    assert tests["refused"].p is None  # 66 requests are fewer than `least`
    assert tests["accuracy"].p is not None
    assert "unusable_image" in found.page.read_text()


def close(app: Any) -> None:
    """What the log holds back is written."""
    middleware = next(one.kwargs for one in app.user_middleware if "tally" in one.kwargs)
    middleware["tally"].close()
