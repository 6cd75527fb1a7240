"""A planted set of copies: found, and nothing else is."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageEnhance, ImageOps

from roadworthy.data.generated import generate
from roadworthy.data.reading import describe
from roadworthy.params import Validation
from roadworthy.quality import duplicates

REAL = Path(__file__).parents[3] / "shared/data/brands5/Train"
COUNT = 60


def cut(
    left: float, top: float, right: float, bottom: float
) -> Callable[[Image.Image], Image.Image]:
    def crop(image: Image.Image) -> Image.Image:
        w, h = image.size
        return image.crop(
            (int(w * left), int(h * top), int(w * (1 - right)), int(h * (1 - bottom)))
        )

    return crop


COPIES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "exact": lambda image: image,
    "resized": lambda image: image.resize((image.width // 2, image.height // 2)),
    "re-compressed": lambda image: image,
    "cropped 5 % at one side": cut(0.05, 0, 0, 0),
    "cropped 5 % at two sides": cut(0, 0.05, 0.05, 0),
    "cropped 5 % at every side": cut(0.05, 0.05, 0.05, 0.05),
    "brightened": lambda image: ImageEnhance.Brightness(image).enhance(1.3),
    "mirrored": ImageOps.mirror,
}


def indexed(paths: list[Path]) -> tuple[pd.DataFrame, np.ndarray]:
    described = [describe(path, 10**8) for path in paths]
    rows = pd.DataFrame([row for row, _ in described]).assign(path=[p.as_posix() for p in paths])
    return rows, np.stack([thumbnail for _, thumbnail in described if thumbnail is not None])


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Drawn street scenes, no two frames of one clip."""
    folder = tmp_path_factory.mktemp("drawn")
    generate(folder / "set", seed=11, scale=0.12)
    drawn = sorted((folder / "set/police").rglob("*.jpg"))
    opened = [p for p in drawn if "clip" not in p.name]
    rows = [(p, describe(p, 10**8)[0]) for p in opened]
    unique = {row["sha256"]: p for p, row in rows if row["readable"]}
    return list(unique.values())[:COUNT]


def planted(
    sources: list[Path], folder: Path, change: Callable[[Image.Image], Image.Image], quality: int
) -> list[Path]:
    """Every original, and a changed copy of every second one."""
    folder.mkdir()
    paths = []
    for number, path in enumerate(sources):
        image = Image.open(path).convert("RGB")
        image.save(folder / f"{number:03d}.png")
        paths.append(folder / f"{number:03d}.png")
        if number % 2:
            change(image).save(folder / f"{number:03d}_copy.jpg", quality=quality)
            paths.append(folder / f"{number:03d}_copy.jpg")
    return paths


def recall_and_false(paths: list[Path]) -> tuple[float, list[tuple[str, str]]]:
    rows, thumbnails = indexed(paths)
    pairs = duplicates.find(rows, thumbnails, Validation())
    stems = [path.stem[:3] for path in paths]
    right = {
        stems[a]
        for a, b in zip(pairs["first"], pairs["second"], strict=True)
        if stems[a] == stems[b]
    }
    wrong = [
        (paths[a].name, paths[b].name)
        for a, b in zip(pairs["first"], pairs["second"], strict=True)
        if stems[a] != stems[b]
    ]
    return len(right) / sum("copy" in path.name for path in paths), wrong


@pytest.mark.parametrize("kind", COPIES)
def test_planted_copies_are_found_and_nothing_else(
    kind: str, originals: list[Path], tmp_path: Path
) -> None:
    """Each of them, in train and test, would be an answer that was seen before."""
    quality = 30 if kind == "re-compressed" else 90
    recall, wrong = recall_and_false(planted(originals, tmp_path / "set", COPIES[kind], quality))
    assert recall >= 0.95
    assert not wrong


@pytest.mark.skipif(not REAL.is_dir(), reason="the real images are not on this machine")
def test_studio_photos_of_different_cars_are_different(tmp_path: Path) -> None:
    """On white, from one angle, in one colour: what a hash and a thumbnail take for one picture."""
    sources = [REAL / "bmw/10.jpg", REAL / "mercedes/39.jpg", REAL / "lamborghini/23.jpg"]
    rows, thumbnails = indexed(sources)
    assert len(duplicates.find(rows, thumbnails, Validation())) == 0


def test_a_mirrored_copy_counts_only_if_wanted(originals: list[Path], tmp_path: Path) -> None:
    """Where left and right make a difference, a mirrored picture is another one."""
    paths = planted(originals[:8], tmp_path / "set", ImageOps.mirror, 95)
    rows, thumbnails = indexed(paths)
    found = duplicates.find(rows, thumbnails, Validation())
    assert len(found) == 4
    assert found["mirrored"].all()
    assert len(duplicates.find(rows, thumbnails, Validation(mirrored=False))) == 0


def test_pictures_with_nothing_in_them_are_not_copies(tmp_path: Path) -> None:
    """Black frames would join everything they are near to."""
    paths = []
    for number, colour in enumerate(["black", "#000001", "white", "#777777"]):
        paths.append(tmp_path / f"{number}.png")
        Image.new("RGB", (64, 64), colour).save(paths[-1])
    rows, thumbnails = indexed(paths)
    assert len(duplicates.find(rows, thumbnails, Validation())) == 0


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.integers(2, 90), st.integers(0, 24))
def test_no_pair_within_the_distance_is_missed(seed: int, count: int, bits: int) -> None:
    """The blocks and buffers of the fast comparison change nothing."""
    rng = np.random.default_rng(seed)
    one, two = (rng.integers(0, 2**6, count).astype(np.uint64) * 2**31 for _ in range(2))
    with pytest.MonkeyPatch.context() as patch:
        # Small, so that 90 rows fill several blocks and buffers, and the last ones in part.
        patch.setattr(duplicates, "BLOCK", 24)
        patch.setattr(duplicates, "ROWS", 5)
        found = {
            (int(a), int(b), int(d))
            for start in range(0, count, duplicates.BLOCK)
            for a, b, d, _ in duplicates._within((one, two, False, start), bits)
        }
    wanted = {
        (a, b, (int(one[a]) ^ int(two[b])).bit_count())
        for a in range(count)
        for b in range(a + 1, count)
        if (int(one[a]) ^ int(two[b])).bit_count() <= bits
    }
    assert found == wanted
