"""Batches: every image once an epoch, in an order that can be taken up anywhere; pixels wherever they lie."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from roadworthy.training.balance import balanced_chances
from roadworthy.training.data import WINDOW, Batches, Order
from small_training import plan_of, train, write_cache


@given(st.integers(2, 300), st.integers(1, 40), st.integers(0, 5), st.integers(0, 5), st.data())
def test_an_epoch_sees_every_image_once(
    images: int, step: int, seed: int, epoch: int, data: st.DataObject
) -> None:
    """In steps of nearly equal size; begun in the middle, it sees the rest of the same order."""
    places = np.arange(1000, 1000 + images)
    order = Order([places], step, seed, position=lambda: (epoch, 0))
    steps = [part for part, total in order if total == len(part)]
    assert len(steps) == len(order)
    assert sorted(np.concatenate(steps)) == list(places)
    assert max(map(len, steps)) - min(map(len, steps)) <= 1
    assert max(map(len, steps)) <= step
    done = data.draw(st.integers(0, len(order) - 1))
    rest = [part for part, _ in Order([places], step, seed, position=lambda: (epoch, done))]
    assert len(rest) == len(steps) - done
    assert all(np.array_equal(a, b) for a, b in zip(rest, steps[done:], strict=True))


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    """The same order each epoch would teach the order."""
    orders = {
        tuple(
            np.concatenate(
                [p for p, _ in Order([np.arange(50)], 8, s, position=lambda e=e: (e, 0))]
            )
        )
        for s in range(3)
        for e in range(3)
    }
    assert len(orders) == 9


def test_streamed_chunks_are_fetched_once_an_epoch() -> None:
    """Images of a chunk are used close together, yet mixed with those of others."""
    chunks = [np.arange(n * 10, n * 10 + 10) for n in range(40)]
    order = np.concatenate([part for part, _ in Order(chunks, 16, seed=2)])
    assert sorted(order) == list(range(400))
    where = np.argsort(order)
    for chunk in chunks:
        assert np.ptp(where[chunk]) < WINDOW * 10
    assert np.ptp(where[chunks[0]]) > 20


def test_a_balanced_epoch_draws_all_classes_alike() -> None:
    """However rare; images of the rare one come back."""
    targets = np.array([0] * 180 + [1] * 20)
    order = Order([np.arange(200)], 20, 1, balanced_chances(targets))
    drawn = np.concatenate([part for part, _ in order])
    assert len(drawn) == 200
    assert 0.35 < targets[drawn].mean() < 0.65


def batches(module: Batches) -> list[Any]:
    module.setup("fit")
    return [module.on_after_batch_transfer(batch, 0) for batch in module.train_dataloader()]


def test_pixels_are_the_same_from_disk_device_and_workers(tmp_path: Path) -> None:
    """Where they lie is a matter of speed alone."""
    data = write_cache(tmp_path)
    settings = [{}, {"device_cache": "on"}, {"workers": 1}]
    found = [batches(Batches(data, plan_of(**s).train, 7)) for s in settings]
    assert len(found[0]) == 4
    for other in found[1:]:
        for one, two in zip(found[0], other, strict=True):
            for left, right in zip(one[:3], two[:3], strict=True):
                assert torch.equal(left, right)


@pytest.mark.parametrize("change", [{"device_cache": "on"}, {"workers": 1}])
def test_training_gives_the_same_bits_from_everywhere(
    change: dict[str, Any], tmp_path: Path
) -> None:
    """A worker process or a resident cache must not disturb what is drawn."""
    data = write_cache(tmp_path)
    one, history = train(plan_of(), data, tmp_path / "one")
    two, again = train(plan_of(**change), data, tmp_path / "two")
    assert history == again
    assert all(torch.equal(value, two[name]) for name, value in one.items())


def test_streamed_images_train_the_same(tmp_path: Path) -> None:
    """One setting away: the images in chunks at another place, behind the same batches."""
    data = write_cache(tmp_path / "near")
    far = write_cache(tmp_path / "far", stream=str(tmp_path / "store"))
    assert (tmp_path / "store").is_dir()
    places = data.places("train")
    assert np.array_equal(data.pixels(places), far.pixels(far.places("train")))
    _, history = train(plan_of(), far, tmp_path / "kept")
    assert history[-1]["val/accuracy"] > 0.9
