"""One row for each image, answered as the Predictor answers it alone, or with the reason."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

import poison
from broken_files import FORGIVEN, broken
from odd_images import odd_but_fine
from roadworthy.bundle.format import digest, read_spec
from roadworthy.bundle.predictor import Predictor
from roadworthy.errors import DataError
from roadworthy.scoring import fetching, places
from roadworthy.scoring import plan as plans
from roadworthy.scoring.decoding import FATAL, Taster
from roadworthy.scoring.fetching import DEAD
from roadworthy.scoring.places import Place, UnreachableError
from roadworthy.scoring.plan import Plan, name_of
from roadworthy.scoring.rows import kind
from roadworthy.scoring.sources import Count, Entry, entries
from roadworthy.scoring.worker import TRIES, Scorer
from support import write_images


def scorer(out: Place, bundle: Path, inputs: list[Entry], shard: int = 32, **more: Any) -> Scorer:
    total = plans.write_inputs(out, inputs)
    labels = read_spec(bundle).labels
    plan = Plan("/in", total, 0, 0, shard, "car", digest(bundle), 3, labels)
    plans.write_plan(out, plan)
    return Scorer(bundle, out, plan, more.get("marked", frozenset()))


def rows_of(out: Place, number: int = 0) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = parquet.read_table(out.read(name_of(number))).to_pylist()
    return rows


def column(rows: list[dict[str, Any]], name: str) -> list[Any]:
    return [row[name] for row in rows]


def test_answers_are_those_of_each_image_alone(bundle: Path, tmp_path: Path) -> None:
    """Batch scoring and a person who asks about one image cannot disagree."""
    paths = write_images(tmp_path / "in", 70)
    out = Place(str(tmp_path / "out"))
    worker = scorer(out, bundle, [Entry(str(path)) for path in paths], shard=64)
    done = worker.score(0)
    assert (done.shard, done.images, done.reasons) == (0, 64, {})
    worker.score(1)
    rows = rows_of(out, 0) + rows_of(out, 1)
    alone = Predictor(bundle)
    assert column(rows, "path") == [str(path) for path in paths]
    for path, row in zip(paths, rows, strict=True):
        (answer,) = alone.predict([path])
        assert (row["label"], row["sure"], row["reason"]) == (answer.label, answer.sure, None)
        assert row["probability"] == pytest.approx(answer.probability, abs=1e-6)
        assert row["probabilities"] == pytest.approx([*answer.probabilities.values()], abs=1e-6)
        assert (row["width"], row["height"]) == (32, 24)
    assert len(set(column(rows, "sha256"))) == 70
    assert set(column(rows, "digest")) == {alone.digest}
    assert set(column(rows, "version")) == {3}


def test_every_odd_or_broken_file_is_one_row(bundle: Path, tmp_path: Path) -> None:
    """With an answer, or with the reason that everybody else gives, in the same words."""
    odd_but_fine(tmp_path / "in" / "odd")
    broken(tmp_path / "in" / "broken")
    out, inputs = Place(str(tmp_path / "out")), list(entries(str(tmp_path / "in"), Count()))
    worker = scorer(out, bundle, inputs, shard=128)
    assert worker.score(0).images == len(inputs) > 90
    rows = rows_of(out)
    assert column(rows, "path") == [entry.path for entry in inputs]
    assert all((row["reason"] is None) is (row["label"] is not None) for row in rows)
    for entry, row in zip(inputs, rows, strict=True):
        name = entry.path.rpartition("/")[2]
        if "/odd/" in entry.path:
            assert row["reason"] is None, name
        elif name not in FORGIVEN:
            assert row["reason"] == _alone(worker.predictor, entry), name


def _alone(predictor: Predictor, entry: Entry) -> str:
    if entry.fault:
        return entry.fault
    with pytest.raises(DataError) as refused:
        predictor.predict([entry.path])
    return str(refused.value).removeprefix("image 0: ").removeprefix(f"{entry.path} ")


def test_an_image_that_cannot_be_reached_is_tried_another_time(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its row says so until then; afterwards nothing shows that it was not there once."""
    (path,) = write_images(tmp_path, 1)
    inputs = [Entry(str(path)), Entry("s3://images/a.jpg")]
    out = Place(str(tmp_path / "out"))

    def unreachable(path: str, max_bytes: int) -> bytes:
        if path.startswith("s3:"):
            raise UnreachableError("could not connect")
        return places.read_image(path, max_bytes)

    monkeypatch.setattr(fetching, "read_image", unreachable)
    assert scorer(out, bundle, inputs).score(0).reasons == {"network": 1}
    assert column(rows_of(out), "reason") == [None, "network: could not connect"]
    assert plans.again(out) == {0}
    monkeypatch.setattr(fetching, "read_image", lambda *_: path.read_bytes())
    scorer(out, bundle, inputs, marked=frozenset({0})).score(0)
    assert column(rows_of(out), "reason") == [None, None]
    assert plans.again(out) == frozenset()


