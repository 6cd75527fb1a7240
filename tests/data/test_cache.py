"""The decoded cache gives back what was put in, over any number of shards."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from roadworthy.data import cache
from roadworthy.data.images import open_image
from roadworthy.data.transforms import cache_size, centre, fit, normalise
from roadworthy.errors import StaleError
from roadworthy.params import Input
from support import write_images


def table(paths: list[Path]) -> pd.DataFrame:
    splits = ["train", "val", "test"]
    return pd.DataFrame(
        {
            "path": [p.as_posix() for p in paths],
            "sha256": [p.name for p in paths],
            "label": ["ab"[n % 2] for n in range(len(paths))],
            "split": [splits[n % 3] for n in range(len(paths))],
        }
    )


def test_pixels_come_back_from_the_right_shard(tmp_path: Path) -> None:
    """One shard holds a MiB: 700 x 700 images make one shard each."""
    spec = Input(height=400, width=400, margin=1.125)
    paths = write_images(tmp_path / "images", 5)
    (tmp_path / "cache").mkdir()
    cache.write(tmp_path / "cache", table(paths), ("a", "b"), spec, shard_mb=1)
    opened = cache.load(tmp_path / "cache")
    assert len(opened.shards) == 5
    order = np.array([4, 0, 3])
    wanted = np.stack([fit(open_image(paths[n]), spec) for n in order])
    assert (opened.pixels(order) == wanted).all()
    assert opened.targets(order).tolist() == [0, 0, 1]
    assert opened.places("val").tolist() == [1, 4]


def test_the_digest_follows_images_labels_and_preparation(tmp_path: Path) -> None:
    """Checkpoints are found by it: another data set must not resume this one's training."""
    paths = write_images(tmp_path / "images", 3)
    digests = set()
    for number, (rows, spec) in enumerate(
        [
            (table(paths), Input(height=20, width=20)),
            (table(paths), Input(height=20, width=24)),
            (table(paths).assign(label="a"), Input(height=20, width=20)),
            (table(paths).assign(split="train"), Input(height=20, width=20)),
        ]
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        cache.write(folder, rows, ("a", "b"), spec)
        digests.add(cache.load(folder).digest)
    assert len(digests) == 4


def test_no_cache_says_what_to_run(tmp_path: Path) -> None:
    """Not a missing-file traceback."""
    with pytest.raises(StaleError, match="dvc repro"):
        cache.load(tmp_path)


@pytest.mark.parametrize("how", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("size", [(90, 30), (30, 90), (1, 1), (500, 500)])
def test_any_image_fits(how: str, size: tuple[int, int], tmp_path: Path) -> None:
    """Whatever the aspect, the cache and the network get their size."""
    (path,) = write_images(tmp_path, 1, size)
    spec = Input.model_validate({"fit": how, "height": 40, "width": 64})
    pixels = fit(open_image(path), spec)
    assert pixels.shape == (*cache_size(spec), 3)
    assert normalise(centre(pixels, spec)[None], spec).shape == (1, 3, 40, 64)
