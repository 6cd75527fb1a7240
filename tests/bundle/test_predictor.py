"""A bundle answers the same in every form and with every engine, and refuses what it should."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from roadworthy.bundle.format import GRAPH, LINEAGE, SPEC, WEIGHTS, digest
from roadworthy.bundle.predictor import BATCH, Engine, Predictor, opened, scaled_to
from roadworthy.data import transforms
from roadworthy.data.images import decode
from roadworthy.errors import BundleError, DataError
from support import tiny_bundle, write_images

ENGINES: tuple[Engine, ...] = ("onnx", "torch")


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


@pytest.mark.parametrize("mode", ["RGBA", "P", "LA", "I;16", "1", "L"])
def test_a_picture_of_any_mode_is_what_its_file_is(mode: str, bundle: Path, tmp_path: Path) -> None:
    """Transparency and 16 bits are not lost on the way that misses the file."""
    rng = np.random.default_rng(3)
    if mode == "I;16":
        picture = Image.fromarray(rng.integers(0, 2**16, (30, 40), dtype=np.uint16))
    else:
        picture = Image.fromarray(rng.integers(0, 256, (30, 40, 4), dtype=np.uint8))
        picture = picture.convert("RGB").convert(mode) if mode == "P" else picture.convert(mode)
    picture.save(tmp_path / "odd.png")
    predictor = Predictor(bundle)
    assert np.array_equal(predictor.prepare(picture), predictor.prepare(tmp_path / "odd.png"))


def test_a_large_jpeg_is_scaled_while_it_is_decoded(bundle: Path, tmp_path: Path) -> None:
    """A photo of a phone costs a fraction, and its pixels hardly differ; a Finder sees all of them."""
    (path,) = write_images(tmp_path, 1, size=(640, 480))
    Image.open(path).save(tmp_path / "large.jpg", quality=95)
    content = (tmp_path / "large.jpg").read_bytes()
    predictor = Predictor(bundle)
    spec = predictor.spec
    small = opened(content, spec, scaled_to(spec.input))
    assert scaled_to(spec.input) <= min(small.size) < 2 * scaled_to(spec.input)
    assert opened(content, spec).size == (640, 480)
    whole = transforms.centre(transforms.fit(decode(content).image, spec.input), spec.input)
    difference = np.abs(predictor.prepare(content).astype(int) - whole)
    assert difference.mean() < 1
    same = transforms.centre(transforms.fit(small, spec.input), spec.input)
    assert np.array_equal(predictor.prepare(content), same)


@pytest.mark.parametrize("engine", ["onnx", "torch"])
def test_outputs_are_those_of_each_image_alone(engine: Engine, bundle: Path) -> None:
    """Whoever shares a batch with others gets the same answer, and the embedding that made it."""
    predictor = Predictor(bundle, engine)
    pixels = np.random.default_rng(4).integers(0, 256, (BATCH + 3, 20, 20, 3), dtype=np.uint8)
    together = predictor.outputs(pixels)
    assert together.logits.shape == (len(pixels), 3)
    assert together.logits.dtype == np.float64
    assert together.maps is None
    assert together.embedding is not None
    assert together.embedding.shape[0] == len(pixels)
    for place in (0, BATCH, BATCH + 2):
        alone = predictor.outputs(pixels[place : place + 1])
        assert alone.logits[0] == pytest.approx(together.logits[place], abs=1e-5)
        assert alone.embedding is not None
        assert alone.embedding[0] == pytest.approx(together.embedding[place], abs=1e-4)


def test_the_engines_give_one_embedding(bundle: Path) -> None:
    """Drift is measured against what another engine may have made."""
    pixels = np.random.default_rng(5).integers(0, 256, (4, 20, 20, 3), dtype=np.uint8)
    graph, torch = (Predictor(bundle, engine).outputs(pixels, maps=True) for engine in ENGINES)
    assert graph.embedding == pytest.approx(torch.embedding, abs=1e-4)


def test_a_bundle_from_before_the_embedding_still_answers(bundle: Path, tmp_path: Path) -> None:
    """Protects champions in registries: their graph gives logits and nothing else."""
    import onnx

    folder = tmp_path / "old"
    shutil.copytree(bundle, folder)
    graph = onnx.load(folder / GRAPH)
    del graph.graph.output[1:]
    onnx.save(graph, folder / GRAPH)
    pixels = np.zeros((2, 20, 20, 3), np.uint8)
    outputs = Predictor(folder, "onnx").outputs(pixels, maps=True)
    assert outputs.embedding is None
    assert outputs.maps is None
    assert np.array_equal(outputs.logits, Predictor(bundle, "onnx").logits(pixels))


def test_only_what_the_engine_takes_must_be_there(bundle: Path, tmp_path: Path) -> None:
    """Protects the container, which gets no torch weights, and the message where a graph is missing."""
    for name in (SPEC, GRAPH):
        shutil.copy(bundle / name, tmp_path)
    pixels = np.zeros((1, 20, 20, 3), np.uint8)
    slim = Predictor(tmp_path)
    assert np.array_equal(slim.logits(pixels), Predictor(bundle).logits(pixels))
    with pytest.raises(BundleError, match="no optimised graph that passed"):
        Predictor(tmp_path, "int8")
    with pytest.raises(BundleError, match="does not fit"):
        Predictor(tmp_path, "torch")
    (tmp_path / GRAPH).unlink()
    with pytest.raises(BundleError, match=f"{GRAPH} is missing"):
        Predictor(tmp_path)


def test_another_threshold_may_be_asked_for(tmp_path: Path) -> None:
    """Of a binary task; where many labels compete there is none to change."""
    one = Predictor(tiny_bundle(tmp_path / "one", threshold=0.5))
    row = np.array([0.4, 0.6])
    assert one.answer(row).label == "car"
    assert one.answer(row, 0.7).label == "not_car"
    assert one.answer(row, 0.7).probability == 0.4
    many = Predictor(tiny_bundle(tmp_path / "many", labels=("a", "b", "c")))
    assert many.answer(np.array([0.2, 0.5, 0.3]), 0.9).label == "b"


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
