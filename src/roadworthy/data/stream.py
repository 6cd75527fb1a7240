"""Training images past what one disk holds: litdata chunks in an object store, or in a shared folder.

PLACE/chunk-NAME.bin   litdata's format, one image (H, W, C) per item; NAME says what is in it (shards.py)
PLACE/index.json       litdata's index of the newest set: `litdata.StreamingDataset(PLACE)` reads it

A chunk is never changed or deleted here, so a training that runs keeps what it reads, and an unchanged
chunk is never sent twice. Credentials are found as boto3 finds them; `AWS_ENDPOINT_URL` names a store
other than Amazon's.

litdata's writer, format and store clients are used, not its reader: `StreamingDataset[i]` asks the store
once per image, its eviction is made for one pass in chunk order, and its fast downloader (obstore)
refuses plain http and does not survive a fork. Here a chunk is fetched whole and mapped, and the least
recently used ones make room.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from itertools import compress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import numpy as np

from roadworthy.errors import DataError

INDEX = "index.json"
KEPT = Path(".cache/stream")
# A setting of the machine, not of the training: gigabytes of chunks kept on its disk.
ROOM = "ROADWORTHY_STREAM_GB"
ROOM_GB = 16.0
# Chunks that are fetched at the same time.
AHEAD = 4


class Place(Protocol):
    """Where chunks are."""

    def here(self, file: str) -> Path:
        """The file as one of this machine, fetched if need be."""

    def has(self, file: str) -> bool:
        """Whether it is there, and whole."""

    def put(self, path: Path, file: str) -> None:
        """Send a file; it is there whole or not at all."""


@dataclass(frozen=True)
class Folder:
    """A folder that all machines see: chunks are mapped where they are."""

    path: Path

    def here(self, file: str) -> Path:  # noqa: D102
        return self.path / file

    def has(self, file: str) -> bool:  # noqa: D102
        return (self.path / file).is_file()

    def put(self, path: Path, file: str) -> None:  # noqa: D102
        self.path.mkdir(parents=True, exist_ok=True)
        temporary = self.path / f".{file}.tmp"
        shutil.copyfile(path, temporary)
        os.replace(temporary, self.path / file)


@dataclass(frozen=True)
class Bucket:
    """An object store; what was fetched of late is kept on this machine."""

    url: str
    kept: Path

    def here(self, file: str) -> Path:  # noqa: D102
        path = self.kept / file
        try:
            os.utime(path)
        except FileNotFoundError:
            self._fetch(path)
        return path

    def _fetch(self, path: Path) -> None:
        from filelock import FileLock

        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            if path.is_file():  # another thread or process was faster
                return
            temporary = path.with_suffix(".tmp")
            with self._explained():
                client(self.url).download_file(f"{self.url}/{path.name}", temporary)
            os.replace(temporary, path)
        make_room(path)

    def has(self, file: str) -> bool:  # noqa: D102
        with self._explained():
            return bool(client(self.url).exists(f"{self.url}/{file}"))

    def put(self, path: Path, file: str) -> None:  # noqa: D102
        with self._explained():
            client(self.url).upload_file(str(path), f"{self.url}/{file}")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # every store has errors of its own
            raise DataError(
                f"{self.url} does not answer as it should ({error}): check `prepare.stream`, the "
                "credentials, and AWS_ENDPOINT_URL where the store is not Amazon's"
            ) from error


@lru_cache(4)
def client(url: str) -> Any:
    """litdata's client of a store."""
    provider = _module("litdata.streaming.fs_provider")._get_fs_provider
    if not url.startswith("s3://"):
        return provider(url, {})
    # litdata itself would try a thousand times, which is hours at a wrong address.
    config = _module("botocore.config").Config(retries={"max_attempts": 5, "mode": "standard"})
    return provider(url, {"config": config})


