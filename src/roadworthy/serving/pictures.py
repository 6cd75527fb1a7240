"""Images that were asked about, kept under the SHA-256 of their bytes within a budget."""

import os
import uuid
from pathlib import Path

from roadworthy.serving.journal import FILE_MODE, FOLDER_MODE

FOLDER = "images"
"""In the folder of the prediction log."""


class Pictures:
    """For one thread; several processes may share the folder.

    Args:
        folder: made when it is missing.
        max_bytes: of all files together; the images that were longest not seen make room.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self.folder, self.max_bytes = folder, max_bytes
        self._room = 0

    def keep(self, sha256: str, content: bytes) -> bool:
        """Write an image; False when it is larger than the whole budget.

        Raises:
            OSError: it cannot be written.
        """
        if len(content) > self.max_bytes:
            return False
        path = self.folder / sha256
        try:
            os.utime(path)
            return True
        except FileNotFoundError:
            self.folder.mkdir(FOLDER_MODE, parents=True, exist_ok=True)
        if len(content) > self._room:
            self._make_room(len(content))
        _write(path, content)
        self._room -= len(content)
        return True

    def _make_room(self, size: int) -> None:
        """Delete until a tenth of the budget is free; what others wrote meanwhile is seen here."""
        found = []
        for entry in os.scandir(self.folder):
            try:
                facts = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            found.append((facts.st_mtime_ns, facts.st_size, entry.path))
        total = sum(size for _, size, _ in found)
        wanted = max(size, self.max_bytes // 10)
        for _, used, path in sorted(found):
            if total + wanted <= self.max_bytes:
                break
            Path(path).unlink(missing_ok=True)
            total -= used
        # Of what is free only a tenth at a time: another process may be filling it too.
        self._room = min(self.max_bytes - total, wanted)


def _write(path: Path, content: bytes) -> None:
    """All of it or nothing."""
    temporary = path.with_name(f".{uuid.uuid4().hex}")
    file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
    try:
        with os.fdopen(file, "wb") as out:
            out.write(content)
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
