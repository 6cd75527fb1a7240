"""What is to be scored, fixed before the first image: the list of inputs, cut into shards, and the model.

OUT/_plan/inputs-00000.parquet   paths, a million in each file
OUT/_plan/plan.json              written last: from then on the list is never made again
OUT/_plan/tried/0000012-x        somebody works at this shard, or died of it
OUT/_plan/again/0000012          some images of this shard could not be reached
OUT/part-0000012.parquet         answers, in the order of the list; which rows it holds follows from 12

A shard is there whole or not at all, so what is left to do is what is not there. Readers of Parquet
pass over names that begin with an underscore: OUT is a table.
"""

import json
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import islice

import pyarrow as pa
from pyarrow import parquet

from roadworthy.errors import DataError
from roadworthy.scoring.places import TEMPORARY, Place, as_bytes
from roadworthy.scoring.sources import Entry

FOLDER = "_plan"
PLAN = f"{FOLDER}/plan.json"
AGAIN = f"{FOLDER}/again"
TRIED = f"{FOLDER}/tried"
FORMAT = 1
# Powers of two: a shard lies in one group of one file.
PART, GROUP = 2**20, 2**14
LARGEST, SMALLEST, LEAST = GROUP, 2**8, 2**5
INPUTS = pa.schema([("path", pa.string()), ("fault", pa.string())])


@dataclass(frozen=True)
class Plan:
    """`plan.json`."""

    source: str
    """As an absolute path or address."""
    images: int
    others: int
    """Files that are not named like images, left out."""
    repeated: int
    """Lines of a list that name an image again, left out."""
    shard: int
    """Images of each but the last."""
    task: str
    digest: str
    """Of the bundle."""
    version: int | None
    """In the registry; None of a bundle that was named by its folder."""
    labels: tuple[str, ...]
    """In the order of `probabilities`."""

    @property
    def shards(self) -> int:
        """How many."""
        return -(-self.images // self.shard)

    @property
    def model(self) -> str:
        """As people say it."""
        return f"{self.task}/{self.version}" if self.version else f"bundle {self.digest[:12]}"

    def rows(self, number: int) -> int:
        """Images of a shard."""
        return min(self.shard, self.images - number * self.shard)

    def entries(self, place: Place, number: int) -> list[Entry]:
        """The inputs of a shard."""
        start = number * self.shard
        group = _group(place, start // PART, start % PART // GROUP)
        rows = group.slice(start % GROUP, self.shard).to_pylist()
        return [Entry(row["path"], row["fault"]) for row in rows]


def name_of(number: int) -> str:
    """The file of a shard."""
    return f"part-{number:07d}.parquet"


def shard_size(images: int, workers: int) -> int:
    """Images of a shard: a thousandth of them, within limits that keep files and losses small, and at
    least four for each worker."""
    usual = min(max(images // 1000, SMALLEST), LARGEST)
    fair = max(images // (4 * workers), LEAST)
    return int(2 ** (min(usual, fair).bit_length() - 1))


def write_inputs(place: Place, entries: Iterable[Entry]) -> int:
    """Write the list of inputs, a part at a time; how many there are.

    Raises:
        DataError: there are none.
    """
    several, total = iter(entries), 0
    while part := list(islice(several, PART)):
        columns = [[entry.path for entry in part], [entry.fault for entry in part]]
        table = pa.table(columns, schema=INPUTS)
        data = as_bytes(lambda file, table=table: parquet.write_table(table, file, GROUP))
        place.write(_inputs(total // PART), data)
        total += len(part)
    if not total:
        raise DataError("the source holds no images")
    return total


def write_plan(place: Place, plan: Plan) -> None:
    """From here on this is what is done."""
    place.write(PLAN, json.dumps({"format": FORMAT, **asdict(plan)}, indent=2).encode())


def read_plan(place: Place) -> Plan | None:
    """What was begun; None where nothing was.

    Raises:
        DataError: something else is there.
    """
    if PLAN.rpartition("/")[2] not in place.names(FOLDER):
        if others := {name for name in place.names() if not name.startswith(TEMPORARY)}:
            raise DataError(
                f"{place.url} holds {min(others)} and was not written by `roadworthy score`: "
                "name another --out"
            )
        return None
    found = json.loads(place.read(PLAN).to_pybytes())
    if found.pop("format", None) != FORMAT:
        raise DataError(
            f"{place.url}/{PLAN} is of another version of Roadworthy: --again begins anew"
        )
    return Plan(**{**found, "labels": tuple(found["labels"])})


def missing(place: Place, plan: Plan) -> list[int]:
    """The shards that are to be done: those not there, and those that are marked."""
    there, marked = place.names(), again(place)
    return [n for n in range(plan.shards) if name_of(n) not in there or n in marked]


def again(place: Place) -> frozenset[int]:
    """The shards some of whose images could not be reached."""
    return frozenset(map(int, place.names(AGAIN)))


def mark(place: Place, number: int) -> None:
    """Say that a shard is to be done again."""
    place.write(f"{AGAIN}/{number:07d}", b"again\n")


def unmark(place: Place, number: int) -> None:
    """Say that it is not."""
    place.remove(f"{AGAIN}/{number:07d}")


@contextmanager
def trying(place: Place, number: int) -> Iterator[int]:
    """Work at a shard; how many of this run died at it before. A death leaves its trace."""
    front = f"{number:07d}-"
    deaths = sum(name.startswith(front) for name in place.names(TRIED))
    trace = f"{TRIED}/{front}{uuid.uuid4().hex}"
    place.write(trace, b"trying\n")
    try:
        yield deaths
    finally:
        place.remove(trace)


def untried(place: Place) -> None:
    """Forget earlier deaths: a new run begins."""
    for name in place.names(TRIED):
        place.remove(f"{TRIED}/{name}")


def forget(place: Place) -> None:
    """Remove all of it. The plan goes before the list: what is left after a kill is begun anew."""
    for name in sorted(place.names()):
        if name.startswith("part-"):
            place.remove(name)
    for number in again(place):
        unmark(place, number)
    untried(place)
    place.remove(PLAN)
    for name in place.names(FOLDER):
        place.remove(f"{FOLDER}/{name}")
    _group.cache_clear()


def refusal(found: Plan, source: str, digest: str) -> str | None:
    """Why what was begun cannot be gone on with; None where it can."""
    if found.source != source:
        return f"it was begun on {found.source}"
    if found.digest != digest:
        own = f", go on with `--model {found.version}`" if found.version else ""
        return f"it was begun with {found.model}, and this is another model{own}"
    return None


def _inputs(number: int) -> str:
    return f"{FOLDER}/inputs-{number:05d}.parquet"


@lru_cache(2)
def _group(place: Place, part: int, group: int) -> pa.Table:
    with place.open(_inputs(part)) as file:
        return parquet.ParquetFile(file).read_row_group(group)


def everything(place: Place, plan: Plan) -> Iterator[Entry]:
    """All inputs in their order."""
    for number in range(plan.shards):
        yield from plan.entries(place, number)
