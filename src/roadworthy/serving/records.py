"""The prediction log: one line for each answer about each image, written off the request path."""

import logging
from collections.abc import Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Lock, Thread

from roadworthy.errors import ParamsError
from roadworthy.serving.attempts import Attempts
from roadworthy.serving.journal import Journal
from roadworthy.serving.metrics import Metrics
from roadworthy.serving.pictures import FOLDER, Pictures
from roadworthy.serving.recent import Recent
from roadworthy.serving.record import NAME, Facts, Record, facts, read, to_line
from roadworthy.serving.settings import Settings

__all__ = ["Facts", "PredictionLog", "Record", "facts", "read"]
WAITING = 10_000
"""Records that may wait for the writer."""
WAITING_BYTES = 64_000_000
"""Of images that may wait for it."""
BATCH = 256
"""Records that are written at once."""
Waiting = tuple[Record, bytes]
log = logging.getLogger(__name__)


class PredictionLog:
    """Takes records from any thread and has one of its own that writes them.

    Args:
        settings: with `log` set.
        metrics: where to count.

    Raises:
        ParamsError: the folder cannot be written.
    """

    def __init__(self, settings: Settings, metrics: Metrics | None = None) -> None:
        self.metrics = metrics or Metrics()
        self.recent = Recent()
        """For feedback: what was answered lately."""
        self._journal = opened(settings, NAME)
        budget = settings.log_bytes * settings.log_files
        folder = self._journal.folder / FOLDER
        self._pictures = Pictures(folder, budget) if settings.log_images else None
        self._write_lines = Attempts("the prediction log")
        self._write_image = Attempts("the log of images")
        self._queue: SimpleQueue[Waiting | None] = SimpleQueue()
        self._bytes = 0
        self._lock = Lock()
        self._closed = self._unusable = False
        self._writer = Thread(target=self._run, name="prediction-log", daemon=True)
        self._writer.start()

    def put(self, record: Record, image: bytes = b"") -> bool:
        """Hand over a record; False when it was dropped. Never waits and never raises.

        Args:
            image: the file, kept only where `settings.log_images` is set.
        """
        if not record.shadow:
            self.recent.add(record.id, record.task, record.label, record.version)
        if self._closed or self._queue.qsize() >= WAITING:
            self.metrics.dropped("record", "closed" if self._closed else "queue")
            return False
        self._queue.put((record, self._admitted(image)))
        return True

    def close(self, seconds: float = 5.0) -> bool:
        """Write what waits; False when that took too long and the rest is lost."""
        self._closed = True
        self._queue.put(None)
        self._writer.join(seconds)
        if self._writer.is_alive():
            left = self._queue.qsize()
            log.error("the prediction log was not finished: about %d records are lost", left)
            return False
        self._journal.close()
        return True

    def _admitted(self, image: bytes) -> bytes:
        """The image, where it is to be kept and there is room for it in memory; else nothing."""
        if self._pictures is None or not image:
            return b""
        with self._lock:
            if self._bytes + len(image) > WAITING_BYTES:
                self.metrics.dropped("image", "queue")
                return b""
            self._bytes += len(image)
        return image

    def _run(self) -> None:
        going = True
        while going:
            batch = [self._queue.get()]
            try:
                while len(batch) < BATCH:
                    batch.append(self._queue.get_nowait())
            except Empty:
                pass
            going = None not in batch
            try:
                self._write([one for one in batch if one is not None])
            except Exception:  # whatever it is, the next ones can be written
                log.exception("%d records were not logged", len(batch))

    def _write(self, batch: Sequence[Waiting]) -> None:
        lines = self._encoded(batch)
        before = self._journal.written
        self._write_lines(lambda: self._journal.append(lines))
        written = self._journal.written - before
        self.metrics.logged("record", written)
        self.metrics.dropped("record", "disk", len(lines) - written)
        for record, image in batch:
            if image:
                self._keep(record.sha256, image)

    def _encoded(self, batch: Sequence[Waiting]) -> list[bytes]:
        lines = []
        for record, _ in batch:
            try:
                lines.append(to_line(record))
            except Exception:  # a fault of ours in one costs no other
                if not self._unusable:
                    log.exception("a record of %s cannot be written as JSON", record.task)
                self._unusable = True
                self.metrics.dropped("record", "unusable")
        return lines

    def _keep(self, sha256: str, image: bytes) -> None:
        if pictures := self._pictures:
            done = self._write_image(lambda: pictures.keep(sha256, image))
            if done:
                self.metrics.logged("image")
            else:
                self.metrics.dropped("image", "disk")
        with self._lock:
            self._bytes -= len(image)


def opened(settings: Settings, name: str, *, forget: bool = True) -> Journal:
    """A journal in the folder that is set.

    Raises:
        ParamsError: it cannot be written.
    """
    folder = settings.log or Path()
    try:
        return Journal(folder, name, settings.log_bytes, settings.log_files, forget=forget)
    except OSError as error:
        raise ParamsError(
            f"ROADWORTHY_LOG: {folder} cannot be written ({error.strerror}): let this user write "
            "there, name another folder, or unset it to keep nothing"
        ) from None
