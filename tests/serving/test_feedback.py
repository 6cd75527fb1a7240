import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, Request
from starlette.responses import Response
from starlette.testclient import TestClient

from records_made import record
from roadworthy.serving import feedback
from roadworthy.serving.champions import Champion
from roadworthy.serving.context import Context
from roadworthy.serving.feedback import read_feedback
from roadworthy.serving.journal import paths
from roadworthy.serving.recent import Recent
from roadworthy.serving.refusals import Refusal
from roadworthy.serving.settings import Settings

ID = f"{1:032x}"
RIGHT = {"id": ID, "task": "car", "label": "not_car"}


def served(context: Context) -> FastAPI:
    app = FastAPI()
    feedback.add_route(app, context)

    @app.exception_handler(Refusal)
    async def refused(request: Request, refusal: Refusal) -> Response:
        return refusal.answer("r1")

    return app


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture
def context(champions: dict[str, Champion], folder: Path) -> Iterator[Context]:
    made = Context(Settings(log=folder, log_bytes=10_000, log_files=2), champions)
    yield made
    made.close()


@pytest.fixture
def caller(context: Context) -> Iterator[TestClient]:
    with TestClient(served(context)) as client:
        yield client


def told(context: Context, agrees: str) -> float:
    labels = {"task": "car", "agrees": agrees}
    return context.metrics.registry.get_sample_value("roadworthy_feedback_total", labels) or 0


def test_feedback_on_an_answer(caller: TestClient, context: Context, folder: Path) -> None:
    """It is on disk when it is taken, with what was answered and by which version."""
    assert context.log
    context.log.put(record(1, label="car", version=3))
    answer = caller.post("/feedback", json={**RIGHT, "comment": "a bus"})
    assert (answer.status_code, answer.json()) == (202, {**RIGHT, "known": True})
    [entry] = read_feedback(folder)
    assert (entry.label, entry.answered, entry.version) == ("not_car", "car", 3)
    assert (entry.comment, entry.known) == ("a bus", True)
    assert told(context, "no") == 1
    caller.post("/feedback", json={**RIGHT, "label": "car"})
    assert told(context, "yes") == 1


def test_feedback_on_what_is_not_remembered(
    caller: TestClient, context: Context, folder: Path
) -> None:
    """The answer may be older than the memory, or another process gave it: kept, and said so."""
    assert caller.post("/feedback", json=RIGHT).json()["known"] is False
    [entry] = read_feedback(folder)
    assert (entry.known, entry.answered, entry.version) == (False, None, None)
    assert told(context, "unknown") == 1


def test_the_last_word_counts(caller: TestClient, folder: Path) -> None:
    """The same feedback twice is one; a second thought replaces the first."""
    for label in ("not_car", "not_car", "car"):
        caller.post("/feedback", json={**RIGHT, "label": label})
    caller.post("/feedback", json={**RIGHT, "id": f"{2:032x}"})
    assert [(int(e.id, 16), e.label) for e in read_feedback(folder)] == [(1, "car"), (2, "not_car")]


@pytest.mark.parametrize(
    ("body", "status", "word"),
    [
        ({**RIGHT, "task": "boat"}, 404, "unknown_task"),
        ({**RIGHT, "label": "boat"}, 422, "unknown_label"),
        ({**RIGHT, "id": "../../etc"}, 422, "invalid"),
        ({**RIGHT, "id": ID.replace("0", "G")}, 422, "invalid"),
        ({**RIGHT, "id": ID + "\n"}, 422, "invalid"),
        ({**RIGHT, "comment": "x" * 1001}, 422, "invalid"),
        ({**RIGHT, "label": 7}, 422, "invalid"),
        ({**RIGHT, "else": 1}, 422, "invalid"),
        ({"id": ID}, 422, "invalid"),
        ([], 422, "invalid"),
        ({**RIGHT, "comment": "x" * 20_000}, 413, "too_large"),
    ],
)
def test_what_is_refused(
    body: Any, status: int, word: str, caller: TestClient, folder: Path
) -> None:
    """Nothing of it is kept."""
    answer = caller.post("/feedback", json=body)
    assert (answer.status_code, answer.json()["error"]) == (status, word)
    assert read_feedback(folder) == []


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b'{"id":"\\ud800"}', b"null", b"[" * 9000])
def test_a_body_that_is_no_json(content: bytes, caller: TestClient) -> None:
    """A 422, whatever it is."""
    headers = {"content-type": "application/json"}
    assert caller.post("/feedback", content=content, headers=headers).status_code == 422


def test_a_form_is_not_taken(caller: TestClient) -> None:
    """A page of somebody else's could send one without asking."""
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        answer = caller.post("/feedback", content=json.dumps(RIGHT), headers={"content-type": kind})
        assert (answer.status_code, answer.json()["error"]) == (415, "not_json")


def test_without_a_log_nothing_is_kept(champions: dict[str, Champion]) -> None:
    """And the answer says what to set."""
    with TestClient(served(Context(Settings(log=None), champions))) as caller:
        answer = caller.post("/feedback", json=RIGHT)
        assert (answer.status_code, answer.json()["error"]) == (404, "not_kept")
        assert "ROADWORTHY_LOG" in answer.json()["hint"]


def test_when_no_more_fits(
    caller: TestClient, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What people told is not deleted to make room; the caller hears that this was not kept."""
    with caplog.at_level(logging.ERROR):
        answers = [
            caller.post("/feedback", json={**RIGHT, "id": f"{n:032x}", "comment": "x" * 1000})
            for n in range(20)
        ]
    kept = sum(answer.status_code == 202 for answer in answers)
    assert 10 <= kept < 20 and len(caplog.records) == 20 - kept
    assert answers[-1].json()["error"] == "not_written" and answers[-1].status_code == 503
    assert [int(entry.id, 16) for entry in read_feedback(folder)] == list(range(kept))
    assert len(paths(folder, feedback.NAME)) == 2


def test_openapi_tells_the_body(caller: TestClient) -> None:
    """Though the body is read by hand."""
    content = caller.get("/openapi.json").json()["paths"]["/feedback"]["post"]["requestBody"]
    schema = content["content"]["application/json"]["schema"]
    assert set(schema["required"]) == {"id", "task", "label"}
    assert caller.post("/feedback", json=schema["example"]).status_code == 202


def test_the_memory_is_bounded() -> None:
    """The oldest answers are forgotten, and the same image may have one answer for each task."""
    recent = Recent(size=3)
    for n in range(5):
        recent.add(str(n), "car", "car", 3)
        recent.add(str(n), "car", "not_car", 4)
    assert recent.get("1", "car") is None
    answer = recent.get("4", "car")
    assert answer and (answer.label, answer.version) == ("not_car", 4)
    assert recent.get("4", "brand") is None
