"""Champions become an image that runs locked in and answers as the Predictor does."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from containers import BASE, LOCKED_IN, ROOT, Containers, skip_without_builder, store
from roadworthy.bundle.predictor import Predictor
from roadworthy.pipeline.container import ContainerResult, containerize
from roadworthy.pipeline.package import PackageResult, build
from support import free_port, tiny_bundle, write_images

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning"),
]
NAME = "service"
MEGABYTES = 450
CONTENT = "roadworthy.content"
"""The whole image, uncompressed, with the champions of this road in it."""
IMAGES = 200
AT_ONCE = 25
DECISION = {
    "at": "2026-11-01T00:00:00Z",
    "task": "car",
    "decision": "promoted",
    "version": 1,
    "reason": "the first",
}


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The champions of this checkout where a road was walked, else small ones."""
    walked = {path.parent.name: path for path in sorted((ROOT / "artifacts").glob("*/export"))}
    if walked and all((path / "bundle.json").is_file() for path in walked.values()):
        return walked
    folder = tmp_path_factory.mktemp("bundles")
    return {
        "car": tiny_bundle(folder / "car"),
        "brand": tiny_bundle(folder / "brand", task="brand", labels=("a", "b", "c")),
    }


@pytest.fixture(scope="module")
def containers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Containers]:
    skip_without_builder()
    with (
        store(tmp_path_factory.mktemp("containers")) as made,
        pytest.MonkeyPatch.context() as patch,
    ):
        for name, value in made.environment.items():
            patch.setenv(name, value)
        patch.setenv("BENTOML_HOME", str(made.folder / "bentoml"))
        made.skip_where_forbidden()
        made.run(str(ROOT / "deploy" / "base-image.sh"), BASE)
        yield made


@pytest.fixture(scope="module")
def packaged(containers: Containers, bundles: dict[str, Path]) -> PackageResult:
    return build({task: (folder, 1) for task, folder in bundles.items()}, history=[DECISION])


@pytest.fixture(scope="module")
def image(containers: Containers, packaged: PackageResult) -> ContainerResult:
    out = containers.folder / "out"
    made = containerize(packaged, base=BASE, builder="podman", out=out)
    assert made.built
    return made


@pytest.fixture(scope="module")
def address(containers: Containers, image: ContainerResult) -> Iterator[str]:
    """Of the running service; that it stops well is a part of every test."""
    port = free_port()
    given = ("--name", NAME, "--env", f"BENTOML_PORT={port}", "--env", "ROADWORTHY_THREADS=1")
    containers.run("podman", "run", "--detach", *LOCKED_IN, *given, image.name)
    url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 120
    while True:
        try:
            if httpx.get(f"{url}/readyz", timeout=2).status_code == 200:
                break
        except httpx.TransportError:
            time.sleep(0.2)
        running = containers.inspect(NAME)["State"]["Running"]
        if not running or time.monotonic() > deadline:
            said = containers.run("podman", "logs", NAME)
            raise AssertionError(f"the container did not start:\n{said.stdout}{said.stderr}")
    yield url
    containers.run("podman", "stop", "--time", "90", NAME)
    assert containers.inspect(NAME)["State"]["ExitCode"] == 0


def test_the_container_answers_like_the_predictor(
    address: str, bundles: dict[str, Path], tmp_path: Path
) -> None:
    """Another system, other libraries underneath, another user: the same probabilities."""
    paths = write_images(tmp_path, IMAGES, size=(96, 72))
    for task, folder in bundles.items():
        found = []
        with httpx.Client(base_url=address, timeout=60) as client:
            for start in range(0, IMAGES, AT_ONCE):
                files = [("file", path.read_bytes()) for path in paths[start : start + AT_ONCE]]
                answer = client.post("/predict", files=files, data={"task": task})
                assert answer.status_code == 200, answer.text
                found += [one["probabilities"] for one in answer.json()["predictions"]]
        expected = [one.probabilities for one in Predictor(folder).predict(paths)]
        assert [list(one) for one in found] == [list(one) for one in expected]
        difference = np.abs(
            [
                np.subtract(list(a.values()), list(b.values()))
                for a, b in zip(found, expected, strict=True)
            ]
        ).max()
        assert difference < 1e-4


