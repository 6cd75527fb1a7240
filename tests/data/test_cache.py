"""The decoded cache gives back what was put in, decodes once, and depends on the images alone."""

import os
import pickle
import shutil
from hashlib import sha256
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from roadworthy.data import cache, decoding
from roadworthy.data.cache import Written
from roadworthy.data.images import open_image
from roadworthy.data.shards import LARGE
from roadworthy.data.transforms import cache_size, centre, fit, normalise
from roadworthy.errors import DataError, StaleError
from roadworthy.params import Input
from support import write_images

SPEC = Input(height=20, width=24)
# Bytes of a cached image; the smallest shard is set in MiB.
IMAGE_MB = 22 * 27 * 3 / 2**20


def table(paths: list[Path]) -> pd.DataFrame:
    splits = ["train", "val", "test"]
    return pd.DataFrame(
        {
            "path": [p.as_posix() for p in paths],
            "sha256": [sha256(p.read_bytes()).hexdigest() for p in paths],
            "label": ["ab"[n % 2] for n in range(len(paths))],
            "split": [splits[n % 3] for n in range(len(paths))],
        }
    )


def build(
    folder: Path,
    rows: pd.DataFrame,
    earlier: Path | None = None,
    images: float = 8,
    spec: Input = SPEC,
) -> Written:
    """A cache with at most `images` in a shard."""
    folder.mkdir(parents=True)
    shard_mb = (images + 0.5) * IMAGE_MB
    return cache.write(folder, rows, ("a", "b"), spec, shard_mb=shard_mb, earlier=earlier)


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_images(tmp_path_factory.mktemp("images"), 60)


def test_pixels_come_back_from_the_right_shard(images: list[Path], tmp_path: Path) -> None:
    """In the order that was asked for, and as often, from shards that are no larger than allowed."""
    build(tmp_path / "cache", table(images), images=8)
    opened = cache.load(tmp_path / "cache")
    assert len(opened.shards) > 60 / 8
    assert all(0 < len(shard) <= 8 for shard in opened.shards)
    order = np.array([31, 4, 0, 59, 4, 17])
    paths = [Path(opened.rows["path"][n]) for n in order]
    assert (opened.pixels(order) == np.stack([fit(open_image(p), SPEC) for p in paths])).all()
    numbers = [images.index(path) for path in paths]
    assert opened.targets(order).tolist() == [n % 2 for n in numbers]
    assert set(opened.rows["path"][opened.places("val")]) == {p.as_posix() for p in images[1::3]}
    assert opened.pixels(order[:0]).shape == (0, *opened.shape) == (0, 22, 27, 3)
    assert [c.tolist() for c in opened.chunks("train")] == [opened.places("train").tolist()]


def test_large_images_come_back_too(images: list[Path], tmp_path: Path) -> None:
    """They are copied in another way than small ones."""
    spec = Input(height=160, width=160)
    assert np.prod(spec_shape := (*cache_size(spec), 3)) >= LARGE
    (tmp_path / "cache").mkdir()
    cache.write(tmp_path / "cache", table(images[:9]), ("a", "b"), spec, shard_mb=0.3)
    opened = cache.load(tmp_path / "cache")
    assert (len(opened.shards) > 2, opened.shape) == (True, spec_shape)
    order = np.array([8, 0, 5, 5])
    wanted = [fit(open_image(Path(opened.rows["path"][n])), spec) for n in order]
    assert (opened.pixels(order) == np.stack(wanted)).all()


def test_exact_copies_share_their_pixels(images: list[Path], tmp_path: Path) -> None:
    """More of them than a shard holds are no trouble, and each keeps its label."""
    rows = pd.concat([table(images[:1])] * 20 + [table(images)], ignore_index=True)
    build(tmp_path / "cache", rows, images=4)
    opened = cache.load(tmp_path / "cache")
    assert len(opened) == 80
    assert sum(len(shard) for shard in opened.shards) == 60
    wanted = fit(open_image(images[0]), SPEC)
    for place in np.flatnonzero(opened.rows["path"] == images[0].as_posix()):
        assert (opened.pixels(np.array([place]))[0] == wanted).all()


