"""Append-only JSON lines in rotating files, which survive being killed at any byte.

A file is written by one process at a time, which holds a lock (`flock`) on it, so that several can
share a folder; the system lets go of the lock when a process dies. A line that was torn by a kill
or a full disk is the end of what is known of that line, and nothing else: readers skip it.
"""

import errno
import fcntl
import os
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Generic, TypeVar

FOLDER_MODE, FILE_MODE = 0o700, 0o600
T = TypeVar("T")
SUFFIX = ".jsonl"
LONGEST = 4_000_000
"""Bytes of a line; what is longer was never written by us."""


class Journal:
    """Files `NAME-TIME-ID.jsonl` in one folder; the newest is written. Thread-safe.

    Args:
        folder: made when it is missing.
        name: of this kind of lines.
        max_bytes: a file is closed before it grows beyond this.
        files: how many there may be.
        forget: whether the oldest make room for new ones; else what does not fit is refused.

    Raises:
        OSError: the folder cannot be written.
    """

    def __init__(
        self, folder: Path, name: str, max_bytes: int, files: int, *, forget: bool = True
    ) -> None:
        self.folder, self.name = folder, name
        self.max_bytes, self.files, self.forget = max_bytes, files, forget
        self.written = 0
        """Lines so far."""
        self._file: int | None = None
        self._size = 0
        self._stamp = ""
        self._lock = Lock()
        check(folder)

    def append(self, lines: Sequence[bytes], *, sync: bool = False) -> None:
        """Write lines, each with its newline.

        Args:
            sync: return only when the disk has them.

        Raises:
            OSError: those after `written` were not.
        """
        with self._lock:
            part: list[bytes] = []
            size = self._size
            for line in lines:
                if size and size + len(line) > self.max_bytes:
                    self._write(part)
                    self._leave()
                    part, size = [], 0
                part.append(line)
                size += len(line)
            self._write(part)
            if sync and self._file is not None:
                os.fsync(self._file)

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._leave()

    def _write(self, lines: Sequence[bytes]) -> None:
        if not lines:
            return
        data = b"".join(lines)
        if self._file is None or not os.fstat(self._file).st_nlink:  # deleted by somebody
            self._leave()
            self._file = self._open(len(data))
        try:
            left = memoryview(data)
            while left:
                left = left[os.write(self._file, left) :]
        except OSError:
            self._undo()
            raise
        self._size += len(data)
        self.written += len(lines)

    def _undo(self) -> None:
        """Take back half a line."""
        try:
            os.ftruncate(self._file or 0, self._size)
        except OSError:
            self._leave()

    def _leave(self) -> None:
        if self._file is not None:
            os.close(self._file)
        self._file, self._size = None, 0

    def _open(self, size: int) -> int:
        """The newest file that nobody writes and that has room, else a new one."""
        self.folder.mkdir(FOLDER_MODE, parents=True, exist_ok=True)
        present = paths(self.folder, self.name)
        if present and (file := self._adopted(present[-1], size)) is not None:
            return file
        self._make_room(present)
        # In the order of their making also when the clock was set back.
        self._stamp = max(datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f"), self._stamp)
        path = self.folder / f"{self.name}-{self._stamp}-{uuid.uuid4().hex[:8]}{SUFFIX}"
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, FILE_MODE)
        _locked(file)
        return file

    def _adopted(self, path: Path, size: int) -> int | None:
        """Go on with the file of a process that has ended, so that restarts cost no files."""
        try:
            file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW)
        except OSError:
            return None
        try:
            known = os.fstat(file)
            if _locked(file) and known.st_nlink and known.st_size + size + 1 <= self.max_bytes:
                # A torn line ends here.
                torn = known.st_size and os.pread(file, 1, known.st_size - 1) != b"\n"
                self._size = known.st_size + (os.write(file, b"\n") if torn else 0)
                return file
        except OSError:
            pass
        os.close(file)
        return None

    def _make_room(self, present: Sequence[Path]) -> None:
        """Before a new file is opened."""
        surplus = present[: max(0, len(present) - self.files + 1)]
        if surplus and not self.forget:
            raise OSError(errno.EDQUOT, f"{len(present)} files of {self.name} are full")
        for path in surplus:
            _delete(path)


class Lines(Iterator[T], Generic[T]):
    """What is read from the files of a journal, the oldest first; one line is in memory at a time.

    Args:
        files: in their order.
        parse: of one line; raises ValueError, KeyError or TypeError for one that is none.
    """

    def __init__(self, files: Sequence[Path], parse: Callable[[bytes], T]) -> None:
        self.torn = 0
        """Lines so far that could not be read."""
        self._parse = parse
        self._lines = (line for path in files for line in _lines(path))

    def __next__(self) -> T:
        """The next line that can be read."""
        for line in self._lines:
            if line.strip():
                try:
                    return self._parse(line)
                except (ValueError, KeyError, TypeError):
                    self.torn += 1
        raise StopIteration


def paths(folder: Path, name: str) -> list[Path]:
    """The files of one kind, the oldest first."""
    return sorted(folder.glob(f"{name}-*{SUFFIX}"))


def check(folder: Path) -> None:
    """Make the folder, and a file in it.

    Raises:
        OSError: that cannot be done.
    """
    folder.mkdir(FOLDER_MODE, parents=True, exist_ok=True)
    probe = folder / f".{uuid.uuid4().hex}"
    os.close(os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE))
    probe.unlink()


def _lines(path: Path) -> Iterator[bytes]:
    """Lines of a file that may be deleted meanwhile; of one that is too long, its pieces."""
    try:
        with path.open("rb") as file:
            while line := file.readline(LONGEST):
                yield line
    except FileNotFoundError:
        return


def _locked(file: int) -> bool:
    """Take the lock; False where another has it or the file system knows none."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _delete(path: Path) -> None:
    """Unless another process is writing it."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink(missing_ok=True)
        finally:
            os.close(file)
    except OSError as error:
        if error.errno in (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS):
            path.unlink(missing_ok=True)
