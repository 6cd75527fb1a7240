"""Whether all is there, and what it says: one pass over the shards."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from pyarrow import ArrowInvalid, compute, parquet

from roadworthy.errors import DataError
from roadworthy.scoring import plan as plans
from roadworthy.scoring.places import Place
from roadworthy.scoring.plan import Plan
from roadworthy.scoring.rows import NETWORK, kind

# Shards that are looked into at the same time: it is the store that takes its time.
AHEAD = 16


@dataclass(frozen=True)
class Summary:
    """What came out."""

    images: int
    answered: int
    unreached: int
    """Another try may reach them."""
    reasons: dict[str, int]
    """Of the images without an answer, by kind; the most frequent first."""
    labels: dict[str, int]
    """Answers by label."""
    bytes: int
    """Of all shards."""


@dataclass(frozen=True)
class _Part:
    reasons: Counter[str]
    labels: Counter[str]
    bytes: int


def summary(place: Place, plan: Plan) -> Summary:
    """Look into every shard: one row for each input, no more, no fewer.

    A shard that is damaged is removed, so that the next run makes it again; a mark of one whose images
    have all been reached goes.

    Raises:
        DataError: shards are missing or damaged, or there are some that belong to nothing.
    """
    there = {name for name in place.names() if name.endswith(".parquet")}
    wanted = {plans.name_of(number) for number in range(plan.shards)}
    if strange := there - wanted:
        raise DataError(
            f"{place.url} holds {min(strange)}, which is no shard of this run: remove it"
        )
    if gone := wanted - there:
        raise DataError(f"{place.url}: {len(gone)} shards are missing: the same command makes them")
    parts = dict(enumerate(_parts(place, plan)))
    if damaged := [number for number, part in parts.items() if part is None]:
        for number in damaged:
            place.remove(plans.name_of(number))
        raise DataError(
            f"{place.url}: {len(damaged)} shards were damaged: the same command remakes them"
        )
    found = [part for part in parts.values() if part is not None]
    for number in plans.again(place):
        if not found[number].reasons[NETWORK]:
            plans.unmark(place, number)
    reasons: Counter[str] = sum((part.reasons for part in found), Counter())
    labels: Counter[str] = sum((part.labels for part in found), Counter())
    return Summary(
        images=plan.images,
        answered=labels.total(),
        unreached=reasons[NETWORK],
        reasons=dict(reasons.most_common()),
        labels=dict(labels.most_common()),
        bytes=sum(part.bytes for part in found),
    )


def _parts(place: Place, plan: Plan) -> Iterator[_Part | None]:
    with ThreadPoolExecutor(AHEAD) as pool:
        yield from pool.map(partial(_part, place, plan), range(plan.shards))


def _part(place: Place, plan: Plan, number: int) -> _Part | None:
    """What a shard says; None where it is damaged."""
    try:
        with place.open(plans.name_of(number)) as file:
            rows = parquet.read_table(file, columns=["label", "reason"], use_threads=False)
            size = file.size()
    except (ArrowInvalid, OSError, KeyError):
        return None
    if rows.num_rows != plan.rows(number):
        return None
    reasons = Counter(kind(r) for r in rows["reason"].to_pylist() if r is not None)
    counted = compute.value_counts(rows["label"].combine_chunks().dictionary_decode().drop_null())
    labels = Counter({str(each["values"]): int(each["counts"]) for each in counted.to_pylist()})
    whole = reasons.total() + labels.total() == rows.num_rows
    return _Part(reasons, labels, size) if whole else None