def test_a_store_that_is_down_ends_the_run(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A million rows that say `network` help nobody."""

    def unreachable(path: str, max_bytes: int) -> bytes:
        raise UnreachableError("could not connect")

    monkeypatch.setattr(fetching, "read_image", unreachable)
    inputs = [Entry(f"s3://images/{n}.jpg") for n in range(DEAD + 9)]
    out = Place(str(tmp_path / "out"))
    with pytest.raises(DataError, match="the same command goes on"):
        scorer(out, bundle, inputs, shard=128).score(0)
    assert out.names() == set()


def test_images_are_fetched_in_order_from_wherever(
    bundle: Path, store: str, tmp_path: Path
) -> None:
    """A list may name files and objects, one after the other."""
    paths = write_images(tmp_path / "in", 50)
    mixed = []
    for number, path in enumerate(paths):
        Place(store).write(path.name, path.read_bytes())
        mixed.append(Entry(f"{store}/{path.name}" if number % 3 else str(path)))
    out = Place(f"{store}/out")
    scorer(out, bundle, mixed, shard=64).score(0)
    rows, alone = rows_of(out), Predictor(bundle)
    assert column(rows, "path") == [entry.path for entry in mixed]
    assert column(rows, "label") == [answer.label for answer in alone.predict(paths)]


@pytest.fixture
def taster() -> Iterator[Taster]:
    taster = Taster(10**6, poison.decode)
    yield taster
    taster.close()


def test_an_image_that_kills_is_found_out(bundle: Path, tmp_path: Path, taster: Taster) -> None:
    """It is one row, and those beside it are answered."""
    paths = [*write_images(tmp_path, 3), tmp_path / "poison.png"]
    paths[3].write_bytes(poison.DEADLY)
    out = Place(str(tmp_path / "out"))
    worker = scorer(out, bundle, [Entry(str(path)) for path in paths])
    inputs = worker.plan.entries(out, 0)
    rows = list(worker.rows([inputs[3], *inputs[:3]], taster.taste))
    assert [row.reason for row in rows] == [FATAL, None, None, None]


def test_a_shard_that_kills_every_worker_ends_the_run(bundle: Path, tmp_path: Path) -> None:
    """Otherwise they would be started for ever."""
    out = Place(str(tmp_path / "out"))
    worker = scorer(out, bundle, [Entry(str(path)) for path in write_images(tmp_path, 3)])
    for death in range(TRIES):
        out.write(f"{plans.TRIED}/0000000-{death}", b"x")
    with pytest.raises(DataError, match="5 workers died of shard 0"):
        worker.score(0)
    assert len(out.names(plans.TRIED)) == TRIES


@pytest.mark.parametrize(
    ("reason", "counted"),
    [
        ("not an image: a PDF", "not an image"),
        ("damaged: image file is truncated (12 bytes left)", "damaged"),
        ("8,000 x 9,000 pixels are over 50,000,000", "# x # pixels are over #"),
        ("network: could not connect", "network"),
    ],
)
def test_reasons_are_counted_by_kind(reason: str, counted: str) -> None:
    """A summary with a line for each image would be none."""
    assert kind(reason) == counted
