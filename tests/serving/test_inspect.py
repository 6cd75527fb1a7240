"""`/inspect`: the cars of an image, what is said of each, and how far that can be trusted."""

import json
import shutil
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from starlette.testclient import TestClient

from fixed_finder import Fixed
from roadworthy.bundle.format import Searching, digest
from roadworthy.params import Search
from roadworthy.scene.inspect import inspect_picture
from roadworthy.serving.champions import INDEX, Champion, load_champions
from roadworthy.serving.inspect import MAX_SCENES
from roadworthy.serving.metrics import Metrics
from served import app_of
from support import tiny_bundle

REFUSAL = {"error", "message", "hint", "request_id"}
BOXES = [(0.1, 0.2, 0.5, 0.6), (0.5, 0.5, 1.0, 1.0), (0.0, 0.0, 0.1, 0.1)]
SCORES = [0.95, 0.7, 0.2]


@pytest.fixture(scope="module")
def served(champions: dict[str, Champion]) -> dict[str, Champion]:
    """`police` and `brand` as they are, and `detector` that searches."""
    car = champions["car"]
    finder: Any = Fixed(car.predictor.spec, BOXES, SCORES)
    return {"police": car, "brand": champions["brand"], "detector": replace(car, finder=finder)}


@pytest.fixture
def client(served: dict[str, Champion]) -> Any:
    with TestClient(app_of(served)) as client:
        yield client


def photo(size: tuple[int, int] = (80, 60), mode: str = "RGB", kind: str = "PNG") -> bytes:
    buffer = BytesIO()
    coarse = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    Image.fromarray(coarse).resize(size).convert(mode).save(buffer, kind)
    return buffer.getvalue()


def ask(client: TestClient, *contents: bytes, **data: Any) -> Any:
    files = [("file", (f"{number}.png", content)) for number, content in enumerate(contents)]
    return client.post("/inspect", files=files, data=data)


def test_answers_what_the_inspection_answers(
    client: TestClient, served: dict[str, Champion]
) -> None:
    """The service adds nothing of its own; weak boxes are left out."""
    content = photo()
    answer = ask(client, content).json()
    finder: Any = served["detector"].finder
    askers = {task: served[task].predictor for task in ("police", "brand")}
    expected = inspect_picture(Image.open(BytesIO(content)).convert("RGB"), finder, askers)
    [scene] = answer["scenes"]
    assert (scene["filename"], scene["width"], scene["height"]) == ("0.png", 80, 60)
    assert scene["cars"] == [car.to_json() for car in expected.cars]
    assert len(scene["cars"]) == 2
    assert [step["task"] for step in answer["steps"]] == ["car", "car", "brand"]
    assert answer["steps"][1]["figures"]["accuracy"]["value"] == 0.9
    assert any("errors add up" in text for text in answer["unknown"])


def test_a_packaged_bundle_that_searches_is_loaded_to_search(
    bundles: dict[str, Path], tmp_path: Path
) -> None:
    """And one that does not is not asked to."""
    search = Searching(settings=Search(enabled=True), stride=(4, 4), threshold=0.3)
    finder = tiny_bundle(tmp_path / "detector", task="detector", search=search)
    shutil.copytree(bundles["car"], tmp_path / "car")
    index = {
        task: {"version": 4, "digest": digest(folder)}
        for task, folder in {"detector": finder, "car": bundles["car"]}.items()
    }
    (tmp_path / INDEX).write_text(json.dumps(index))
    loaded = load_champions(tmp_path, threads=1)
    assert {task: one.finder is not None for task, one in loaded.items()} == {
        "detector": True,
        "car": False,
    }
    with TestClient(app_of(loaded)) as client:
        answer = ask(client, photo(), ask="car").json()
    assert [step["version"] for step in answer["steps"]] == [4, 4]
    assert all(set(one["answers"]) == {"car"} for one in answer["scenes"][0]["cars"])


def test_several_files_keep_their_order(client: TestClient) -> None:
    """Each has its own size."""
    sizes = [(30, 20), (20, 30), (50, 50)]
    scenes = ask(client, *map(photo, sizes)).json()["scenes"]
    assert [(one["width"], one["height"]) for one in scenes] == sizes


