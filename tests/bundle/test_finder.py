"""A bundle that searches: what torch finds, in every form of picture, and refusals that help."""

from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from roadworthy.bundle.finder import Finder
from roadworthy.bundle.format import SEARCH, SUPPRESS
from roadworthy.bundle.write import export_search
from roadworthy.detection.convert import slide
from roadworthy.detection.found import Found
from roadworthy.detection.torched import searcher
from roadworthy.errors import BundleError, DataError
from roadworthy.models.build import build
from roadworthy.params import Backbone, Head, Input
from searching import (
    SETTINGS,
    SIZE,
    WINDOW,
    drawn,
    searching_bundle,
    some_boxes,
    taught,
    usual_place,
)
from support import tiny_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    settings = SETTINGS.model_copy(update={"floor": 0.001})
    return searching_bundle(tmp_path_factory.mktemp("bundle"), settings=settings, temperature=1.7)


@pytest.fixture(scope="module")
def finder(bundle: Path) -> Finder:
    return Finder(bundle, threads=1)


def scene(seed: int = 1, size: tuple[int, int] = SIZE) -> Image.Image:
    return drawn(size, some_boxes(seed, size), seed)


def encoded(picture: Image.Image, kind: str = "PNG") -> bytes:
    file = BytesIO()
    picture.save(file, kind)
    return file.getvalue()


def same(one: Found, other: Found, within: float = 0.0) -> None:
    np.testing.assert_allclose(one.scores, other.scores, atol=within)
    np.testing.assert_allclose(one.boxes, other.boxes, atol=within * 100)
    np.testing.assert_allclose(one.heat, other.heat, atol=max(within, 0.005 if within else 0))
    assert one.size == other.size


def test_the_graph_finds_what_torch_finds(finder: Finder) -> None:
    """Boxes and scores; pictures of many sizes, none the one that it was exported with."""
    settings = finder.spec.search
    assert settings is not None
    own = searcher(taught(), WINDOW, settings.settings, usual_place(taught()), 1.7)
    for seed, size in enumerate([SIZE, (333, 97), (64, 200), (41, 25), (500, 380)]):
        picture = scene(seed, size)
        graph, torch_ = finder.find(picture), own.find(picture)
        sure = min(graph.scores[graph.scores > 0.01].min(initial=1), 0.5) * 0.999
        same(graph.above(sure), torch_.above(sure), 1e-4)
    assert finder.find(scene(1)).scores[0] > 0.9


def test_weak_boxes_are_there_for_curves(finder: Finder) -> None:
    """`find` goes down to the floor; the threshold is told beside it."""
    found = finder.find(scene(3))
    assert finder.threshold == 0.5
    assert len(found.above(finder.threshold)) < len(found)
    assert 0.001 <= found.scores[-1] < 0.5


@pytest.mark.parametrize("size", [(1, 1), (20_000, 3), (3, 2000)])
def test_odd_sizes_are_searched(finder: Finder, size: tuple[int, int]) -> None:
    """A pixel and a thread are pictures too: an answer inside of them, and no memory eaten."""
    found = finder.find(Image.new("L", size, 128))
    assert found.size == size and (found.boxes <= np.tile(size, 2)).all()
    assert found.heat.shape[0] <= size[1] and found.heat.shape[1] <= size[0]


def test_bytes_paths_arrays_and_pictures_are_one(finder: Finder, tmp_path: Path) -> None:
    """Whoever asks, however: one search."""
    picture, path = scene(), tmp_path / "scene.png"
    path.write_bytes(encoded(picture))
    wanted = finder.find(picture)
    assert len(wanted)
    grey = np.asarray(picture)
    for form in (path, str(path), path.read_bytes(), grey, grey[..., None]):
        same(finder.find(form), wanted)


