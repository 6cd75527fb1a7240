"""Which images a model was made with, by the front of their SHA-256: so that a test image can be
looked up years later, without the data of that time."""

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from roadworthy.errors import DataError

# 64 bits tell four thousand million images apart.
DIGITS = 16


def fronts(digests: Iterable[str]) -> np.ndarray:
    """The fronts of SHA-256 digests (hex), uint64 (N,), sorted, each once."""
    return np.unique(np.array([int(digest[:DIGITS], 16) for digest in digests], np.uint64))


def among(digests: Iterable[str], seen: np.ndarray) -> np.ndarray:
    """Booleans (N,): whether each image (SHA-256 in hex) is one of `seen`."""
    wanted = np.array([int(digest[:DIGITS], 16) for digest in digests], np.uint64)
    return np.asarray(np.isin(wanted, seen))


def save(path: Path, seen: np.ndarray) -> None:
    """Write the fronts, by way of a temporary file."""
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("wb") as file:
        np.save(file, seen, allow_pickle=False)
    os.replace(temporary, path)


def load(path: Path) -> np.ndarray | None:
    """The fronts; None where there is no such record.

    Raises:
        DataError: the file is damaged.
    """
    if not path.is_file():
        return None
    try:
        seen: np.ndarray = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path} is damaged ({error}): export the model again") from error
    if seen.dtype != np.uint64 or seen.ndim != 1:
        raise DataError(f"{path} holds no fronts of digests: export the model again")
    return seen
