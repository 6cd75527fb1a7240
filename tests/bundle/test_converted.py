"""A champion that was trained for another question proposes boxes."""

from pathlib import Path

import numpy as np
import pytest

from roadworthy.bundle.converted import convert
from roadworthy.bundle.finder import Finder
from roadworthy.errors import BundleError
from roadworthy.params import Search
from support import tiny_bundle


def test_a_bundle_that_was_not_made_for_it_searches_with_what_it_knows(tmp_path: Path) -> None:
    """A champion proposes boxes without being trained again: whole windows, as sure as it is of them."""
    bundle, into = tiny_bundle(tmp_path / "bundle"), tmp_path / "into"
    into.mkdir()
    spec = convert(bundle, into, Search(floor=1e-6, overlap=0.9))
    finder = Finder(into)
    found = finder.find(np.full((spec.input.height, spec.input.width, 3), 90, np.uint8))
    assert finder.threshold == spec.threshold and len(found)
    widest = found.boxes[:, 2:] - found.boxes[:, :2]
    assert (widest <= (spec.input.width, spec.input.height)).all()


def test_who_tells_many_labels_apart_cannot_search(tmp_path: Path) -> None:
    """There is no one thing to look for."""
    labels = ("Audi", "BMW", "Fiat")
    bundle = tiny_bundle(tmp_path / "bundle", task="brand", labels=labels, kind="multiclass")
    with pytest.raises(BundleError, match="yes or no"):
        convert(bundle, tmp_path, Search())
