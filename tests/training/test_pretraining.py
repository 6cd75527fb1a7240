"""Several tasks as one: rows and classes keep apart, and a backbone comes out of it."""

from pathlib import Path

import numpy as np
import pytest
import torch

from roadworthy.errors import ParamsError
from roadworthy.params import Backbone, Pretrain
from roadworthy.pipeline.pretrain import fitted
from roadworthy.training.pretraining import Joint
from small_training import plan_of, write_cache


def test_rows_and_classes_follow_one_another(tmp_path: Path) -> None:
    """Every row of every task once, with the class numbers of its own part of the head."""
    caches = [write_cache(tmp_path / "a", 40), write_cache(tmp_path / "b", 24)]
    joint = Joint(caches)
    places = joint.places("train")
    assert len(joint) == 64
    assert sorted(np.concatenate(joint.chunks("train"))) == sorted(places)
    mixed = np.random.default_rng(0).permutation(places)
    second = mixed >= 40
    assert np.array_equal(joint.targets(mixed[~second]), caches[0].targets(mixed[~second]))
    assert np.array_equal(joint.targets(mixed[second]), caches[1].targets(mixed[second] - 40) + 2)
    assert np.array_equal(joint.pixels(mixed)[second], caches[1].pixels(mixed[second] - 40))


def test_a_backbone_learns_from_two_tasks(tmp_path: Path) -> None:
    """Better than chance on both, though neither sees the other's classes as rivals."""
    caches = [write_cache(tmp_path / "a", 160), write_cache(tmp_path / "b", 160)]
    settings = Pretrain(tasks=("a", "b"), epochs=4, batch_size=16, lr=0.003, deterministic=True)
    backbone = Backbone(name="patch_cnn", weights="pretrain")
    network, history = fitted(backbone, settings, caches, 7, tmp_path / "kept")
    assert max(row["val/accuracy"] for row in history) > 0.9
    again, rows = fitted(backbone, settings, caches, 7, tmp_path / "again")
    assert rows == history
    assert all(torch.equal(v, again.state_dict()[k]) for k, v in network.state_dict().items())


def test_tasks_of_different_sizes_are_refused(tmp_path: Path) -> None:
    """One backbone sees one size."""
    spec = plan_of().input.model_dump()
    other = plan_of({"input": {**spec, "height": 24, "width": 24}})
    caches = [write_cache(tmp_path / "a", 24), write_cache(tmp_path / "b", 24, plan=other)]
    with pytest.raises(ParamsError, match="share one"):
        fitted(Backbone(name="patch_cnn"), Pretrain(), caches, 7, tmp_path / "kept")
