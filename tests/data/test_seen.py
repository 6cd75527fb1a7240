"""The record of what a model has seen: whether a test image is really new to it."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadworthy.data import seen
from roadworthy.errors import DataError

digests = st.lists(st.text("0123456789abcdef", min_size=64, max_size=64), max_size=30)


@given(digests, digests)
def test_exactly_what_was_seen_is_found_again(known: list[str], others: list[str]) -> None:
    """Protects the gate from a test image that trained the model, and from seeing ghosts."""
    record = seen.fronts(known)
    fronts = {digest[:16] for digest in known}
    found = seen.among([*known, *others], record)
    assert found.tolist() == [digest[:16] in fronts for digest in [*known, *others]]


def test_the_record_outlives_the_process(tmp_path: Path) -> None:
    """Protects the answer about a champion whose data are gone."""
    record = seen.fronts(["f" * 64, "0" * 64, "f" * 64])
    seen.save(tmp_path / "seen.npy", record)
    again = seen.load(tmp_path / "seen.npy")
    assert again is not None
    assert again.tolist() == [0, 2**64 - 1]
    assert seen.load(tmp_path / "missing.npy") is None


@pytest.mark.parametrize("damage", [b"", b"no table", None])
def test_a_damaged_record_is_no_empty_record(tmp_path: Path, damage: bytes | None) -> None:
    """Protects against `nothing was seen` where nothing can be known."""
    path = tmp_path / "seen.npy"
    if damage is None:
        np.save(path, np.zeros((2, 2)))
    else:
        path.write_bytes(damage)
    with pytest.raises(DataError, match="export the model again"):
        seen.load(path)
