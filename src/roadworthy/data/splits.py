"""Train, validation and test: stratified by label, with near-duplicates and groups never apart.

An image that has a split keeps it. A new one goes where its near-duplicates and its group are. The
others are drawn: whole units, ordered label by label by a hash of their first path and the seed,
fill up test, then validation, then train, to the shares that are asked for.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping
from heapq import heappop, heappush

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from roadworthy.data.ledger import DIGITS, SPLITS
from roadworthy.params import Split


def assign(
    rows: pd.DataFrame,
    pairs: pd.DataFrame,
    settings: Split,
    seed: int,
    known: Mapping[str, str] | None = None,
) -> pd.Series:
    """The split of each row.

    Args:
        rows: columns path (unique), sha256, label, and group (missing where an image has none).
        pairs: near-duplicates, paths first and second.
        known: split by front of the SHA-256, of images that had one before.

    Returns:
        `train`, `val`, `test`, on the index of `rows`; missing for an image that belongs to two
        splits at once and had none before (or, if rules have become stricter, to a more precious
        one than its own): it can be in neither.
    """
    ordered = rows.sort_values("path", ignore_index=True)
    fronts = ordered["sha256"].str[:DIGITS]
    had = [(known or {}).get(front, "") for front in fronts]
    board = _Board(ordered, pairs)
    board.keep(had)
    board.follow()
    _draw(board, ordered, settings, seed)
    found = dict(zip(ordered["path"], board.split, strict=False))
    answers = [found[path] if found[path] != _OUT else None for path in rows["path"]]
    return pd.Series(answers, index=rows.index, dtype="string", name="split")


# An image that is left out; an empty text is one that has no split yet.
_OUT = "out"


class _Board:
    """The rows, by number, then the groups; who must not be parted from whom; and their splits."""

    def __init__(self, rows: pd.DataFrame, pairs: pd.DataFrame) -> None:
        self.rows = len(rows)
        self.links = _links(rows, pairs)
        groups = max((b for _, b in self.links), default=-1) + 1 - self.rows
        self.split = [""] * (self.rows + max(groups, 0))
        self.beside: dict[int, list[int]] = defaultdict(list)
        for one, two in self.links:
            self.beside[one].append(two)
            self.beside[two].append(one)

    def keep(self, had: list[str]) -> None:
        """Rows that had a split keep it; of two that are now one picture, the test image stays."""
        for number, split in enumerate(had):
            if number not in self.beside:
                self.split[number] = split
        for split in reversed(SPLITS):
            for number in [n for n in self.beside if n < self.rows and had[n] == split]:
                self._place(number, split if self._around(number) <= {split} else _OUT)

    def follow(self) -> None:
        """New rows go where those are that they must not be parted from."""
        ready = sorted(number for number in self.beside if self._waits(number))
        ready = [number for number in ready if self._around(number)]
        while ready:
            number = heappop(ready)
            if not self.split[number]:
                around = self._around(number)
                self._place(number, around.pop() if len(around) == 1 else _OUT)
                if self.split[number] != _OUT:
                    for other in self._reached_from(number):
                        heappush(ready, other)

    def _waits(self, number: int) -> bool:
        return number < self.rows and not self.split[number]

    def _reached_from(self, number: int) -> list[int]:
        beside = self.beside[number]
        of_groups = [n for group in beside if group >= self.rows for n in self.beside[group]]
        return [n for n in (*beside, *of_groups) if self._waits(n)]

    def _around(self, number: int) -> set[str]:
        return {self.split[other] for other in self.beside[number]} - {"", _OUT}

    def _place(self, number: int, split: str) -> None:
        self.split[number] = split
        for other in self.beside[number]:
            if other >= self.rows and split != _OUT:
                self.split[other] = split


def _links(rows: pd.DataFrame, pairs: pd.DataFrame) -> list[tuple[int, int]]:
    place = {path: n for n, path in enumerate(rows["path"])}
    named = zip(pairs["first"], pairs["second"], strict=True)
    links = [(place[one], place[two]) for one, two in named if one in place and two in place]
    if "group" in rows:
        for number, members in enumerate(rows.groupby("group").indices.values()):
            links += [(int(member), len(rows) + number) for member in members]
    return links


def _draw(board: _Board, rows: pd.DataFrame, settings: Split, seed: int) -> None:
    """Give a split to the units of rows that have none."""
    split = np.array(board.split, dtype=object)
    free = np.flatnonzero(split[: len(rows)] == "")
    if not len(free):
        return
    links = [pair for pair in board.links if not split[list(pair)].any()]
    one, two = ([pair[side] for pair in links] for side in (0, 1))
    shape = (len(split), len(split))
    unit = connected_components(coo_array((np.ones(len(links)), (one, two)), shape), directed=False)
    units = _units(rows.iloc[free], unit[1][free], seed)
    wanted = _wanted(rows["label"].to_numpy(), split[: len(rows)], settings)
    chosen = {}
    for number, label, size in units.itertuples():
        # A unit that is larger than what is wanted goes on, and leaves the room to smaller ones.
        chosen[number] = next((s for s in ("test", "val") if size / 2 < wanted[label, s]), "train")
        wanted[label, chosen[number]] -= size
    for number in free:
        board.split[number] = chosen[unit[1][number]]


def _wanted(labels: np.ndarray, split: np.ndarray, settings: Split) -> dict[tuple[str, str], float]:
    """How many images of each label each split still lacks."""
    total = Counter(labels[split != _OUT])
    have = Counter(zip(labels, split, strict=True))
    shares = {"test": settings.test, "val": settings.val, "train": 1.0}
    return {(k, s): share * total[k] - have[k, s] for k in total for s, share in shares.items()}


def _units(rows: pd.DataFrame, unit: np.ndarray, seed: int) -> pd.DataFrame:
    """One row per unit, in the order of the draw: its label (the most frequent one) and size."""
    grouped = rows.groupby(unit)
    rank = grouped["path"].min().map(lambda name: _rank(name, seed))
    votes = rows.groupby([unit, "label"]).size().rename_axis(["unit", "label"])
    table = votes.reset_index(name="votes").sort_values(["votes", "label"], ascending=[False, True])
    label = table.drop_duplicates("unit").set_index("unit")["label"]
    units = pd.DataFrame({"label": label, "size": grouped.size(), "rank": rank})
    return units.sort_values("rank").drop(columns="rank")


def _rank(name: str, seed: int) -> int:
    return int(hashlib.sha256(f"{seed}/{name}".encode()).hexdigest()[:16], 16)
