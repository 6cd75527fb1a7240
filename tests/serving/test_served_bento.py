import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from roadworthy.bundle.predictor import Predictor
from roadworthy.pipeline.package import PackageResult, build
from support import free_port, write_images

pytestmark = pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")
DEFAULT_SIGNALS = ("env", "--default-signal=INT,QUIT,TERM,HUP")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("bentoml")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENTOML_HOME", str(path))
        patch.setenv("BENTOML_DO_NOT_TRACK", "True")
        yield path


@pytest.fixture(scope="module")
def bento(home: Path, bundles: dict[str, Path]) -> PackageResult:
    return build({"car": (bundles["car"], 3), "brand": (bundles["brand"], 1)})


@pytest.fixture(scope="module")
def server(home: Path, bento: PackageResult) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    # Only the code in the Bento says this; the package that is installed here does not.
    code = home / "bentos" / bento.tag.replace(":", "/") / "src" / "roadworthy" / "__init__.py"
    code.write_text('__version__ = "of the Bento"')
    port = free_port()
    command = [*DEFAULT_SIGNALS, sys.executable, "-m", "bentoml", "serve", bento.tag]
    with (home / "serve.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port)],
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd=home,
        )
    try:
        address = f"http://127.0.0.1:{port}"
        _wait_until_ready(address, process, home / "serve.log")
        yield address, process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait_until_ready(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{address}/readyz", timeout=2).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    raise AssertionError(f"the service did not start:\n{log.read_text()[-3000:]}")


def test_the_bento_holds_what_serving_needs_and_no_more(home: Path, bento: PackageResult) -> None:
    """Code that trains or judges is not shipped, and the models are frozen to one version."""
    folder = home / "bentos" / bento.tag.replace(":", "/")
    shipped = {str(path.relative_to(folder / "src")) for path in (folder / "src").rglob("*.py")}
    assert "roadworthy/serving/service.py" in shipped
    rooms = {path.split("/")[1] for path in shipped if path.count("/") > 1}
    training = {"augmentation", "evaluation", "gate", "pipeline", "quality", "training", "tuning"}
    assert "serving" in rooms and not rooms & training
    assert (
        "roadworthy/models/build.py" not in shipped and "roadworthy/bundle/write.py" not in shipped
    )
    assert bento.model in (folder / "bento.yaml").read_text()
    requirements = (folder / "env" / "python" / "requirements.txt").read_text()
    assert "bentoml==" in requirements and "onnxruntime" in requirements
    assert "torch" not in requirements.replace("no torch", "")


def test_packaging_the_same_again_builds_nothing(
    bento: PackageResult, bundles: dict[str, Path]
) -> None:
    """The nightly run does not fill the disk with equal Bentos."""
    again = build({"car": (bundles["car"], 3), "brand": (bundles["brand"], 1)})
    assert (again.tag, again.built) == (bento.tag, False)


def test_the_served_bento_answers_like_the_predictor(
    server: tuple[str, subprocess.Popen[bytes]],
    home: Path,
    bento: PackageResult,
    bundles: dict[str, Path],
    png: object,
) -> None:
    """The whole way: bundle, model store, Bento, process, HTTP; then it stops when told to."""
    address, process = server
    assert callable(png)
    content = png()
    with httpx.Client(base_url=address, timeout=30) as client:
        assert client.get("/livez").status_code == 200
        _agree(client, bundles, [path.read_bytes() for path in write_images(home / "drawn", 200)])
        answers = client.post("/predict", files={"file": content}, data={"task": "all"})
        for answer in answers.json()["results"]:
            task = answer["task"]
            assert answer["model_version"] == bento.versions[task]
            [expected] = Predictor(bundles[task]).predict([content])
            [found] = answer["predictions"]
            assert found["label"] == expected.label
            assert found["probability"] == pytest.approx(expected.probability, abs=1e-6)
            assert found["probabilities"] == pytest.approx(expected.probabilities, abs=1e-6)
        refused = client.post("/predict", files={"file": b"x" * 400_000})
        assert (refused.status_code, refused.json()["error"]) == (413, "too_large")
        assert client.get("/nothing").json()["error"] == "not_found"
        _only_ours(client)
        assert (
            client.get("/info").json()["tasks"]["car"]["digest"] == Predictor(bundles["car"]).digest
        )
        assert client.get("/info").json()["version"] == "of the Bento"
        figures = client.get("/metrics").text
        assert 'roadworthy_predictions_total{label="' in figures
        assert 'route="/predict",status="413"} 1.0' in figures
    assert not [path for path in _maps(process.pid) if "torch" in path]
    workers = psutil.Process(process.pid).children(recursive=True)
    process.terminate()
    assert process.wait(timeout=20) == 0
    assert not [worker for worker in workers if worker.is_running()]


def _only_ours(client: httpx.Client) -> None:
    """BentoML's own addresses are none, but for health: they would pass by keys and limits."""
    for path in ("/schema.json", "/docs.json", "/healthz", "/static_content/index.css"):
        answer = client.get(path, headers={"x-request-id": "mine"})
        assert (answer.status_code, answer.json()["error"]) == (404, "not_found")
        assert answer.headers["x-request-id"] == answer.json()["request_id"] == "mine"
    assert client.get("/readyz").status_code == 200


def _agree(client: httpx.Client, bundles: dict[str, Path], contents: list[bytes]) -> None:
    """The service gives for many images what the bundle gives, to 1e-4."""
    for task, bundle in bundles.items():
        found = []
        for start in range(0, len(contents), 25):
            files = [("file", content) for content in contents[start : start + 25]]
            answer = client.post("/predict", files=files, data={"task": task}).json()
            found += [one["probabilities"] for one in answer["predictions"]]
        expected = [one.probabilities for one in Predictor(bundle).predict(contents)]
        assert found == [pytest.approx(one, abs=1e-4) for one in expected]


def _maps(pid: int) -> list[str]:
    """Files mapped by the processes that `pid` started."""
    workers = psutil.Process(pid).children(recursive=True)
    found = [mapped.path for worker in workers for mapped in worker.memory_maps()]
    assert any("onnxruntime" in path for path in found)
    return found
