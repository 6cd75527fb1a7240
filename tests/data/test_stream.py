"""Training images stream from a folder or an object store, and nobody else notices."""

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from roadworthy.data import cache, stream
from roadworthy.data.cache import Cache, Written
from roadworthy.errors import DataError
from roadworthy.params import Input
from support import free_port, write_images

pytest.importorskip("litdata", reason="the extra `stream` is not installed")

SPEC = Input(height=20, width=24)
SHARD_MB = 8.5 * 22 * 27 * 3 / 2**20
BUCKET = "images"


def table(paths: list[Path]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "path": [p.as_posix() for p in paths],
            "sha256": [sha256(p.read_bytes()).hexdigest() for p in paths],
            "label": ["ab"[n % 2] for n in range(len(paths))],
            "split": [["train", "train", "val", "test"][n % 4] for n in range(len(paths))],
        }
    )


def build(
    folder: Path,
    rows: pd.DataFrame,
    url: str | None,
    earlier: Path | None = None,
    spec: Input = SPEC,
) -> tuple[Cache, Written]:
    folder.mkdir(parents=True)
    done = cache.write(
        folder, rows, ("a", "b"), spec, shard_mb=SHARD_MB, stream=url, earlier=earlier
    )
    return cache.load(folder), done


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_images(tmp_path_factory.mktemp("images"), 80)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server that speaks S3, with an empty bucket."""
    address = f"http://127.0.0.1:{(port := free_port())}"
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    log_file = tmp_path_factory.mktemp("moto") / "log"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with log_file.open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as server:
        try:
            while True:
                assert server.poll() is None, log_file.read_text(encoding="utf-8")
                try:
                    opener.open(address).close()
                    break
                except urllib.error.URLError:
                    time.sleep(0.1)
            request = urllib.request.Request(f"{address}/{BUCKET}", method="PUT")
            opener.open(request).close()
            yield address
        finally:
            server.terminate()


@pytest.fixture(params=["folder", "store"])
def url(
    request: pytest.FixtureRequest, project: Path, store: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """A place to stream from, in a project of its own."""
    (project / "empty").touch()
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(project / "empty"))
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", store)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    stream.client.cache_clear()
    name = request.node.name.replace("[", "-").strip("]")
    yield f"s3://{BUCKET}/{name}" if request.param == "store" else str(project / "shared" / name)
    stream.client.cache_clear()


def test_nobody_notices(url: str, images: list[Path], project: Path) -> None:
    """Same rows, digest and pixels as from shards of this machine, whatever is asked together."""
    near, _ = build(project / "near", table(images), None)
    far, done = build(project / "far", table(images), url)
    assert (done.decoded, done.rewritten) == (80, done.shards)
    pd.testing.assert_frame_equal(near.rows, far.rows)
    assert near.digest == far.digest
    assert sum(len(shard) for shard in far.shards) == 40
    order = np.random.default_rng(0).permutation(np.repeat(np.arange(80), 2))
    assert (near.pixels(order) == far.pixels(order)).all()


def test_chunks_tell_what_lies_together(url: str, images: list[Path], project: Path) -> None:
    """Each training row is in one chunk, and a chunk is read from one file."""
    far, _ = build(project / "far", table(images), url)
    chunks = far.chunks("train")
    assert len(chunks) >= 40 / 8
    assert sorted(np.concatenate(chunks).tolist()) == far.places("train").tolist()
    assert far.stream is not None
    assert [len(chunk) for chunk in chunks] == far.stream.counts
    for chunk in chunks:
        slots = far.layout.slots[chunk]
        assert len(set(np.searchsorted(far.starts, slots, side="right"))) == 1
    assert [c.tolist() for c in far.chunks("val")] == [far.places("val").tolist()]


def test_what_is_there_is_not_sent_again(
    url: str, images: list[Path], project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new image is one decoded and at most two chunks sent; no image, none; and not from scratch either."""
    sent: list[str] = []
    for kind in (stream.Folder, stream.Bucket):
        monkeypatch.setattr(kind, "put", counted(kind.put, sent))
    build(project / "one", table(images[:79]), url)
    first = len(sent)
    _, done = build(project / "two", table(images[:79]), url, project / "one")
    assert (done.decoded, done.rewritten, sent[first:]) == (0, 0, [stream.INDEX])
    # Another machine, or one that was killed before it wrote its index.
    build(project / "three", table(images[:79]), url)
    assert sent[first + 1 :] == [stream.INDEX]
    rows = table(images)
    rows.loc[79, "split"] = "train"
    far, done = build(project / "four", rows, url, project / "one")
    assert done.decoded == 1
    assert 1 <= len(sent[first + 2 :]) - 1 == done.rewritten <= 2
    near, _ = build(project / "five", rows, None)
    assert (near.pixels(np.arange(80)) == far.pixels(np.arange(80))).all()


def counted(put, sent: list[str]):
    def wrapper(place, path: Path, file: str) -> None:
        sent.append(file)
        put(place, path, file)

    return wrapper


def test_a_training_keeps_what_it_reads(url: str, images: list[Path], project: Path) -> None:
    """While it runs, a new set of images may be prepared: its chunks stay."""
    old, _ = build(project / "old", table(images[:60]), url)
    build(project / "new", table(images[40:]), url, project / "old")
    near, _ = build(project / "near", table(images[:60]), None)
    assert (old.pixels(np.arange(60)) == near.pixels(np.arange(60))).all()


