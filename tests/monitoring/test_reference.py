"""`reference.npz`: which images are in it, and that it can be read back or says why not."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadworthy.bundle.format import IMAGES, REFERENCE
from roadworthy.errors import BundleError
from roadworthy.monitoring.reference import (
    STATISTICS,
    independent,
    read_reference,
    write_images,
)


def bundle(folder: Path) -> Path:
    """As much of one as is read here."""
    (folder / REFERENCE).write_text("{}")
    return folder


def rows(count: int, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame({name: rng.random(count) for name in STATISTICS})


@given(
    units=st.lists(st.integers(0, 30), min_size=1, max_size=120),
    most=st.integers(1, 60),
    seed=st.integers(0, 5),
)
def test_one_image_of_each_unit_stays(units: list[int], most: int, seed: int) -> None:
    """Frames of one clip taken for independent images make chance look like drift."""
    numbers = np.array(units)
    labels = np.array([f"label {number % 3}" for number in units])
    chosen = independent(numbers, labels, seed, most)
    assert len(chosen) == min(len(set(units)), most)
    assert len(set(numbers[chosen])) == len(chosen)
    assert (np.diff(chosen) > 0).all()
    assert (chosen == independent(numbers, labels, seed, most)).all()


def test_each_label_keeps_its_share() -> None:
    """Protects rare labels: without them their share of live answers would look too large."""
    labels = np.repeat(["common", "some", "rare"], [3000, 900, 100])
    chosen = independent(np.arange(4000), labels, 0)
    assert len(chosen) == 1000
    counts = pd.Series(labels[chosen]).value_counts()
    assert abs(counts["rare"] - 25) <= 1 and abs(counts["some"] - 225) <= 1


def test_what_was_written_is_read(tmp_path: Path) -> None:
    """Rows must stay together, and the file be the same at the next export."""
    folder = bundle(tmp_path)
    figures, answers = rows(40), np.random.default_rng(1).dirichlet([1, 1], 40)
    embeddings = np.random.default_rng(2).normal(size=(40, 8)).astype(np.float32)
    write_images(folder, figures, answers, embeddings)
    before = (folder / IMAGES).read_bytes()
    write_images(folder, figures, answers, embeddings)
    assert (folder / IMAGES).read_bytes() == before
    found = read_reference(folder)
    assert len(found) == 40
    assert found.embeddings is not None and found.embeddings.dtype == np.float16
    np.testing.assert_allclose(found.embeddings, embeddings, atol=0.01)
    np.testing.assert_allclose(found.statistics["blue"], figures["blue"], atol=1e-6)
    assert not list(folder.glob(".*"))


def test_an_older_bundle_has_no_images(tmp_path: Path) -> None:
    """Protects champions from before the file: they are still watched for refusals and accuracy."""
    found = read_reference(bundle(tmp_path))
    assert len(found) == 0 and found.embeddings is None


def test_a_graph_without_embedding_leaves_none(tmp_path: Path) -> None:
    """Answers and statistics can be compared all the same."""
    folder = bundle(tmp_path)
    write_images(folder, rows(3), np.full((3, 2), 0.5), None)
    found = read_reference(folder)
    assert len(found) == 3 and found.embeddings is None


@pytest.mark.parametrize("content", [b"", b"PK\3\4 torn", b"\x93NUMPY", b"no archive"])
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes) -> None:
    """What cannot be read is no world without drift."""
    folder = bundle(tmp_path)
    (folder / IMAGES).write_bytes(content)
    with pytest.raises(BundleError, match=IMAGES):
        read_reference(folder)


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    """A bundle may come from elsewhere; a pickle in it would run as a program."""
    folder = bundle(tmp_path)
    np.savez(folder / IMAGES, probabilities=np.array([{"a": 1}], dtype=object))
    with pytest.raises(BundleError, match="damaged"):
        read_reference(folder)


def test_a_torn_profile_is_named(tmp_path: Path) -> None:
    """As above, of the older file."""
    folder = bundle(tmp_path)
    (folder / REFERENCE).write_text("{")
    with pytest.raises(BundleError, match=REFERENCE):
        read_reference(folder)


def test_reading_needs_neither_pandas_nor_scipy() -> None:
    """The service imports this module, and its image has neither torch nor pandas."""
    code = (
        "import sys, roadworthy.monitoring.reference; "
        "sys.exit(bool({'torch', 'pandas', 'scipy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
