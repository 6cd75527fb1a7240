"""Where images are and answers go: folders, and object stores by way of Arrow's file systems.

`AWS_ENDPOINT_URL` names a store other than Amazon's; credentials and region are found as its own tools
find them.
"""

import errno
import io
import os
import stat
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from pyarrow import fs

from roadworthy.errors import DataError

S3 = "s3://"
# Seconds before it is tried again, after Arrow's own three tries.
PAUSES = (1.0, 4.0)
# What another try may mend, on network drives too.
PASSING = (errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EAGAIN, errno.EMFILE, errno.ENFILE)
# How Arrow words what a store says; everything else is taken for passing.
LASTING = {
    "ACCESS_DENIED": "Permission denied",
    "NO_SUCH_BUCKET": "No such bucket",
    "INVALID_OBJECT_STATE": "in an archive",
}
TEMPORARY = ".tmp-"


class UnreachableError(Exception):
    """An image that may well be there could not be brought: the network, a store that is busy."""


def is_remote(path: str) -> bool:
    """Whether it is in an object store."""
    return path.startswith(S3)


def bucket(name: str) -> Any:
    """Arrow's file system for one bucket.

    Raises:
        DataError: the region of Amazon's bucket cannot be found out.
    """
    own = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    return _store(None if own or region else name, region, own)


@lru_cache(8)
def _store(unknown: str | None, region: str | None, endpoint: str | None) -> Any:
    """A client; of Amazon's region of the bucket `unknown` where it was not told."""
    if unknown:
        try:
            region = fs.resolve_s3_region(unknown)
        except OSError as error:
            raise DataError(f"{S3}{unknown} cannot be reached: {said(error)}") from None
    return fs.S3FileSystem(region=region, endpoint_override=endpoint)


def located(url: str) -> tuple[Any, str]:
    """Arrow's file system for a path or address, and the path in it."""
    if not is_remote(url):
        return fs.LocalFileSystem(), os.path.abspath(url)  # noqa: PTH100 - links stay
    path = url.removeprefix(S3).rstrip("/")
    return bucket(path.split("/", 1)[0]), path


def said(error: OSError) -> str:
    """An error of a file system in a few words."""
    for code, words in LASTING.items():
        if code in str(error):
            return words
    if error.errno:
        return os.strerror(error.errno)
    return (str(error).splitlines() or [type(error).__name__])[0][-160:]


def read_image(path: str, max_bytes: int, pauses: tuple[float, ...] = PAUSES) -> bytes:
    """The bytes of one image.

    Args:
        path: of a file, or an address.
        max_bytes: no more is read.
        pauses: seconds before each further try.

    Raises:
        DataError: the reason why there is no image, which stays true.
        UnreachableError: the reason why not now.
    """
    read = _from_store if is_remote(path) else _from_disk
    for pause in (*pauses, None):
        try:
            return read(path, max_bytes)
        except OSError as error:
            if _lasts(error, is_remote(path)):
                raise DataError(f"cannot be read: {said(error)}") from None
            if pause is None:
                raise UnreachableError(said(error)) from None
        time.sleep(pause)
    raise AssertionError("the last try returns or raises")


def _lasts(error: OSError, remote: bool) -> bool:
    if isinstance(error, FileNotFoundError | PermissionError):
        return True
    if remote:
        return any(code in str(error) for code in LASTING)
    return error.errno not in PASSING


def _from_disk(path: str, max_bytes: int) -> bytes:
    try:
        facts = Path(path).stat()
    except ValueError:  # a null character
        raise DataError("cannot be read: not a path") from None
    # A pipe would wait for a writer, a device may never end.
    if not stat.S_ISREG(facts.st_mode):
        raise DataError("not a file")
    _check_size(facts.st_size, max_bytes)
    return Path(path).read_bytes()


def _from_store(url: str, max_bytes: int) -> bytes:
    files, path = located(url)
    try:
        with files.open_input_file(path) as file:
            _check_size(file.size(), max_bytes)
            return bytes(file.read())
    except ValueError as error:  # Arrow's word for an address that cannot be
        raise DataError(f"cannot be read: {error}") from None


def _check_size(size: int, max_bytes: int) -> None:
    if size > max_bytes:
        raise DataError(f"{size:,} bytes are over {max_bytes:,}")


@dataclass(frozen=True)
class Place:
    """A folder, here or in a bucket, in which files appear whole or not at all."""

    url: str

    def names(self, below: str = "") -> set[str]:
        """The files directly in it, or in a folder of it; empty where there is none."""
        files, path = located(f"{self.url}/{below}".rstrip("/"))
        with self._explained():
            found = files.get_file_info(fs.FileSelector(path, allow_not_found=True))
        return {info.base_name for info in found if info.type == fs.FileType.File}

    def read(self, name: str) -> Any:
        """A file as an Arrow buffer."""
        files, path = located(f"{self.url}/{name}")
        with self._explained(), files.open_input_file(path) as file:
            return file.read_buffer()

    def open(self, name: str) -> Any:
        """A file to be read in parts; a context manager."""
        files, path = located(f"{self.url}/{name}")
        with self._explained():
            return files.open_input_file(path)

    def write(self, name: str, data: bytes | memoryview) -> None:
        """Put a file there, in place of another of that name."""
        files, path = located(f"{self.url}/{name}")
        with self._explained():
            if is_remote(self.url):
                # One write, closed at once: an object appears when it is complete.
                with files.open_output_stream(path) as out:
                    out.write(data)
                return
            target = Path(path)
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary = target.with_name(f"{TEMPORARY}{uuid.uuid4().hex}")
            try:
                temporary.write_bytes(data)
                os.replace(temporary, target)
            finally:
                temporary.unlink(missing_ok=True)

    def remove(self, name: str) -> None:
        """Take a file away; no error where there is none."""
        files, path = located(f"{self.url}/{name}")
        with self._explained(), suppress(FileNotFoundError):
            files.delete_file(path)

    def tidy(self) -> None:
        """Remove what killed writers left half written."""
        for name in self.names():
            if name.startswith(TEMPORARY):
                self.remove(name)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            hint = "the credentials, and AWS_ENDPOINT_URL where the store is not Amazon's"
            hint = hint if is_remote(self.url) else "the disk, and who may write there"
            raise DataError(f"{self.url} cannot be used ({said(error)}): check {hint}") from error


def as_bytes(write: Any) -> memoryview:
    """What `write` writes to the file that it is given."""
    buffer = io.BytesIO()
    write(buffer)
    return buffer.getbuffer()