def test_pixels_of_two_preparations_lie_side_by_side(
    url: str, images: list[Path], project: Path
) -> None:
    """Same images, same size, otherwise fitted: the chunks of neither are taken for the other's."""
    padded = SPEC.model_copy(update={"fit": "pad"})
    one, _ = build(project / "one", table(images), url)
    two, _ = build(project / "two", table(images), url, project / "one", padded)
    near, _ = build(project / "near", table(images), None, spec=padded)
    everything = np.arange(80)
    assert (two.pixels(everything) == near.pixels(everything)).all()
    assert (one.pixels(everything) != near.pixels(everything)).any()


def test_to_and_from_a_stream_nothing_is_decoded(
    url: str, images: list[Path], project: Path
) -> None:
    """The pixels are known, wherever they are; and the cache is as if made from nothing."""
    build(project / "near", table(images), None)
    _, there = build(project / "far", table(images), url, project / "near")
    _, again = build(project / "back", table(images), None, project / "far")
    assert (there.decoded, again.decoded) == (0, 0)
    for path in (project / "near").iterdir():
        assert path.read_bytes() == (project / "back" / path.name).read_bytes()


def test_litdata_reads_what_was_sent(url: str, images: list[Path], project: Path) -> None:
    """The format is litdata's, so other programs can read it."""
    from litdata import StreamingDataset

    far, _ = build(project / "far", table(images), url)
    dataset = StreamingDataset(url, cache_dir=str(project / "theirs"))
    assert len(dataset) == 40
    wanted = far.pixels(far.places("train"))
    assert all(np.array_equal(dataset[n], wanted[n]) for n in range(40))


@pytest.mark.parametrize("url", ["store"], indirect=True)
def test_the_disk_holds_no_more_than_allowed(
    url: str, images: list[Path], project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Past one machine's disk: the least recently read make room, and come back when asked for."""
    far, _ = build(project / "far", table(images), url)
    near, _ = build(project / "near", table(images), None)
    assert far.stream is not None
    chunks = far.chunks("train")
    size = 3 * 8 * (22 * 27 * 3 + 50)
    monkeypatch.setenv(stream.ROOM, str(size / 1e9))
    fetched: list[str] = []
    monkeypatch.setattr(stream, "make_room", watched(stream.make_room, fetched))
    for _ in range(2):
        fetched.clear()
        for chunk in chunks:
            for half in np.array_split(np.random.default_rng(1).permutation(chunk), 2):
                assert (far.pixels(half) == near.pixels(half)).all()
            assert sum(p.stat().st_size for p in Path(".cache").rglob("chunk-*.bin")) <= size
        # Chunk by chunk, each was fetched once.
        assert len(fetched) == len(set(fetched)) == len(chunks)
    fetched.clear()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(far.pixels, np.split(chunks[0], range(1, len(chunks[0])))))
    assert fetched == [far.stream.files[0]]
    far.pixels(chunks[-1])
    far.pixels(np.concatenate(chunks[1:]))
    fetched.clear()
    far.fetch(np.concatenate([chunks[0], far.places("val")]))
    assert fetched == [far.stream.files[0]]
    far.pixels(chunks[0])
    assert len(fetched) == 1
    everything = np.random.default_rng(2).permutation(80)
    assert (far.pixels(everything) == near.pixels(everything)).all()


def watched(make_room, fetched: list[str]):
    def wrapper(newest: Path) -> None:
        fetched.append(newest.name)
        make_room(newest)

    return wrapper


def test_what_is_missing_or_damaged_is_said(url: str, images: list[Path], project: Path) -> None:
    """Not random pixels, and not a traceback from the depths of a client."""
    far, _ = build(project / "far", table(images), url)
    assert far.stream is not None
    folder = Path(url)
    if "://" in url:
        far.pixels(np.arange(80))
        (folder,) = {path.parent for path in Path(".cache").rglob("chunk-*.bin")}
    path = folder / far.stream.files[0]
    os.truncate(path, path.stat().st_size - 1)
    with pytest.raises(DataError, match=r"damaged"):
        far.pixels(far.chunks("train")[0])
    lost = stream.Stream(stream.place_of(f"{url}/nowhere"), far.stream.files, [8], far.stream.size)
    with pytest.raises(DataError, match="nowhere"):
        list(lost.opened([0]))


@pytest.mark.parametrize("url", ["store"], indirect=True)
def test_a_place_that_refuses_is_named(url: str, images: list[Path], project: Path) -> None:
    """With what to check; and nothing is left behind that looks like a cache."""
    with pytest.raises(DataError, match=r"no-such-bucket.*prepare\.stream.*AWS_ENDPOINT_URL"):
        build(project / "far", table(images), "s3://no-such-bucket/car")
    assert not (project / "far" / cache.META).exists()


def test_without_litdata_the_message_says_what_to_install(
    images: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is an extra that few need."""
    monkeypatch.setitem(sys.modules, "litdata.streaming.writer", None)
    with pytest.raises(DataError, match="uv pip install litdata"):
        build(tmp_path / "far", table(images), str(tmp_path / "shared"))


def test_litdata_is_imported_for_streams_only() -> None:
    """It brings torch, and two seconds."""
    code = "import sys, roadworthy.data.cache; sys.exit('litdata' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