def _module(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise DataError(
            "`prepare.stream` needs litdata: `uv pip install litdata`, or set it to null"
        ) from error


def make_room(newest: Path) -> None:
    """Remove the chunks least recently read, but not `newest`, where they are too many bytes."""
    files = []
    for path in newest.parent.glob("chunk-*.bin"):
        with suppress(FileNotFoundError):
            files.append((path.stat().st_mtime_ns, path.stat().st_size, path))
    over = sum(size for _, size, _ in files) - float(os.environ.get(ROOM, ROOM_GB)) * 1e9
    for _, size, path in sorted(files):
        if over <= 0:
            return
        if path != newest:
            path.unlink(missing_ok=True)
            over -= size


def place_of(url: str) -> Place:
    """The folder or the store that `prepare.stream` names."""
    if "://" not in url:
        return Folder(Path(url).resolve())
    return Bucket(url, KEPT.resolve() / url.partition("://")[2])


@dataclass(frozen=True)
class Stream:
    """Chunks at a place, opened like shards of this machine."""

    place: Place
    files: tuple[str, ...]
    counts: list[int]
    """Images in each chunk."""
    size: int
    """Bytes of an image."""

    @classmethod
    def of(cls, meta: dict[str, Any], size: int) -> "Stream":
        """From what `send` returned."""
        files = tuple(chunk["file"] for chunk in meta["chunks"])
        counts = [int(chunk["images"]) for chunk in meta["chunks"]]
        return cls(place_of(meta["place"]), files, counts, size)

    def opened(self, numbers: list[int]) -> Iterator[np.ndarray]:
        """Pixels of chunks, uint8 (images, H * W * C), in the order of `numbers`.

        Raises:
            DataError: a chunk cannot be fetched, or is not what was sent.
        """
        for start in range(0, len(numbers), AHEAD):
            group = numbers[start : start + AHEAD]
            self.fetch(group)
            yield from map(self._mapped, group)

    def fetch(self, numbers: list[int]) -> None:
        """Have chunks on this machine, some at the same time; their pixels are then read at once."""
        with ThreadPoolExecutor(AHEAD) as pool:
            list(pool.map(self.place.here, [self.files[n] for n in numbers]))

    def _mapped(self, number: int) -> np.ndarray:
        for _ in range(3):  # another process may make room between the two lines
            path = self.place.here(self.files[number])
            with suppress(FileNotFoundError):
                return self._images(np.memmap(path, np.uint8, "r"), number, path)
        raise DataError(f"{path} is missing: run `dvc repro -f` for prepare")

    def _images(self, raw: np.ndarray, number: int, path: Path) -> np.ndarray:
        count, first, second = raw[:12].view(np.uint32).tolist()
        length = second - first
        if count != self.counts[number] or len(raw) != first + count * length:
            raise DataError(f"{path} is damaged: remove it, and what it came from")
        # An item is a header, then the pixels.
        return raw[first:].reshape(count, length)[:, -self.size :]


@dataclass(frozen=True)
class Parcel:
    """A chunk to be."""

    file: str
    images: int
    make: Callable[[], np.ndarray]
    """Its pixels, uint8 (images, H, W, C); called only where the chunk is not at its place yet."""


def send(url: str, parcels: Iterable[Parcel], shape: tuple[int, int, int]) -> dict[str, Any]:
    """Bring chunks to `url` that are not there, then litdata's index of all of them.

    Returns:
        What `Stream.of` needs, as JSON.

    Raises:
        DataError: the place cannot be reached or refuses; litdata is missing.
    """
    writer = _module("litdata.streaming.writer").BinaryWriter
    place = place_of(url)
    parcels = list(parcels)
    with ThreadPoolExecutor(AHEAD) as pool:
        there = list(pool.map(place.has, [parcel.file for parcel in parcels]))
        # One chunk is on its way while the next is made: neither disk nor memory holds more.
        sending: Future[None] | None = None
        for parcel in compress(parcels, [not known for known in there]):
            pixels = parcel.make()
            if sending:
                sending.result()
            sending = pool.submit(_send, writer, place, pixels, parcel.file)
        if sending:
            sending.result()
    chunks = [{"file": parcel.file, "images": parcel.images} for parcel in parcels]
    with TemporaryDirectory() as folder:
        path = Path(folder) / INDEX
        path.write_text(json.dumps(_index(writer, Path(folder), chunks, shape)), encoding="utf-8")
        place.put(path, INDEX)
    return {"place": url, "chunks": chunks}


def _send(writer: Any, place: Place, pixels: np.ndarray, file: str) -> None:
    with TemporaryDirectory() as folder:
        chunk = writer(folder, chunk_size=len(pixels) + 1)
        for number, image in enumerate(pixels):
            chunk.add_item(number, image)
        (path,) = chunk.done()
        place.put(Path(path), file)


def _index(
    writer: Any, folder: Path, chunks: list[dict[str, Any]], shape: tuple[int, int, int]
) -> dict[str, Any]:
    """As litdata writes it for these chunks, also where none of them was written now."""
    sample = writer(str(folder), chunk_size=2)
    sample.add_item(0, np.zeros(shape, np.uint8))
    length = _chunk_item_bytes(sample)
    entries = [
        {
            "filename": chunk["file"],
            "chunk_size": chunk["images"],
            # The number of items, where each begins and the last ends, the items.
            "chunk_bytes": 4 * (chunk["images"] + 2) + chunk["images"] * length,
            "dim": None,
        }
        for chunk in chunks
    ]
    return {"chunks": entries, "config": {**sample.get_config(), "chunk_size": None}}


def _chunk_item_bytes(writer: Any) -> int:
    return len(writer._serialized_items[0].data)