def test_the_container_is_locked_in(address: str, containers: Containers) -> None:
    """What an intruder could use is not there, and what the service writes is in /tmp alone."""
    assert httpx.post(f"{address}/predict", files={"file": b"no image"}).status_code == 422
    assert containers.run("podman", "healthcheck", "run", NAME).returncode == 0
    inside = (
        "cat /proc/1/status; touch /app/x /data/x 2>&1; find /tmp -type f; command -v cc gcc pip"
    )
    said = containers.run("podman", "exec", NAME, "sh", "-c", inside, check=False).stdout
    assert "Uid:\t10001\t10001" in said
    assert "CapEff:\t0000000000000000" in said
    assert said.count("Read-only file system") == 2
    assert not [line for line in said.splitlines() if line.endswith(("cc", "/pip"))]
    changed = containers.run("podman", "diff", NAME).stdout.split("\n")
    # Podman itself mounts hosts and resolv.conf there.
    assert not [line for line in changed if line[2:] and not line[2:].startswith(("/etc", "/run"))]


def test_the_image_holds_what_serving_needs(
    image: ContainerResult, containers: Containers, bundles: dict[str, Path]
) -> None:
    """No torch, no tracker, no training weights; small; labelled; the list of parts is complete."""
    print(f"image: {image.megabytes} MB with {', '.join(bundles)}")
    inspected = containers.inspect(image.name)
    labels = inspected["Labels"]
    assert json.loads(labels["roadworthy.models"]) == dict.fromkeys(bundles, 1)
    assert {"org.opencontainers.image.revision", "org.opencontainers.image.version"} <= set(labels)
    assert inspected["User"] == "10001:10001"
    list_all = ("--rm", "--entrypoint", "find", image.name, "/app", "/data")
    names = containers.run("podman", "run", *LOCKED_IN, *list_all).stdout.splitlines()
    parts = {part for name in names for part in Path(name).parts}
    assert not parts & {"torch", "mlflow", "pandas", "dvc", "weights.safetensors", "seen.npy"}
    bill = json.loads(image.sbom.read_text())
    listed = {(one["type"], one["name"].lower()) for one in bill["components"]}
    assert {("library", "onnxruntime"), ("library", "libc6")} <= listed
    assert {("machine-learning-model", task) for task in bundles} <= listed
    installed = [name for name in names if name.endswith(".dist-info")]
    python = [one for one in bill["components"] if one.get("purl", "").startswith("pkg:pypi")]
    assert len(installed) == len(python) and all(one.get("hashes") for one in python)
    assert any(name == "/app/sbom.cdx.json" for name in names)
    small = all(
        "optimised" in json.loads((b / "bundle.json").read_text()) for b in bundles.values()
    )
    if small:
        assert image.megabytes < MEGABYTES


def test_the_same_champions_are_not_built_twice(
    image: ContainerResult, packaged: PackageResult, containers: Containers
) -> None:
    """Neither by the same program nor by another on the same store; the list of parts comes back."""
    bill = image.sbom.read_bytes()
    image.sbom.unlink()
    again = containerize(packaged, base=BASE, builder="buildah", out=image.sbom.parent)
    assert (again.name, again.built) == (image.name, False)
    assert image.sbom.read_bytes() == bill
    other = containerize(packaged, base=BASE, builder="podman", out=image.sbom.parent, tag="mine")
    assert (other.name, other.built) == ("mine", True)
    mine, first = (containers.inspect(name)["Labels"][CONTENT] for name in ("mine", image.name))
    assert mine == first