def test_another_process_opens_it_by_its_path(images: list[Path], tmp_path: Path) -> None:
    """Workers that load batches must not each get a copy of all pixels."""
    build(tmp_path / "cache", table(images))
    opened = cache.load(tmp_path / "cache")
    sent = pickle.dumps(opened)
    assert len(sent) < 1000
    assert (pickle.loads(sent).pixels(np.arange(60)) == opened.pixels(np.arange(60))).all()


STEPS = st.lists(
    st.tuples(
        st.sets(st.integers(0, 59), min_size=1),
        st.sampled_from([0, 1]),
        st.sampled_from([3, 8, 1000]),
    ),
    min_size=2,
    max_size=4,
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=STEPS)
def test_the_way_there_leaves_no_trace(
    steps: list[tuple[set[int], int, int]], images: list[Path], tmp_path: Path
) -> None:
    """Whatever images came, went and were relabelled: the same bytes as from nothing."""
    shutil.rmtree(tmp_path)
    rows, earlier, known = table(images), None, set()
    for number, (chosen, turn, size) in enumerate(steps):
        here = rows.iloc[sorted(chosen, reverse=bool(turn))].assign(
            label=lambda r, turn=turn: r["label"].str.translate({97: "ab"[turn], 98: "ba"[turn]}),
            split=lambda r, turn=turn: r["split"].replace({"val": ["val", "train"][turn]}),
        )
        done = build(tmp_path / str(number), here, earlier, size)
        assert done.decoded == len(chosen - known)
        earlier, known = tmp_path / str(number), chosen
    build(tmp_path / "scratch", here, None, size)
    assert files(earlier) == files(tmp_path / "scratch")


def test_one_more_image_touches_one_shard(images: list[Path], tmp_path: Path) -> None:
    """So that DVC stores and sends little for it; one less, and one changed, likewise."""
    build(tmp_path / "cache", table(images[:50]), images=8)
    before = files(tmp_path / "cache")
    for number, chosen in enumerate([images[:51], images[:49], images[1:51]]):
        folder = tmp_path / str(number)
        done = build(folder, table(chosen), tmp_path / "cache", images=8)
        new = set(files(folder)) - set(before)
        # The shard, or the two halves of one that was full, of each image that came or went.
        assert 1 <= len(new) == done.rewritten <= 2 * (1 + (number == 2))
        assert done.decoded == (number != 1)
        assert all(before[k] == v for k, v in files(folder).items() if k in before and "shard" in k)


def test_labels_and_splits_rewrite_the_index_alone(images: list[Path], tmp_path: Path) -> None:
    """A corrected label must not cost an hour of decoding."""
    build(tmp_path / "cache", table(images))
    rows = table(images).assign(label="b", split="train")
    done = build(tmp_path / "again", rows, tmp_path / "cache")
    assert (done.decoded, done.taken_over, done.rewritten) == (0, 60, 0)
    before, after = files(tmp_path / "cache"), files(tmp_path / "again")
    assert {name for name in after if after[name] != before[name]} == {cache.ROWS}


def test_what_shapes_pixels_decodes_again(images: list[Path], tmp_path: Path) -> None:
    """And what does not (mean, std), does not."""
    build(tmp_path / "cache", table(images))
    for number, (change, decoded) in enumerate(
        [({"mean": (0, 0, 0)}, 0), ({"width": 28}, 60), ({"fit": "pad"}, 60), ({"channels": 1}, 60)]
    ):
        spec = SPEC.model_copy(update=change)
        done = build(tmp_path / str(number), table(images), tmp_path / "cache", spec=spec)
        assert done.decoded == decoded, change


