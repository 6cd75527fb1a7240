"""A cache with more images behind it is read like a cache."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from roadworthy.data.cached import Cache
from roadworthy.data.extended import Extended
from small_training import write_cache


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Cache:
    return write_cache(tmp_path_factory.mktemp("cache"), images=40)


def more(cache: Cache, count: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, *cache.shape), dtype=np.uint8)


def test_the_further_images_are_for_training_alone(cache: Cache) -> None:
    """Validation and test are what they were, row by row."""
    extended = Extended(cache, more(cache, 5), 0)
    assert len(extended) == 45
    for split in ("val", "test"):
        assert np.array_equal(extended.places(split), cache.places(split))
    wanted = [*cache.places("train"), *range(40, 45)]
    assert extended.places("train").tolist() == wanted
    assert (np.diff(extended.places("train")) > 0).all()


def test_what_is_said_of_the_cache_is_said_of_it(cache: Cache) -> None:
    """Labels, rows and shape: a report tells the images that people gave."""
    extended = Extended(cache, more(cache, 5), 0)
    assert extended.labels == cache.labels and extended.shape == cache.shape
    assert extended.rows is cache.rows


def test_pixels_and_targets_in_any_order(cache: Cache) -> None:
    """Own rows and further ones mixed, each where it was asked for; none of a kind is no error."""
    further = more(cache, 5)
    extended = Extended(cache, further, 1)
    places = np.array([44, 3, 40, 0, 39, 42])
    pixels = extended.pixels(places)
    assert pixels.dtype == np.uint8 and pixels.shape == (6, *cache.shape)
    assert np.array_equal(pixels[[0, 2, 5]], further[[4, 0, 2]])
    assert np.array_equal(pixels[[1, 3, 4]], cache.pixels(np.array([3, 0, 39])))
    targets = extended.targets(places)
    assert targets.dtype == np.int64 and targets[[0, 2, 5]].tolist() == [1, 1, 1]
    assert np.array_equal(targets[[1, 3, 4]], cache.targets(np.array([3, 0, 39])))
    for alone in (np.array([41]), np.array([1]), np.empty(0, np.int64)):
        assert len(extended.pixels(alone)) == len(extended.targets(alone)) == len(alone)


def test_the_digest_tells_what_was_added(cache: Cache) -> None:
    """Checkpoints are named by it: nothing added is the cache itself, other windows are another."""
    nothing = Extended(cache, more(cache, 0), 0)
    assert nothing.digest == cache.digest and len(nothing) == len(cache)
    one, same, other = (Extended(cache, more(cache, 3, seed), 0).digest for seed in (1, 1, 2))
    assert one == same != other and one != cache.digest


def test_chunks_hold_the_same_rows(cache: Cache) -> None:
    """Each row once; the further ones lie with a chunk and are shuffled with it."""
    extended = Extended(cache, more(cache, 5), 0)
    for split in ("train", "val"):
        found = np.sort(np.concatenate(extended.chunks(split)))
        assert np.array_equal(found, extended.places(split))


def test_fetching_asks_for_own_rows_alone(cache: Cache) -> None:
    """The others are here already."""
    Extended(cache, more(cache, 5), 0).fetch(np.array([1, 41]))


def test_it_travels_to_other_processes(cache: Cache, tmp_path: Path) -> None:
    """Workers that load images get it whole."""
    extended = Extended(cache, more(cache, 5), 0)
    copy = pickle.loads(pickle.dumps(extended))
    places = extended.places("train")
    assert np.array_equal(copy.pixels(places), extended.pixels(places))
    assert copy.digest == extended.digest
