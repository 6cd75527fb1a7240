"""Which split an image was given, by its content, for ever: a text file that is kept in git.

The first line says how the draw was made; the others hold the front of the image's SHA-256 and its
split, sorted, so that a version can be compared and two branches merged.
"""

import os
from pathlib import Path

from roadworthy.errors import DataError
from roadworthy.params import Split

SPLITS = ("train", "val", "test")
# Digits of the SHA-256: 64 bits tell four thousand million images apart.
DIGITS = 16


def rule(settings: Split, seed: int) -> str:
    """What a draw depends on; under another rule every image is drawn again."""
    return f"seed {seed}, val {settings.val:g}, test {settings.test:g}"


def load(path: Path, wanted: str) -> dict[str, str]:
    """Split by front of the SHA-256; nothing where there is no file, or it was drawn otherwise.

    Raises:
        DataError: the file is not one of these.
    """
    if not path.is_file():
        return {}
    first, *lines = path.read_text(encoding="utf-8").splitlines() or [""]
    if first != f"# {wanted}":
        return {}
    known = {}
    for number, line in enumerate(lines, 2):
        digest, _, split = line.partition(",")
        if len(digest) != DIGITS or split not in SPLITS:
            raise DataError(
                f"{path}, line {number}: {line!r} is not a split; `git checkout {path}` brings the "
                "file back, deleting it draws every image again"
            )
        known[digest] = split
    return known


def save(path: Path, wanted: str, known: dict[str, str]) -> None:
    """Write it, by way of a temporary file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [f"# {wanted}", *(f"{digest},{split}" for digest, split in sorted(known.items()))]
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
    os.replace(temporary, path)
