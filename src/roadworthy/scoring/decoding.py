"""Images that kill the process that decodes them: found out in a process that may die."""

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context

from roadworthy.data import images
from roadworthy.errors import DataError

FATAL = "damaged: it kills the process that decodes it"


def check(content: bytes, max_pixels: int) -> None:
    """Decode, and throw away.

    Raises:
        DataError: it cannot be decoded.
    """
    images.decode(content, max_pixels)


class Taster:
    """Has images decoded in another process first. Slow; for what a worker died of."""

    def __init__(self, max_pixels: int, decode: Callable[[bytes, int], None] = check) -> None:
        self.max_pixels, self.decode = max_pixels, decode
        self._pool: ProcessPoolExecutor | None = None

    def taste(self, content: bytes) -> None:
        """Return if the image can be decoded.

        Raises:
            DataError: it cannot, or that killed the process.
        """
        # 'spawn' rather than 'fork': the worker holds threads.
        self._pool = self._pool or ProcessPoolExecutor(1, get_context("spawn"))
        try:
            self._pool.submit(self.decode, content, self.max_pixels).result()
        except BrokenProcessPool:
            self._pool = None
            raise DataError(FATAL) from None

    def close(self) -> None:
        """End that process."""
        if self._pool:
            self._pool.shutdown()
