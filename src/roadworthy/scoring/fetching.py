"""The bytes of the images of a shard, in their order; those of an object store are fetched ahead."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from roadworthy.errors import DataError
from roadworthy.scoring.places import UnreachableError, is_remote, read_image
from roadworthy.scoring.sources import Entry

# Images that are on their way at the same time: 100 ms each hide behind the network that answers.
AHEAD = 16
# So many in a row that cannot be reached say that it is not about the images.
DEAD = 64
Content = bytes | DataError | UnreachableError
"""The bytes, or why there are none, or none now."""


class Fetcher:
    """Reads images, none larger than `max_bytes`."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._pool = ThreadPoolExecutor(AHEAD)

    def contents(self, entries: Iterable[Entry]) -> Iterator[tuple[Entry, Content]]:
        """Each entry with its bytes, or why not.

        Raises:
            DataError: nothing can be reached.
        """
        dead = 0
        for entry, content in self._ahead(entries):
            dead = dead + 1 if isinstance(content, UnreachableError) else 0
            if dead == DEAD:
                raise DataError(
                    f"{dead} images in a row could not be reached ({entry.path}: {content!s}): when "
                    "the store or network answers again, the same command goes on"
                )
            yield entry, content

    def _ahead(self, entries: Iterable[Entry]) -> Iterator[tuple[Entry, Content]]:
        waiting: deque[tuple[Entry, Future[Content]]] = deque()
        for entry in entries:
            if is_remote(entry.path):
                waiting.append((entry, self._pool.submit(self._one, entry)))
                if len(waiting) > 2 * AHEAD:
                    yield _next(waiting)
            else:
                while waiting:
                    yield _next(waiting)
                yield entry, self._one(entry)
        while waiting:
            yield _next(waiting)

    def _one(self, entry: Entry) -> Content:
        if entry.fault is not None:
            return DataError(entry.fault)
        try:
            return read_image(entry.path, self.max_bytes)
        except (DataError, UnreachableError) as error:
            return error


def _next(waiting: deque[tuple[Entry, Future[Content]]]) -> tuple[Entry, Content]:
    entry, coming = waiting.popleft()
    return entry, coming.result()