@pytest.mark.parametrize("mode", ["RGB", "P", "RGBA", "CMYK", "I;16"])
def test_every_mode_is_searched(finder: Finder, mode: str) -> None:
    """Colour, palette, alpha, print and 16 bit: the same things are found."""
    plain = scene().convert("RGB")
    if mode == "I;16":
        values = np.asarray(scene()).astype(np.uint16) * 257
        picture = Image.fromarray(values)
    else:
        picture = plain.convert(mode)
    form = "TIFF" if mode == "CMYK" else "PNG"
    from_file = finder.find(encoded(picture, form)).above(0.5)
    assert len(from_file) == len(finder.find(scene()).above(0.5)) > 0
    if mode != "I;16":
        same(finder.find(picture).above(0.5), from_file, 1e-4)


def test_what_cannot_be_seen_is_not_searched(finder: Finder) -> None:
    """Transparent places are white, as for the classifier: nothing is found behind them."""
    hidden = scene().convert("RGBA")
    hidden.putalpha(0)
    assert not len(finder.find(encoded(hidden)).above(0.5))


@pytest.mark.parametrize("content", [b"", b"no", encoded(scene())[:200]])
def test_what_is_no_picture_is_refused(finder: Finder, content: bytes) -> None:
    """One reason, of our own kind."""
    with pytest.raises(DataError):
        finder.find(content)


def test_limits_hold(tmp_path: Path) -> None:
    """Those of the bundle, before anything is decoded."""
    small = Finder(searching_bundle(tmp_path, max_pixels=1000))
    with pytest.raises(DataError, match="pixels are over 1,000"):
        small.find(encoded(scene()))


def test_threads_get_the_same(finder: Finder) -> None:
    """One finder serves many at a time."""
    pictures = [scene(seed) for seed in range(6)]
    alone = [finder.find(picture) for picture in pictures]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(finder.find, pictures * 3))
    for one, other in zip(together, alone * 3, strict=True):
        same(one, other)


def test_a_bundle_without_search_says_so(tmp_path: Path) -> None:
    """And which task and setting it is about."""
    with pytest.raises(BundleError, match=r"cannot search pictures: its task 'car' .*search\.en"):
        Finder(tiny_bundle(tmp_path))


@pytest.mark.parametrize("name", [SEARCH, SUPPRESS])
def test_an_incomplete_or_damaged_bundle_is_named(tmp_path: Path, name: str) -> None:
    """By the file: it was copied by halves."""
    folder = searching_bundle(tmp_path)
    (folder / name).write_bytes((folder / name).read_bytes()[:100])
    with pytest.raises(BundleError, match=f"{name} cannot be loaded"):
        Finder(folder)
    (folder / name).unlink()
    with pytest.raises(BundleError, match=f"{name} is missing"):
        Finder(folder)


@pytest.mark.parametrize(
    ("name", "height", "width", "channels"),
    [("patch_cnn", 40, 100, 1), ("patch_cnn", 280, 24, 1), ("resnet18", 64, 96, 3)],
)
def test_graphs_of_other_windows(
    tmp_path: Path, name: str, height: int, width: int, channels: int
) -> None:
    """Wide kernels by transform, a window taller than most pictures, a padded network in colour."""
    import onnxruntime

    plain = {"mean": (0.5,) * channels, "std": (0.25,) * channels}
    spec = Input(height=height, width=width, channels=channels, **plain)
    network = build(Backbone(name=name, weights=None), Head(hidden=(8,)), 2, spec, seed=0).eval()
    sliding = slide(network, spec)
    export_search(sliding, tmp_path, SETTINGS)
    session = onnxruntime.InferenceSession(tmp_path / SEARCH, providers=["CPUExecutionProvider"])
    down, across = sliding.stride
    for more in ((0, 0), (down, 0), (3 * down, 7 * across), (0, 40 * across)):
        shape = (1, channels, height + more[0], width + more[1])
        picture = torch.randn(shape, generator=torch.Generator().manual_seed(0))
        with torch.inference_mode():
            wanted = [part.numpy() for part in sliding(picture)]
        for one, other in zip(session.run(None, {"picture": picture.numpy()}), wanted, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-4)
