"""A bundle answers the same in every form and with every engine, and refuses what it should."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from roadworthy.bundle.format import LINEAGE, SPEC, WEIGHTS, digest
from roadworthy.bundle.predictor import Predictor
from roadworthy.errors import BundleError, DataError
from support import tiny_bundle, write_images


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_bundle(tmp_path_factory.mktemp("bundle"), labels=("a", "b", "c"))


def test_bytes_paths_arrays_and_pictures_are_one(bundle: Path, tmp_path: Path) -> None:
    """Whoever asks, however: one preprocessing."""
    (path,) = write_images(tmp_path, 1)
    picture = Image.open(path)
    forms = [path, str(path), path.read_bytes(), np.asarray(picture), picture]
    answers = {str(answer) for answer in Predictor(bundle).predict(forms)}
    assert len(answers) == 1


def test_the_engines_agree(bundle: Path, tmp_path: Path) -> None:
    """What was measured in torch is served by the graph."""
    paths = write_images(tmp_path, 40)
    graph, torch = (Predictor(bundle, engine=e) for e in ("onnx", "torch"))
    for one, two in zip(graph.predict(paths), torch.predict(paths), strict=True):
        assert one.label == two.label
        assert one.probabilities == pytest.approx(two.probabilities, abs=1e-5)


def test_probabilities_add_up(bundle: Path, tmp_path: Path) -> None:
    """And the answer is the largest."""
    for answer in Predictor(bundle).predict(write_images(tmp_path, 5)):
        assert sum(answer.probabilities.values()) == pytest.approx(1)
        assert answer.probability == max(answer.probabilities.values())


def test_the_threshold_decides_a_binary_answer(tmp_path: Path) -> None:
    """Not the larger half."""
    images = write_images(tmp_path / "images", 3)
    strict = Predictor(tiny_bundle(tmp_path / "strict", threshold=0.9999))
    lax = Predictor(tiny_bundle(tmp_path / "lax", threshold=0.0001))
    assert {a.label for a in strict.predict(images)} == {"not_car"}
    assert {a.label for a in lax.predict(images)} == {"car"}


def test_a_bad_image_is_named_by_its_place(bundle: Path, tmp_path: Path) -> None:
    """One of many must be found again."""
    (path,) = write_images(tmp_path, 1)
    with pytest.raises(DataError, match="image 1: not an image"):
        Predictor(bundle).predict([path, b"no"])


def test_limits_hold_before_decoding(tmp_path: Path) -> None:
    """In bytes and in pixels."""
    (path,) = write_images(tmp_path / "images", 1, size=(200, 200))
    few_bytes = Predictor(tiny_bundle(tmp_path / "bytes", max_bytes=100))
    with pytest.raises(DataError, match="bytes are over 100"):
        few_bytes.predict([path])
    few_pixels = Predictor(tiny_bundle(tmp_path / "pixels", max_pixels=1000))
    with pytest.raises(DataError, match="pixels are over 1,000"):
        few_pixels.predict([path])


def test_nothing_asked_nothing_answered(bundle: Path) -> None:
    """An empty list is no error."""
    assert Predictor(bundle).predict([]) == []


def test_the_digest_is_of_the_model_not_of_its_record(tmp_path: Path) -> None:
    """Lineage names the run; the same model in two runs stays the same model."""
    folder = tiny_bundle(tmp_path / "bundle")
    before = digest(folder)
    (folder / LINEAGE).write_text('{"params_hash": "x"}')
    assert digest(folder) == before
    weights = bytearray((folder / WEIGHTS).read_bytes())
    weights[-1] ^= 1
    (folder / WEIGHTS).write_bytes(weights)
    assert digest(folder) != before


@pytest.mark.parametrize("damage", ["missing", "not json", "other format"])
def test_a_damaged_bundle_is_refused(damage: str, tmp_path: Path) -> None:
    """With one message instead of a wrong answer."""
    folder = tiny_bundle(tmp_path / "bundle")
    spec = folder / SPEC
    if damage == "missing":
        spec.unlink()
    elif damage == "not json":
        spec.write_text("{")
    else:
        spec.write_text(spec.read_text().replace('"format": 1', '"format": 2'))
    with pytest.raises(BundleError):
        Predictor(folder)