def test_another_decoder_decodes_again(
    images: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pixels of two Pillows in one cache would be a data set that nobody can make again."""
    build(tmp_path / "cache", table(images))
    monkeypatch.setattr(decoding, "fit", lambda image, spec: fit(image, spec) // 2)
    done = build(tmp_path / "again", table(images), tmp_path / "cache")
    assert done.decoded == 60
    assert "Pillow" in done.refused


def damage_a_byte(folder: Path) -> None:
    path = next(folder.glob("shard-*"))
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def damage_a_length(folder: Path) -> None:
    os.truncate(next(folder.glob("shard-*")), 200)


def damage_the_rows(folder: Path) -> None:
    (folder / cache.ROWS).write_bytes(b"PAR1")


def damage_the_meta(folder: Path) -> None:
    (folder / cache.META).write_text("{", encoding="utf-8")


def lose_a_shard(folder: Path) -> None:
    next(folder.glob("shard-*")).unlink()


@pytest.mark.parametrize(
    "damage", [damage_a_byte, damage_a_length, damage_the_rows, damage_the_meta, lose_a_shard]
)
def test_a_damaged_cache_is_not_used_again(damage, images: list[Path], tmp_path: Path) -> None:
    """Its damage would live on in every cache after it."""
    build(tmp_path / "cache", table(images))
    good = files(tmp_path / "cache")
    damage(tmp_path / "cache")
    done = build(tmp_path / "again", table(images), tmp_path / "cache")
    assert (done.decoded, bool(done.refused)) == (60, True)
    assert files(tmp_path / "again") == good
    if damage is not damage_a_byte:  # which only the hash can tell
        with pytest.raises(DataError, match="dvc repro"):
            cache.load(tmp_path / "cache").pixels(np.arange(60))


def test_an_image_that_changed_meanwhile_is_refused(images: list[Path], tmp_path: Path) -> None:
    """Its pixels would be kept under the name of another image for good."""
    rows = table(images)
    rows.loc[3, "path"] = images[4].as_posix()
    with pytest.raises(DataError, match=r"0004\.png.*changed since it was indexed"):
        build(tmp_path / "cache", rows)
    rows.loc[3, "path"] = "nowhere.png"
    with pytest.raises(DataError, match=r"nowhere\.png"):
        build(tmp_path / "again", rows)


def test_the_digest_follows_images_labels_and_preparation(
    images: list[Path], tmp_path: Path
) -> None:
    """Checkpoints are found by it: another data set must not resume this one's training."""
    digests = set()
    rows = table(images)
    for number, (changed, spec) in enumerate(
        [
            (rows, Input(height=20, width=20)),
            (rows, Input(height=20, width=24)),
            (rows.assign(label="a"), Input(height=20, width=20)),
            (rows.assign(split="train"), Input(height=20, width=20)),
            (rows[1:], Input(height=20, width=20)),
        ]
    ):
        build(tmp_path / str(number), changed, spec=spec)
        digests.add(cache.load(tmp_path / str(number)).digest)
    assert len(digests) == 5


def test_no_cache_says_what_to_run(tmp_path: Path) -> None:
    """Not a missing-file traceback; neither does a cache of the first format."""
    with pytest.raises(StaleError, match="dvc repro"):
        cache.load(tmp_path)
    (tmp_path / cache.META).write_text('{"labels": ["a"], "shard_rows": 3}', encoding="utf-8")
    with pytest.raises(StaleError, match="dvc repro"):
        cache.load(tmp_path)


@pytest.mark.parametrize("how", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("size", [(90, 30), (30, 90), (1, 1), (500, 500)])
def test_any_image_fits(how: str, size: tuple[int, int], tmp_path: Path) -> None:
    """Whatever the aspect, the cache and the network get their size."""
    (path,) = write_images(tmp_path, 1, size)
    spec = Input.model_validate({"fit": how, "height": 40, "width": 64})
    pixels = fit(open_image(path), spec)
    assert pixels.shape == (*cache_size(spec), 3)
    assert normalise(centre(pixels, spec)[None], spec).shape == (1, 3, 40, 64)