def test_who_is_asked(client: TestClient, served: dict[str, Champion]) -> None:
    """Those that are named; the usual ones where none is; one that is missing is said."""

    def asked(answer: Any) -> list[str]:
        return list(answer.json()["scenes"][0]["cars"][0]["answers"])

    assert asked(ask(client, photo())) == ["police", "brand"]
    assert asked(ask(client, photo(), ask=["brand", "brand"])) == ["brand"]
    without = {task: one for task, one in served.items() if task != "brand"}
    with TestClient(app_of(without)) as client:
        answer = ask(client, photo())
    assert asked(answer) == ["police"]
    assert "brand was not asked: it is not served" in answer.json()["unknown"]


@pytest.mark.parametrize("size", [(1, 1), (5000, 2), (99, 39)])
@pytest.mark.parametrize("mode", ["L", "RGBA", "1", "P"])
def test_odd_images_are_answered(client: TestClient, size: tuple[int, int], mode: str) -> None:
    """One pixel, a line, grey, transparent."""
    answer = ask(client, photo(size, mode))
    assert answer.status_code == 200, answer.text
    scene = answer.json()["scenes"][0]
    assert (scene["width"], scene["height"]) == size


def test_bad_requests_are_refused(
    client: TestClient, champions: dict[str, Champion], served: dict[str, Champion]
) -> None:
    """In the same shape as everywhere: no finder, unknown task, too much, no image, no file."""
    with TestClient(app_of(champions)) as without:
        refused = [(404, "no_finder", ask(without, photo()))]
    refused += [
        (404, "unknown_task", ask(client, photo(), ask="colour")),
        (413, "too_many_files", ask(client, *[photo()] * (MAX_SCENES + 1))),
        (413, "too_large", ask(client, b"x" * 150_000)),
        (422, "unusable_image", ask(client, b"no image")),
        (422, "unusable_image", ask(client, photo(), photo()[:-60])),
        (422, "unusable_image", ask(client, photo((1200, 1000), kind="JPEG"))),
        (422, "no_image", client.post("/inspect", data={"ask": "police"})),
        (405, "method", client.get("/inspect")),
    ]
    for status, error, answer in refused:
        assert (answer.status_code, answer.json()["error"]) == (status, error), answer.text
        assert set(answer.json()) == REFUSAL


def test_boxes_and_answers_are_counted(served: dict[str, Champion]) -> None:
    """As answers of the champions that gave them."""
    metrics = Metrics()
    with TestClient(app_of(served, metrics)) as client:
        ask(client, photo(), ask="brand")
    text = metrics.text().decode()
    found = (
        'roadworthy_predictions_total{label="car",model_version="3",sure="true",task="detector"} 2'
    )
    assert found in text
    brand = [line for line in text.splitlines() if 'task="brand"' in line and "predictions" in line]
    assert sum(float(line.split()[-1]) for line in brand if "_total" in line) == 2
    assert 'route="/inspect",status="200"} 1.0' in text
    assert 'roadworthy_inference_seconds_count{task="inspect"} 1.0' in text


def test_it_can_be_found(client: TestClient) -> None:
    """In `/tasks` and `/info` what searches, in OpenAPI with an example."""
    searches = {one["task"]: one["searches"] for one in client.get("/tasks").json()}
    assert searches == {"police": False, "brand": False, "detector": True}
    info = client.get("/info").json()
    assert info["tasks"]["detector"]["searches"]
    assert info["limits"]["max_scenes"] == MAX_SCENES
    operation = client.get("/openapi.json").json()["paths"]["/inspect"]["post"]
    example = operation["responses"]["200"]["content"]["application/json"]["example"]
    assert example["scenes"][0]["cars"][0]["answers"]["police"]["label"] == "police"
    assert {"404", "408", "413", "422", "429"} <= set(operation["responses"])


def test_the_example_is_an_answer() -> None:
    """Whoever writes a client by it is not misled."""
    from roadworthy.serving.answers import INSPECTED, Inspection

    assert Inspection.model_validate(INSPECTED).model_dump() == INSPECTED


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_bytes_never_break_the_service(client: TestClient, data: Any) -> None:
    """Whatever is sent as an image or as who is to be asked: 200, or a 4xx in our shape."""
    whole = photo((40, 40))
    cut = st.integers(0, len(whole)).map(lambda end: whole[:end])
    content = data.draw(st.one_of(st.binary(max_size=200), cut))
    answer = ask(client, content, ask=data.draw(st.sampled_from(["police", "", "\x00", "é" * 90])))
    assert answer.status_code == 200 or 400 <= answer.status_code < 500, answer.text
    if answer.status_code != 200:
        assert set(answer.json()) == REFUSAL
