"""Hostile files, made in code: what is truncated, bent, lying or dear, and what may be said to each."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from broken_files import FORGIVEN, SAMPLES, broken

FINE = frozenset({"answered"})
REFUSED = frozenset({"unusable_image"})
EITHER = FINE | REFUSED
"""What Pillow makes of it is nobody's promise."""
TOO_LARGE = frozenset({"too_large"})
SIZE = 1_000_000
"""Bytes of a file that is meant to be dear."""


@dataclass(frozen=True)
class Case:
    """One file, and the words with which it may be answered."""

    name: str
    content: bytes
    allowed: frozenset[str] = REFUSED
    filename: bytes = b""
    """As it stands in the form, between quotation marks; empty: `name`."""

    def __str__(self) -> str:
        return self.name


def corpus(folder: Path, size: int = SIZE) -> list[Case]:
    """All cases, no two alike.

    Args:
        folder: for those that the decoder's own tests write.
        size: bytes of the dear ones.
    """
    from hostile import foreign, jpegs, others, pngs, tiffs

    cases = [*decoders_own(folder), *cuts(), *flips(), *sizes()]
    for module in (jpegs, pngs, tiffs, others, foreign):
        cases += module.cases(size)
    names = [case.name for case in cases]
    assert len(set(names)) == len(names), sorted({one for one in names if names.count(one) > 1})
    seen: dict[tuple[bytes, bytes], Case] = {}
    for case in cases:
        seen.setdefault((case.content, case.filename), case)
    return list(seen.values())


def decoders_own(folder: Path) -> Iterator[Case]:
    """Those of `broken_files`, as far as they can be sent."""
    for name, wrong in broken(folder).items():
        path = folder / name
        if path.is_symlink() or not path.is_file():
            continue
        yield Case(
            f"{wrong} ({ascii(name)[:30]})",
            path.read_bytes(),
            EITHER if name in FORGIVEN else REFUSED,
        )


def cuts() -> Iterator[Case]:
    """Files that end too early, at places between the ones that `broken_files` has."""
    for kind, data in SAMPLES.items():
        for percent in (3, 10, 25, 60, 80):
            yield Case(f"{kind} cut at {percent} %", data[: len(data) * percent // 100])
        yield Case(f"{kind} without its last byte", data[:-1], EITHER)


def flips(each: int = 6) -> Iterator[Case]:
    """Files with some bits changed: they may still be pictures, and must not be a catastrophe."""
    random = np.random.default_rng(7)
    for kind, data in SAMPLES.items():
        for number in range(each):
            changed = bytearray(data)
            # Half of them in the head, where the structure is.
            end = len(data) if number % 2 else 60
            for place in random.integers(2, end, 4):
                changed[place] ^= 1 << int(random.integers(8))
            yield Case(f"{kind} with four bits changed, {number}", bytes(changed), EITHER)


def sizes() -> Iterator[Case]:
    """What is no file worth decoding."""
    for count in (2, 3, 4, 7, 12):
        for kind, data in SAMPLES.items():
            yield Case(f"the first {count} bytes of a {kind}", data[:count])
    yield Case("a null byte", b"\0")
    yield Case("line ends only", b"\r\n" * 1000)
    yield Case("over the limit of bytes", SAMPLES["png"] + bytes(2 << 22), TOO_LARGE)
