"""What one process does with one shard: fetch, decode, ask, write. It knows nothing of other processes."""

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from roadworthy.bundle.predictor import BATCH, Predictor, scaled_to
from roadworthy.data import images
from roadworthy.errors import DataError
from roadworthy.scoring import plan as plans
from roadworthy.scoring.decoding import Taster
from roadworthy.scoring.fetching import Content, Fetcher
from roadworthy.scoring.places import Place, UnreachableError
from roadworthy.scoring.plan import Plan
from roadworthy.scoring.rows import NETWORK, Row, kind, shard
from roadworthy.scoring.sources import Entry

# A shard of which so many workers died kills by something else than its images.
TRIES = 5
Taste = Callable[[bytes], None]


@dataclass(frozen=True)
class Done:
    """What became of a shard."""

    shard: int
    images: int
    reasons: dict[str, int] = field(default_factory=dict)
    """Of the images without an answer, by kind."""
    began: float = 0.0
    ended: float = 0.0
    """By the clock of its machine, seconds."""


class Scorer:
    """A loaded bundle with what there is to do; one thread of computing.

    Args:
        bundle: its folder.
        out: where the plan is, and the answers go.
        marked: the shards that were marked for another time.
    """

    def __init__(self, bundle: Path, out: Place, plan: Plan, marked: frozenset[int]) -> None:
        self.predictor = Predictor(bundle, threads=1)
        self.out, self.plan, self.marked = out, plan, marked
        self._fetcher = Fetcher(self.predictor.spec.max_bytes)

    def score(self, number: int) -> Done:
        """Write the answers of a shard.

        Raises:
            DataError: the source's store does not answer at all, the answers cannot be written, or
                too many workers died of this shard.
        """
        began = time.time()
        entries = self.plan.entries(self.out, number)
        with plans.trying(self.out, number) as deaths:
            if deaths >= TRIES:
                raise DataError(
                    f"{deaths} workers died of shard {number} ({entries[0].path} ... "
                    f"{entries[-1].path}): give them more memory, or leave those images out"
                )
            with closing(Taster(self.predictor.spec.max_pixels)) as taster:
                rows = list(self.rows(entries, taster.taste if deaths else None))
            self._write(number, rows)
        reasons = Counter(kind(row.reason) for row in rows if row.reason is not None)
        return Done(number, len(rows), dict(reasons), began, time.time())

    def _write(self, number: int, rows: list[Row]) -> None:
        unreached = any(row.unreached for row in rows)
        # Marked before, unmarked after it is there: a kill in between costs work, not an image.
        if unreached:
            plans.mark(self.out, number)
        self.out.write(plans.name_of(number), shard(rows, self.plan))
        if not unreached and number in self.marked:
            plans.unmark(self.out, number)

    def rows(self, entries: Iterable[Entry], taste: Taste | None = None) -> Iterator[Row]:
        """A row for each entry, in their order.

        Args:
            taste: is given the bytes of each image before they are decoded here.
        """
        rows: list[Row] = []
        usable: list[tuple[Row, np.ndarray]] = []
        for entry, content in self._fetcher.contents(entries):
            row, pixels = self._seen(entry, content, taste)
            rows.append(row)
            usable += [] if pixels is None else [(row, pixels)]
            if len(usable) == BATCH:
                self._answer(usable)
                yield from rows
                rows, usable = [], []
        self._answer(usable)
        yield from rows

    def _seen(
        self, entry: Entry, content: Content, taste: Taste | None
    ) -> tuple[Row, np.ndarray | None]:
        """What is known of the image without the network, and its pixels where it has some."""
        if isinstance(content, UnreachableError):
            return Row(entry.path, reason=f"{NETWORK}: {content}"), None
        if isinstance(content, DataError):
            return Row(entry.path, reason=str(content)), None
        row, spec = Row(entry.path, hashlib.sha256(content).hexdigest()), self.predictor.spec
        try:
            if taste:
                taste(content)
            found = images.decode(content, spec.max_pixels, scaled_to(spec.input))
        except DataError as error:
            row.reason = str(error)
            return row, None
        row.width, row.height = found.width, found.height
        return row, self.predictor.prepare(found.image)

    def _answer(self, several: list[tuple[Row, np.ndarray]]) -> None:
        if not several:
            return
        said = self.predictor.probabilities(np.stack([pixels for _, pixels in several]))
        for (row, _), probabilities in zip(several, said, strict=True):
            answer = self.predictor.answer(probabilities)
            row.label, row.probability, row.sure = answer.label, answer.probability, answer.sure
            row.probabilities = probabilities.astype(np.float32)
