from collections.abc import Callable
from dataclasses import replace
from time import sleep
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from starlette.testclient import TestClient

from roadworthy.serving.champions import Champion
from roadworthy.serving.metrics import Metrics
from roadworthy.serving.settings import Settings
from served import app_of

Champions = dict[str, Champion]
Maker = Callable[..., bytes]
REFUSAL = {"error", "message", "hint", "request_id"}


def ask(client: TestClient, content: bytes, task: str | None = None, name: str = "x.png") -> Any:
    return client.post(
        "/predict", files={"file": (name, content)}, data={"task": task} if task else {}
    )


def test_answers_what_the_predictor_answers(
    client: TestClient, champions: Champions, png: Maker
) -> None:
    """The service adds nothing of its own to a prediction."""
    for task, champion in champions.items():
        expected = champion.predictor.predict([png()])[0]
        answer = ask(client, png(), task).json()
        assert (answer["task"], answer["model_version"]) == (task, champion.version)
        [found] = answer["predictions"]
        assert found["filename"] == "x.png"
        assert (found["label"], found["sure"]) == (expected.label, expected.sure)
        assert found["probabilities"] == pytest.approx(expected.probabilities, abs=1e-9)
        assert found["probability"] == pytest.approx(expected.probability, abs=1e-9)


def test_several_files_keep_their_order(
    client: TestClient, champions: Champions, png: Maker
) -> None:
    """An answer is never given to another file."""
    contents = [png(colour=colour) for colour in ("red", "green", "blue", "white")]
    files = [("file", (f"{n}.png", content)) for n, content in enumerate(contents)]
    predictions = client.post("/predict", files=files).json()["predictions"]
    assert [one["filename"] for one in predictions] == ["0.png", "1.png", "2.png", "3.png"]
    expected = champions["car"].predictor.predict(contents)
    assert [one["probabilities"] for one in predictions] == [
        pytest.approx(one.probabilities, abs=1e-9) for one in expected
    ]


def test_all_tasks_at_once(client: TestClient, champions: Champions, png: Maker) -> None:
    """`task=all` gives every champion's answer, the same as when asked alone."""
    results = ask(client, png(), "all").json()["results"]
    assert [result["task"] for result in results] == list(champions)
    for result in results:
        alone = ask(client, png(), result["task"]).json()
        for one in (alone, result):
            del one["predictions"][0]["id"]
        assert result == alone


def test_the_default_task(champions: Champions, png: Maker) -> None:
    """No task: the only one, `car` among several, and otherwise a question instead of a guess."""
    brand = champions["brand"]
    with TestClient(app_of({"brand": brand})) as client:
        assert ask(client, png()).json()["task"] == "brand"
    with TestClient(app_of(champions)) as client:
        assert ask(client, png()).json()["task"] == "car"
    with TestClient(app_of({"a": brand, "b": brand})) as client:
        answer = ask(client, png())
        assert (answer.status_code, answer.json()["error"]) == (422, "no_task")


def bomb() -> bytes:
    from io import BytesIO

    buffer = BytesIO()
    Image.new("1", (20_000, 20_000)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("status", "error", "content"),
    [
        (422, "unusable_image", b""),
        (422, "unusable_image", b"%PDF-1.7 no image"),
        (422, "unusable_image", "truncated"),
        (422, "unusable_image", "bomb"),
        (422, "unusable_image", b"http://127.0.0.1/secret.png"),
        (413, "too_large", b"x" * 150_000),
        (413, "too_large", b"x" * 300_000),
    ],
)
def test_bad_files_are_refused(
    client: TestClient, png: Maker, status: int, error: str, content: Any
) -> None:
    """Whatever is wrong with a file, the answer is a 4xx in our one shape, and names the file."""
    made = {"truncated": lambda: png(300, 300)[:-60], "bomb": bomb}
    answer = ask(
        client, made[content]() if isinstance(content, str) else content, name="street.png"
    )
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert set(body) == REFUSAL
    assert body["error"] == error
    assert body["request_id"] == answer.headers["x-request-id"]
    assert error == "too_large" or "street.png" in body["message"]


@pytest.mark.parametrize(
    ("charset", "name"), [("utf-7", b"+2AA-"), ("unicode_escape", b"\\ud800.png")]
)
def test_a_name_of_half_a_character_is_no_fault_of_ours(
    client: TestClient, png: Maker, charset: str, name: bytes
) -> None:
    """Callers choose the charset of their form; JSON can only be written of whole characters."""
    head = b'--X\r\nContent-Disposition: form-data; name="file"; filename="' + name + b'"\r\n\r\n'
    for content, status in ((png(), 200), (b"none", 422)):
        answer = client.post(
            "/predict",
            content=head + content + b"\r\n--X--\r\n",
            headers={"content-type": f"multipart/form-data; boundary=X; charset={charset}"},
        )
        assert answer.status_code == status, answer.text


