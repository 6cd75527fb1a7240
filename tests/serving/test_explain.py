"""`/explain` draws the heat over the image as it was sent, and refuses as every route does."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from PIL import ExifTags, Image
from starlette.testclient import TestClient

from bright import MAPPED, PLAIN, bright_bundle, square
from roadworthy.bundle.predictor import Predictor
from roadworthy.serving.champions import Champion
from roadworthy.serving.explain import PLAIN as UNQUOTED
from roadworthy.serving.explain import explain, quote
from roadworthy.serving.uploads import Upload
from served import app_of

SIZE = (300, 180)
SPOT = (175, 80)


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def middle(png: bytes) -> tuple[float, float]:
    """Where a heat map is opaque: across and down, as shares of its sides."""
    opaque = np.asarray(Image.open(BytesIO(png)))[..., 3].astype(float)
    rows, columns = np.mgrid[: opaque.shape[0], : opaque.shape[1]] + 0.5
    across, down = ((opaque * axis).sum() / opaque.sum() for axis in (columns, rows))
    return across / opaque.shape[1], down / opaque.shape[0]


@pytest.fixture(scope="module")
def lights(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Champion]:
    """One that has maps, and one that has none, each with another way to make an image fit."""
    folder = tmp_path_factory.mktemp("lights")
    bundles = {
        "mapped": bright_bundle(folder / "mapped", MAPPED, fit="stretch", margin=1.0),
        "plain": bright_bundle(folder / "plain", PLAIN, fit="crop", margin=1.0),
    }
    return {task: Champion(1, Predictor(folder)) for task, folder in bundles.items()}


@pytest.fixture
def client(lights: dict[str, Champion]) -> Iterator[TestClient]:
    with TestClient(app_of(lights)) as client:
        yield client


@pytest.mark.parametrize("side", [MAPPED, PLAIN], ids=["grad-cam", "occlusion"])
@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
def test_the_heat_lies_on_the_thing_in_the_whole_image(fit: str, side: int, tmp_path: Path) -> None:
    """An off-centre spot, whatever was cut, bordered or squeezed before the network saw it."""
    champion = Champion(1, Predictor(bright_bundle(tmp_path, side, fit=fit, margin=1.125)))
    content = encoded(square(SIZE, SPOT, 40))
    made = explain(Upload("x.png", content), champion)
    assert made.label == "bright"
    expected = (SPOT[0] / SIZE[0], SPOT[1] / SIZE[1])
    assert middle(made.picture) == pytest.approx(expected, abs=0.06)


@pytest.mark.parametrize(("task", "method"), [("mapped", "grad-cam"), ("plain", "occlusion")])
def test_a_picture_is_answered(
    client: TestClient, lights: dict[str, Champion], task: str, method: str
) -> None:
    """PNG with alpha, as large as the image; what it explains is what `/predict` answers."""
    content = encoded(square(SIZE, SPOT, 40))
    answer = client.post("/explain", files={"file": ("x.png", content)}, data={"task": task})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    with Image.open(BytesIO(answer.content)) as picture:
        assert (picture.mode, picture.size) == ("RGBA", SIZE)
    (expected,) = lights[task].predictor.predict([content])
    assert (answer.headers["x-label"], answer.headers["x-method"]) == (expected.label, method)
    assert float(answer.headers["x-probability"]) == pytest.approx(expected.probability, abs=1e-5)


def test_another_label_can_be_asked_for(client: TestClient) -> None:
    """Why not dark? Nothing spoke for it."""
    content = encoded(square(SIZE, SPOT, 40))
    data = {"task": "mapped", "label": "dark"}
    answer = client.post("/explain", files={"file": ("x.png", content)}, data=data)
    assert answer.headers["x-label"] == "dark"
    assert np.asarray(Image.open(BytesIO(answer.content)))[..., 3].max() == 0


def test_a_photo_that_lies_on_its_side_is_explained_upright(client: TestClient) -> None:
    """Phones write pixels sideways; the page shows them upright."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    content = encoded(square(SIZE, SPOT, 40), "JPEG", exif=exif)
    answer = client.post("/explain", files={"file": ("x.jpg", content)}, data={"task": "mapped"})
    with Image.open(BytesIO(answer.content)) as picture:
        assert picture.size == SIZE[::-1]
    # A quarter turn to the right: what was left is up, what was up is right.
    expected = (1 - SPOT[1] / SIZE[1], SPOT[0] / SIZE[0])
    assert middle(answer.content) == pytest.approx(expected, abs=0.06)


def test_a_large_image_has_a_smaller_heat_map(client: TestClient) -> None:
    """Of the same shape, its longer side 1024."""
    content = encoded(square((2000, 500), (500, 250), 200), "JPEG")
    answer = client.post("/explain", files={"file": ("x.jpg", content)}, data={"task": "mapped"})
    with Image.open(BytesIO(answer.content)) as picture:
        assert picture.size == (1024, 256)


@pytest.mark.parametrize(
    ("data", "files", "status", "error"),
    [
        ({"task": "mapped"}, [], 422, "no_image"),
        ({"task": "mapped"}, [b"one", b"two"], 413, "too_many_files"),
        ({"task": "mapped"}, [b"no image"], 422, "unusable_image"),
        ({"task": "boat"}, [b"x"], 404, "unknown_task"),
        ({"task": "all"}, [b"x"], 422, "no_task"),
        ({}, [b"x"], 422, "no_task"),
        ({"task": "mapped", "label": "boat"}, [b"x"], 422, "unknown_label"),
    ],
)
def test_what_cannot_be_explained_is_refused(
    client: TestClient, data: dict[str, str], files: list[bytes], status: int, error: str
) -> None:
    """In the one shape of all refusals."""
    sent = [("file", ("x.png", content)) for content in files]
    answer = client.post("/explain", files=sent, data=data)
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert set(answer.json()) == {"error", "message", "hint", "request_id"}


@pytest.mark.parametrize("label", ["Land Rover", "Škoda", "a\r\nx-evil: 1", "100 %", "日産"])
def test_every_label_fits_into_a_header(label: str) -> None:
    """Names of makes are not ASCII only, and no label can add a header."""
    written = quote(label, safe=UNQUOTED)
    assert written.isascii() and written.isprintable()
    assert unquote(written) == label
    assert written == label or label != "Land Rover"