def test_too_long_is_said_in_our_words(
    champions: Champions, png: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request that cannot be answered in time is ended, and its place is free again."""

    def slow(*_: object) -> None:
        sleep(0.5)
        raise RuntimeError("nobody waits for this")

    monkeypatch.setattr(champions["car"].predictor, "outputs", slow)
    with TestClient(app_of(champions, answer_seconds=0.2)) as client:
        answer = ask(client, png())
    assert (answer.status_code, answer.json()["error"]) == (503, "overloaded")


def test_one_bad_file_refuses_the_request(client: TestClient, png: Maker) -> None:
    """Nobody gets fewer answers than files without being told."""
    files = [("file", ("good.png", png())), ("file", ("bad.png", b"no"))]
    answer = client.post("/predict", files=files)
    assert answer.status_code == 422
    assert "bad.png" in answer.json()["message"]


def test_bad_requests_are_refused(client: TestClient, png: Maker) -> None:
    """Wrong field, no form, unknown task, too many files, wrong address, wrong method."""
    many = [("file", (str(n), png())) for n in range(Settings().files + 1)]
    form = {"content-type": "multipart/form-data; boundary=x"}
    refused = {
        422: [
            client.post("/predict", files={"image": png()}),
            client.post("/predict", json={"file": "http://127.0.0.1/x.png"}),
            client.post("/predict", data={"file": "text"}),
            client.post("/predict"),
        ],
        400: [
            client.post("/predict", content=b"--y\r\n\r\n", headers=form),
            client.post("/predict", content=b"x", headers={"content-type": "multipart/form-data"}),
        ],
        404: [ask(client, png(), "nothing"), client.get("/nothing")],
        405: [client.get("/predict")],
        413: [client.post("/predict", files=many)],
    }
    for status, answers in refused.items():
        for answer in answers:
            assert answer.status_code == status, answer.text
            assert set(answer.json()) == REFUSAL


def test_our_own_fault_says_nothing_of_the_inside(
    champions: Champions, png: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broken model is a 500 in the one shape, counted, and without paths or tracebacks."""
    metrics = Metrics()

    def broken(*_: object) -> None:
        raise RuntimeError("secret /home/path")

    monkeypatch.setattr(champions["car"].predictor, "outputs", broken)
    with TestClient(app_of(champions, metrics)) as client:
        answer = ask(client, png())
    assert answer.status_code == 500
    assert set(answer.json()) == REFUSAL
    assert "secret" not in answer.text
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert 'method="POST",route="/predict",status="500"} 1.0' in metrics.text().decode()


def test_request_ids(client: TestClient) -> None:
    """A caller's plain id is kept, so that both logs meet; a strange one is not repeated."""
    assert client.get("/tasks", headers={"x-request-id": "a-1"}).headers["x-request-id"] == "a-1"
    odd = client.get("/tasks", headers={"x-request-id": "a b<script>"}).headers["x-request-id"]
    assert len(odd) == 32


def test_info_and_tasks(client: TestClient, champions: Champions) -> None:
    """`/info` tells exactly which model answers, what it can do and what it takes."""
    info = client.get("/info").json()
    for task, champion in champions.items():
        told = info["tasks"][task]
        assert told["model_version"] == champion.version
        assert told["digest"] == champion.predictor.digest
        assert told["labels"] == list(champion.predictor.spec.labels)
        assert told["metrics"] == {"accuracy": 0.9}
        assert told["limits"] == {"max_bytes": 100_000, "max_pixels": 1_000_000}
        assert told["engine"] == "onnx"
    assert [one["task"] for one in client.get("/tasks").json()] == list(champions)


def test_metrics_do_not_grow_with_addresses(client: TestClient, png: Maker) -> None:
    """Somebody who tries a thousand paths makes one series."""
    ask(client, png())
    client.get("/metrics")

    def after_scan(numbers: range) -> str:
        for number in numbers:
            client.get(f"/scan/{number}")
            client.request(f"METHOD{number}", "/tasks")
        return str(client.get("/metrics").text)

    before, after = after_scan(range(1)), after_scan(range(1, 20))
    assert "scan" not in after and "METHOD" not in after
    assert after.count("\n") == before.count("\n")
    label = 'roadworthy_predictions_total{label="car",model_version="3",sure="true",task="car"} 1.0'
    assert label in after or label.replace('label="car"', 'label="not_car"') in after


def test_openapi_shows_what_to_send(client: TestClient) -> None:
    """The generated description names the form's fields, an example and the refusals."""
    operation = client.get("/openapi.json").json()["paths"]["/predict"]["post"]
    assert "multipart/form-data" in operation["requestBody"]["content"]
    assert operation["responses"]["200"]["content"]["application/json"]["example"]["task"] == "car"
    assert {"404", "408", "413", "422", "429"} <= set(operation["responses"])


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_bytes_never_break_the_service(client: TestClient, png: Maker, data: Any) -> None:
    """Whatever is sent as an image, a name or a task, the answer is 200 or a 4xx in our shape."""
    whole = png(40, 40)
    cut = st.integers(0, len(whole)).map(lambda n: whole[:n])
    flipped = st.tuples(st.integers(0, len(whole) - 1), st.integers(0, 255)).map(
        lambda at: whole[: at[0]] + bytes([at[1]]) + whole[at[0] + 1 :]
    )
    content = data.draw(st.one_of(st.binary(max_size=300), cut, flipped))
    task = data.draw(st.sampled_from(["car", "brand", "all", "", "\x00", "é" * 100]))
    answer = ask(client, content, task, data.draw(st.text(min_size=1, max_size=20)))
    assert answer.status_code == 200 or 400 <= answer.status_code < 500, answer.text
    if answer.status_code != 200:
        assert set(answer.json()) == REFUSAL


def test_the_limit_is_the_strictest_of_the_tasks_asked(champions: Champions, png: Maker) -> None:
    """A file that one of the asked tasks must not take is refused, not decoded for the other."""
    car = champions["car"]
    small = Champion(1, _with_limits(car, max_pixels=100))
    with TestClient(app_of({"car": car, "small": small})) as client:
        assert ask(client, png(), "car").status_code == 200
        assert ask(client, png(), "all").status_code == 422


def _with_limits(champion: Champion, **limits: int) -> Any:
    from copy import copy

    predictor = copy(champion.predictor)
    predictor.spec = predictor.spec.model_copy(update=limits)
    return replace(champion, predictor=predictor).predictor
